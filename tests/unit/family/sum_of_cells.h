#pragma once

#include "behavioral/line/line.h"

/// Column model of ideal wires: a bit line's current is the sum of its cells' nominal currents.
class SumOfCells final : public errata::behavioral::ColumnFamily {
 public:
  static constexpr const char* kName = "sum_of_cells";

  std::size_t inputs = 2, stored = 2;
  std::vector<double> amperes;  ///< [input levels][stored levels]

  std::string name() const override { return kName; }
  std::size_t levels() const override { return stored; }
  std::size_t input_levels() const override { return inputs; }
  std::string fitted_to() const override { return "nominal cells at the clamp voltage"; }
  std::string validity() const override { return "lines without wire resistance and mismatch"; }
  std::unique_ptr<errata::behavioral::Line> line(const errata::behavioral::LineConditions& c) const override;
  void save(errata::Hdf5Writer& file) const override;
  static std::shared_ptr<const errata::behavioral::ColumnFamily> load(const errata::Hdf5Reader& file,
                                                                      errata::behavioral::TermCounts counts);
};

errata::behavioral::FamilyFit fit_sum_of_cells(const errata::circuit::Characterization& data);
