#include "errormodel/error_table.h"

#include <algorithm>
#include <cmath>

namespace errata::errormodel {

std::array<double, 3> ErrorTable::phi(double y, double a) const {
  return {basis[0] + basis[1] * y + basis[2] * a, basis[3] + basis[4] * y + basis[5] * a,
          basis[6] + basis[7] * y + basis[8] * a};
}

double ErrorTable::static_sum(const ColumnOperands& o, std::size_t operand) const {
  const std::uint8_t* x = o.input(operand);
  double sum = 0.0;
  for (std::size_t j = 0; j < o.rows; ++j) {
    if (x[j] == 0) continue;
    sum += level[kind(x[j], o.plus[j])];
    if (o.differential()) sum -= level[kind(x[j], o.minus[j])];
  }
  return sum;
}

double ErrorTable::dynamic_error(double normal) const {
  const std::size_t n = dynamic_quantiles.size();
  if (n < 2) return normal;
  const double at = 0.5 * (normal / kLargestScore + 1.0) * static_cast<double>(n - 1);
  const auto k = static_cast<std::size_t>(std::clamp(std::floor(at), 0.0, static_cast<double>(n - 2)));
  return dynamic_quantiles[k] + (at - static_cast<double>(k)) * (dynamic_quantiles[k + 1] - dynamic_quantiles[k]);
}

}  // namespace errata::errormodel
