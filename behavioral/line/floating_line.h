#pragma once

#include "behavioral/line/charge_balance.h"
#include "behavioral/line/line.h"

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
  static constexpr std::size_t kMostNodes = ChargeBalance::kMostNodes;

  std::size_t stored_inputs = 2, stored_levels = 2;
  std::size_t terms = 0;                        ///< mismatch draws of a cell
  std::vector<double> end_volts;                ///< V_end of the measurements [F], ascending
  double mismatch_range = 4.0;                  ///< |z| beyond this is clamped: the fit knows no more
  int degree = 1;                               ///< total degree in the draws
  std::vector<std::uint8_t> exponents;          ///< [monomials][terms]
  std::vector<double> charge_coulombs;          ///< coefficients of D [X][L][F][monomials]
  std::vector<double> thermal_square_coulombs;  ///< [X][L] variance of the charge that a cell draws

  double switch_load_farads = 0.0;  ///< the open switch's own capacitance, part of the line's
  std::size_t switch_terms = 0;
  std::vector<double> switch_farads;           ///< [S] ascending; empty: ideal release
  std::vector<std::uint8_t> switch_exponents;  ///< [monomials][switch_terms]
  std::vector<double> switch_coulombs;         ///< injected charge, coefficients [S][monomials]

  std::string name() const override { return kName; }
  std::size_t levels() const override { return stored_levels; }
  std::size_t input_levels() const override { return stored_inputs; }
  std::unique_ptr<Line> line(const LineConditions& conditions) const override;
  std::string fitted_to() const override {
    return "charge of a cell by end voltage, errors relative to the largest charge";
  }
  std::string validity() const override;
  void save(Hdf5Writer& file) const override;
  static std::shared_ptr<const ColumnFamily> load(const Hdf5Reader& file, TermCounts counts);

  /// Monomials of a cell's unit draws [terms].
  std::vector<double> monomials(std::span<const double> draws) const;
  /// Charge drawn at each of end_volts, in coulomb; `charge` has F entries.
  void cell_charge(std::size_t input, std::size_t level, std::span<const double> monomials,
                   std::span<double> charge) const;
  /// Charge that the switch injects into a line of this capacitance, in coulomb.
  double switch_charge(double farads, std::span<const double> draws) const;
};

FamilyFit fit_floating_line(const circuit::Characterization& data);

}  // namespace errata::behavioral
