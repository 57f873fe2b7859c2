#pragma once

#include "behavioral/cell_model.h"
#include "behavioral/line/column_solver.h"
#include "behavioral/line/line.h"

namespace errata::behavioral {

/// Current mode (methods.md §5.1): cells on a clamped bit line with wire and clamp resistance; the output is the
/// line's current.
class CurrentMode final : public ColumnFamily {
 public:
  static constexpr const char* kName = "current_mode";

  CellModel cell;
  std::vector<double> thermal_square_amperes;  ///< [X][L] variance of a cell's current over the read's bandwidth

  std::string name() const override { return kName; }
  std::size_t levels() const override { return cell.levels; }
  std::size_t input_levels() const override { return cell.inputs; }
  std::unique_ptr<Line> line(const LineConditions& conditions) const override;
  std::string fitted_to() const override { return "cell surface ln(I/V), errors relative to the cell's current"; }
  std::string validity() const override;
  void save(Hdf5Writer& file) const override;
  static std::shared_ptr<const ColumnFamily> load(const Hdf5Reader& file, TermCounts counts);

  /// Every cell expanded around the line's clamp voltage.
  PreparedLine expand(const LineConditions& conditions) const;
};

FamilyFit fit_current_mode(const circuit::Characterization& data);

}  // namespace errata::behavioral
