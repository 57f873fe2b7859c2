#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/settings.h"
#include "errormodel/error_table.h"

namespace errata::errormodel {

/// Which operating point is wanted; what is not given is that of the nominal point.
struct OperatingPointChoice {
  std::optional<double> temperature_kelvin, supply_volts;
  std::optional<std::string> corner;
};

/// The operating points of one array (methods.md §3.4): each has terms of its own, all in the MAC units of the first,
/// the nominal one. At least one point.
class TableSet {
 public:
  explicit TableSet(std::vector<ErrorTable> points);
  static TableSet load(const std::filesystem::path& path) { return TableSet(load_tables(path)); }
  void save(const std::filesystem::path& path) const { save_tables(points_, path); }

  std::span<const ErrorTable> points() const { return points_; }
  const ErrorTable& nominal() const { return points_.front(); }

  /// An ordinary table at a temperature and supply: a stored point, or linear between its neighbours (g, μ,
  /// covariances, ν) or logarithmic (s, σ_D and its sources), so monotone in every term. Corners are not interpolated.
  /// Throws Error (artefact, E406) outside the range of the points.
  ErrorTable at(const OperatingPointChoice& choice) const;

 private:
  std::vector<ErrorTable> points_;
};

/// Between two tables of one file, `weight` of the second.
ErrorTable interpolate(const ErrorTable& a, const ErrorTable& b, double weight);

/// One file out of tables that were made at different temperatures, supplies or corners. The first is nominal; the
/// others go over to its MAC units and axes. Throws Error (artefact, E407) when they are of different hardware or two
/// are at the same point.
TableSet merge_operating_points(std::span<const ErrorTable> tables);

/// The table that [hardware] asks for: temperature, supply_voltage, corner and time_since_programming where given.
/// Throws Error (artefact, E406) when the file cannot say.
ErrorTable project_table(const std::filesystem::path& path, const Settings& settings);

/// "27.0 degC, 1 V, corner ff" of a table.
std::string operating_point_name(const ErrorTable& table);

}  // namespace errata::errormodel
