#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "core/operand_design.h"

namespace errata::errormodel {

/// What an error may depend on beside the operating point (methods.md §2, §3.3).
enum class CovariateKind : std::uint8_t {
  kOne,         ///< 1
  kMac,         ///< y
  kAxis,        ///< the second axis a
  kMacSquared,  ///< y²
  kPosition,    ///< P = Σ w x (1 − (1 − j/n)²), where along the line the current comes from
};
inline constexpr std::size_t kCovariates = 5;

std::string_view name_of(CovariateKind covariate);

/// Row of a covariate in the table's basis and column in [1, y, a]; −1: the table has no place for it.
constexpr int table_place(CovariateKind covariate) {
  return covariate <= CovariateKind::kAxis ? static_cast<int>(covariate) : -1;
}

/// Values of all covariates for an operand, in the enumeration's order.
std::array<double, kCovariates> covariate_values(const ColumnOperands& operands, std::size_t operand,
                                                 double minimum_conductance);

/// Covariates made orthogonal on a design, each centred, freed of those before it and scaled to unit variance.
struct CovariateBasis {
  std::vector<CovariateKind> offered;          ///< the first is kOne
  std::vector<bool> kept;                      ///< not those whose variance inflation factor exceeds 20
  std::vector<double> inflation;               ///< variance inflation factor of each, given those before it
  std::vector<std::vector<double>> transform;  ///< φ_k = Σ_j transform[k][j] · value of offered[j]

  std::size_t size() const;  ///< kept ones
  /// φ of the kept covariates.
  std::vector<double> phi(const std::array<double, kCovariates>& values) const;
};

/// Basis over the values of a design's operands (methods.md §2: a covariate with a variance inflation factor above 20
/// is dropped).
CovariateBasis orthogonal_basis(const std::vector<CovariateKind>& offered,
                                const std::vector<std::array<double, kCovariates>>& values);

}  // namespace errata::errormodel
