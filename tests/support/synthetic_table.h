#pragma once

#include <vector>

#include "errormodel/error_table.h"

namespace errata::testing {

/// A table with every term, of the size of the shipped macro's, made by hand.
inline errormodel::ErrorTable synthetic_table() {
  errormodel::ErrorTable t;
  t.provenance.format = errormodel::ErrorTable::kFormat;
  t.rows = 64;
  t.levels = 4;
  t.minimum_conductance = 0.2;
  t.axes = {-40, 40, 0, 160, 33, 13};
  t.adc = {6, 32};
  t.level = {0, 1.02, 2.01, 2.96};
  t.cell_sigma = {0.03, 0.08, 0.1, 0.12};
  for (std::size_t i = 0; i < t.axes.y_points; ++i)
    for (std::size_t j = 0; j < t.axes.a_points; ++j) {
      const double y = t.axes.y_at(i), a = t.axes.a_at(j);
      t.mu.push_back(0.05 * y - 0.001 * y * a);
      t.slope.push_back(0.05 - 0.001 * a);
      t.dynamic_sigma.push_back(0.25 + 0.001 * a);
    }
  t.source_names = {"thermal"};
  for (const double s : t.dynamic_sigma) t.source_variance.push_back(s * s);
  t.support_count.assign(t.axes.size(), 100.0);
  t.support_error.assign(t.axes.size(), 0.01);
  t.basis = {1, 0, 0, 0, 1.0 / 15, 0, -1.5, 0, 1.0 / 30};
  t.chip = {0.01, 0, 0, 0, 0.02, 0, 0, 0, 0};
  t.column = {0.3, 0, 0, 0, 0.02, 0, 0, 0, 0.05};
  t.chip_interval.assign(6, {});
  t.column_interval.assign(6, {});
  t.cell_interval.assign(4, {});
  t.code_pmf.assign(64 * 64, 1.0 / 64);
  t.columns_used = 1600;
  return t;
}

}  // namespace errata::testing
