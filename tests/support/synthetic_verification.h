#pragma once

#include <string>
#include <vector>

#include "errormodel/estimation/network_operands.h"
#include "tests/support/synthetic_truth.h"
#include "training/hardware/table_conversion.h"
#include "verification/level_two.h"

namespace errata::testing {

/// A truth whose mean depends on the second axis as much as bit-line compression makes it.
inline SyntheticTruth verification_truth() {
  SyntheticTruth t;
  t.mean = [](double y, double a) { return 0.1 + 0.02 * a - 0.0006 * y * y; };
  return t;
}

/// The truth as what converts, for level 2.
inline verification::Converter converter_of(const SyntheticTruth& truth, std::uint64_t seed) {
  return [&truth, seed](std::uint64_t chip, std::uint64_t column, const ColumnOperands& d) {
    verification::ColumnConversions c;
    c.value = synthetic_column(truth, d, seed, chip, column);
    for (std::size_t p = 0; p < d.count(); ++p)
      c.sigma.push_back(truth.read_sigma(d.mac(p), d.second_axis(p, truth.minimum_conductance)));
    return c;
  };
}

/// A table estimated from simulated measurements of the truth; none of its terms is given.
inline errormodel::ErrorTable estimated_table(
    const SyntheticTruth& truth, const SyntheticSize& size, std::uint64_t seed,
    errormodel::EstimateOptions::Surfaces surfaces = errormodel::EstimateOptions::Surfaces::kMacAndAxis) {
  errormodel::ErrorTable t;
  t.provenance.format = errormodel::ErrorTable::kFormat;
  t.rows = truth.rows;
  t.adc = {6, 32};
  estimate_terms(synthetic_observations(truth, size, seed),
                 {.y_points = 21, .a_points = 9, .y_limit = 40, .surfaces = surfaces, .threads = 2}, t);
  return t;
}

/// Columns of a network on which tables are compared with the truth.
inline std::vector<ColumnOperands> network_columns(const SyntheticTruth& truth, std::size_t columns,
                                                   std::uint64_t seed) {
  const OperandDesign design{.rows = truth.rows, .levels = truth.levels, .operands = 32};
  std::vector<ColumnOperands> all;
  for (std::uint64_t c = 0; c < columns; ++c) all.push_back(errormodel::network_like_operands(design, seed, 77, c));
  return all;
}

struct WrongTable {
  std::string what;
  errormodel::ErrorTable table;
};

/// The right table with one mistake each (methods.md §6). `y_only` is the same estimate without a second axis.
inline std::vector<WrongTable> wrong_tables(const errormodel::ErrorTable& right, const errormodel::ErrorTable& y_only) {
  std::vector<WrongTable> all;
  const auto add = [&](const char* what) -> errormodel::ErrorTable& {
    all.push_back({what, right});
    return all.back().table;
  };
  all.reserve(9);
  for (double& s : add("half of the read noise").dynamic_sigma) s *= 0.5;
  for (double& s : add("no read noise").dynamic_sigma) s = 0.0;
  {
    auto& t = add("no static part");
    t.chip.fill(0.0);
    t.column.fill(0.0);
    std::fill(t.cell_sigma.begin(), t.cell_sigma.end(), 0.0);
  }
  {
    auto& t = add("no mean shift");
    std::fill(t.mu.begin(), t.mu.end(), 0.0);
    std::fill(t.slope.begin(), t.slope.end(), 0.0);
  }
  for (double& m : add("mean shift of another corner").mu) m *= 1.5;
  all.push_back({"built on y only", y_only});
  {
    // Clipping and mean error counted as noise: σ_D takes up what μ should say.
    auto& t = add("mean error counted as noise");
    for (std::size_t k = 0; k < t.mu.size(); ++k) {
      t.dynamic_sigma[k] = std::hypot(t.dynamic_sigma[k], t.mu[k]);
      t.mu[k] = 0.0;
    }
  }
  {
    auto& t = add("zeros in sparse bins");
    for (std::size_t k = 0; k < t.mu.size(); ++k)
      if (t.support_count[k] < 10.0) t.mu[k] = t.dynamic_sigma[k] = 0.0;
  }
  all.push_back({"static part as fresh noise", training::matched_gaussian(right)});
  return all;
}

}  // namespace errata::testing
