#pragma once

#include <filesystem>
#include <vector>

#include "behavioral/model.h"
#include "core/operating_point.h"

namespace errata::behavioral {

/// One model and where it was characterised.
struct ModelAtPoint {
  OperatingPoint point;
  BehavioralModel model;
};

/// Models of the same column, characterised and fitted at several temperatures and supplies, with what lies between.
/// The points form a full grid. Along an axis with two values the output is linear, with more a parabola through the
/// three nearest; the logarithm of the noise likewise. Static draws are the same at every point: a chip stays the same
/// chip when it warms up.
class OperatingPoints {
 public:
  /// The first model is the nominal one: its MAC unit holds everywhere (methods.md §2), so that a gain that falls with
  /// temperature shows as an error. Throws Error (E525) when the points form no grid or the models differ in array,
  /// levels or mismatch.
  explicit OperatingPoints(std::vector<ModelAtPoint> models);

  /// Interval of validity of each axis.
  double lowest_kelvin() const { return temperatures_.front(); }
  double highest_kelvin() const { return temperatures_.back(); }
  double lowest_volts() const { return supplies_.front(); }
  double highest_volts() const { return supplies_.back(); }

  /// Out of models that know where they were characterised (array.temperature_kelvin, array.supply_volts).
  static OperatingPoints of(std::vector<BehavioralModel> models);

  /// The model at a point, to be used like any other; it is kept in memory only (save() throws). Throws Error (E525)
  /// outside the interval of validity.
  BehavioralModel at(const OperatingPoint& point) const;

 private:
  std::vector<ModelAtPoint> models_;
  std::vector<double> temperatures_, supplies_;  ///< ascending
  std::vector<std::size_t> grid_;                ///< [temperatures][supplies] index of the model
};

/// The model out of behavioral.h5 at the operating point that [hardware] asks for: hardware.temperature and
/// hardware.supply_voltage where given, else the nominal one as it is stored. Throws Error (E525) where the models say
/// nothing about it, hardware.corner being another than circuit.corner among it.
BehavioralModel project_model(const std::filesystem::path& path, const Settings& settings);

/// Weights of the nodes (ascending, at least one) in an interpolated value at x: linear between two nodes, a parabola
/// through the nearest three of more; x between the first and last.
std::vector<double> interpolation_weights(std::span<const double> nodes, double x);

}  // namespace errata::behavioral
