#include "circuit/deck/varied_parameters.h"

namespace errata::circuit {

std::vector<double> VariedParameters::values(const std::vector<MismatchTerm>& all, std::size_t level,
                                             std::span<const double> draws, std::size_t row) const {
  std::vector<double> normal(slots.size(), 0.0), lognormal(slots.size(), 0.0), out(slots.size());
  for (std::size_t t = 0; t < terms.size(); ++t) {
    const MismatchTerm& term = all[terms[t]];
    (term.lognormal ? lognormal : normal)[slot_of_term[t]] += term.sigma_at(level) * draws[t];
  }
  for (std::size_t s = 0; s < slots.size(); ++s)
    out[s] = moved_value(s == 0 && !weight_levels.empty() ? weight_levels[level] : nominal_at(row, s), normal[s],
                         lognormal[s]);
  return out;
}

}  // namespace errata::circuit
