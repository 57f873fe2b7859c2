#pragma once

#include "behavioral/line.h"

namespace errata::behavioral {

/// Discharge and charge mode (methods.md §5.1; docs/design/decisions/0005): cells on a line that floats from its
/// release to its sampling. Each cell is known by the charge D(V_end) that it draws from a line which ends at V_end;
/// the line ends where the charges balance,
///
///     C_line (V_end − V_released) = q_switch − Σ_j D_j(V_end)
///
/// exact for identical cells and for linear capacitors. The output is V_end plus the sense amplifier's offset.
class FloatingLine final : public ColumnFamily {
 public:
  static constexpr const char* kName = "floating_line";
  static constexpr std::size_t kMostNodes = 32;

  std::size_t stored_levels = 2;
  std::size_t terms = 0;                        ///< mismatch draws of a cell
  std::vector<double> end_volts;                ///< V_end of the measurements [F], ascending
  double mismatch_range = 4.0;                  ///< |z| beyond this is clamped: the fit knows no more
  int degree = 1;                               ///< total degree in the draws
  std::vector<std::uint8_t> exponents;          ///< [monomials][terms]
  std::vector<double> charge_coulombs;          ///< coefficients of D [2 inputs][L][F][monomials]
  std::vector<double> thermal_square_coulombs;  ///< [2][L] variance of the charge that a cell draws

  double switch_load_farads = 0.0;  ///< the open switch's own capacitance, part of the line's
  std::size_t switch_terms = 0;
  std::vector<double> switch_farads;           ///< [S] ascending; empty: ideal release
  std::vector<std::uint8_t> switch_exponents;  ///< [monomials][switch_terms]
  std::vector<double> switch_coulombs;         ///< injected charge, coefficients [S][monomials]

  std::string name() const override { return kName; }
  std::size_t levels() const override { return stored_levels; }
  std::unique_ptr<Line> line(const LineConditions& conditions) const override;
  void save(Hdf5Writer& file) const override;
  static std::shared_ptr<const ColumnFamily> load(const Hdf5Reader& file, TermCounts counts);

  /// Charge drawn at each of end_volts, in coulomb; `draws` has `terms` entries, `charge` has F.
  void cell_charge(std::size_t input, std::size_t level, std::span<const double> draws, std::span<double> charge) const;
  /// Charge that the switch injects into a line of this capacitance, in coulomb.
  double switch_charge(double farads, std::span<const double> draws) const;
};

FamilyFit fit_floating_line(const circuit::Characterization& data);

/// Derivatives at the nodes of the not-a-knot cubic spline through values at `x`: D = M·values, M [n][n] row-major.
/// n ≥ 4, x ascending.
std::vector<double> spline_derivatives(std::span<const double> x);

}  // namespace errata::behavioral
