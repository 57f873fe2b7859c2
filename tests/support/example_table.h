#pragma once

#include <vector>

#include "errormodel/error_table.h"
#include "errormodel/table/marginal.h"

namespace errata::testing {

/// A small table with every optional part: two sources of noise, one with memory, quantiles, drift, stuck cells.
/// Single-ended ones are what NeuroSim can use.
inline errormodel::ErrorTable example_table(const char* scheme = "differential_before_adc") {
  errormodel::ErrorTable t;
  t.provenance.format = errormodel::ErrorTable::kFormat;
  t.provenance.inputs = {{"behavioral", std::string(64, 'a')}};
  t.provenance.seed = 3;
  t.signed_scheme = scheme;
  const bool pair = t.differential();
  t.rows = 16;
  t.levels = 3;
  t.inputs = 3;
  t.minimum_conductance = 0.25;
  t.offset = 1e-7;
  t.unit = 2e-6;
  t.temperature_kelvin = 300.0;
  t.supply_volts = 1.0;
  t.adc = {.bits = 5, .range = 16, .bipolar = pair};
  t.axes = {pair ? -20.0 : -2.0, 20, 0, 80, 12, 5};
  t.level = {pair ? 0.0 : 0.02, 1.02, 1.96, pair ? 0.0 : 0.05, 2.03, 3.9};
  t.cell_sigma = {0.02, 0.05, 0.08, 0.04, 0.1, 0.16};
  const std::size_t nodes = t.axes.size();
  t.source_names = {"thermal", "rtn"};
  t.source_variance.resize(2 * nodes);
  for (std::size_t n = 0; n < nodes; ++n) {
    const double y = t.axes.y_at(n / t.axes.a_points), a = t.axes.a_at(n % t.axes.a_points);
    t.mu.push_back(-0.02 * y - 0.001 * y * y + 0.002 * a);
    t.slope.push_back(-0.02 - 0.002 * y);
    t.source_variance[n] = 0.02 + 0.0005 * a;
    t.source_variance[nodes + n] = 0.04 + 0.001 * a;
    t.dynamic_sigma.push_back(std::sqrt(t.source_variance[n] + t.source_variance[nodes + n]));
    t.support_count.push_back(n % 7 == 6 ? 2.0 : 150.0);
    t.support_error.push_back(0.01);
  }
  t.source_memory = {0.0, 0.6};
  t.basis = {1, 0, 0, 0, 0.1, 0, -1.5, 0.01, 0.05};
  t.chip = {0.02, 0.004, 0, 0.004, 0.01, 0, 0, 0, 0.003};
  t.column = {0.2, 0.01, -0.02, 0.01, 0.05, 0, -0.02, 0, 0.04};
  for (const int k : {0, 1, 2, 4, 5, 8}) {
    const auto i = static_cast<std::size_t>(k);
    t.chip_interval.push_back({t.chip[i], t.chip[i] - 0.002, t.chip[i] + 0.002});
    t.column_interval.push_back({t.column[i], t.column[i] - 0.02, t.column[i] + 0.02});
  }
  for (const double s : t.cell_sigma) t.cell_interval.push_back({s * s, 0.8 * s * s, 1.2 * s * s});
  t.columns_used = 800;
  t.chips_used = 80;
  t.residual_sigma = 0.03;
  t.drift = {1.0, {0.0, 0.02, 0.05}, {0.001, 0.005, 0.01}};
  t.faults = {0.01, 0.004};
  // ε = c·sinh(z/2): heavier tails than the normal; c makes its variance 1, (e^{1/2} − 1)/2 being that of sinh(z/2).
  const double c = 1.0 / std::sqrt((std::exp(0.5) - 1.0) / 2.0);
  constexpr std::size_t kQuantiles = 129;
  for (std::size_t k = 0; k < kQuantiles; ++k)
    t.dynamic_quantiles.push_back(c * std::sinh(errormodel::ErrorTable::quantile_score(k, kQuantiles) / 2.0));
  errormodel::fill_marginal_view(t);
  return t;
}

}  // namespace errata::testing
