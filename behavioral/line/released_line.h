#pragma once

#include <vector>

#include "behavioral/line/charge_balance.h"
#include "behavioral/line/floating_line.h"
#include "behavioral/line/row_sums.h"

namespace errata::behavioral {

/// One bit line of the FloatingLine family on one chip, ready for reads: charges of its cells at the nodes, what its
/// reset leaves behind, its noise.
class ReleasedLine final : public Line {
 public:
  ReleasedLine(const FloatingLine& family, const LineConditions& conditions);

  std::size_t rows() const override { return rows_; }
  std::size_t input_levels() const override { return inputs_; }
  void read(const PackedInputs& inputs, std::span<double> output) const override;
  std::vector<double> noise_variances(const std::uint8_t* inputs) const override;
  std::vector<double> all_noise_variances(const PackedInputs& inputs) const override;
  NoiseSums row_noise(std::size_t row, std::size_t input) const override;
  double read_variance(double output, const NoiseSums& sums) const override;
  void add_read_variances(std::span<const double> output, std::span<const float> sums, std::size_t stride,
                          std::span<double> variance) const override;

 private:
  static constexpr double kScale = 1e-15;  ///< coulomb: what fp32 sums are in

  void add_cells(const FloatingLine& family, const LineConditions& conditions);
  void add_noise(const LineConditions& conditions);
  std::vector<double> charges_and_thermal() const;
  void add_relative_variances(const std::uint8_t* inputs, double end, double square, std::span<double> by_source) const;
  double variance(double end, double idle_charge, const NoiseSums& sums) const;
  /// What row j adds at input level x ≥ 1, [nodes].
  std::span<const double> added(std::size_t x, std::size_t j) const {
    return std::span(added_).subspan(((x - 1) * rows_ + j) * nodes_, nodes_);
  }

  ChargeBalance balance_;
  std::size_t sources_, rows_, all_rows_, inputs_, nodes_;
  double shift_, offset_;
  std::vector<double> idle_;                              ///< [nodes] charge drawn with no row active
  std::vector<double> added_;                             ///< [inputs − 1][rows][nodes] what an active row adds
  RowSums sums_;                                          ///< the same in units of kScale
  ChargeCurve idle_curve_;                                ///< through idle_
  std::vector<double> thermal_;                           ///< [inputs][all rows] C²
  std::vector<double> relative_sigma_, declared_output_;  ///< [all rows][sources]; [sources] V²
  std::vector<double> middle_charge_;                     ///< [inputs − 1][rows] charge half way between the ends
  bool has_relative_ = false;                             ///< whether any source scales with the cells' charge
  double idle_thermal_ = 0.0, output_variance_ = 0.0, reset_square_coulombs_ = 0.0;
  double idle_slope_ = 0.0, middle_ = 0.0, slope_per_charge_ = 0.0;
};

}  // namespace errata::behavioral
