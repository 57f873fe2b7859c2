#pragma once

#include <cmath>

#include "behavioral/line/column_solver.h"
#include "core/random_stream.h"

namespace errata::testing {

struct LineShape {
  std::size_t rows = 64;
  double wire_ohms = 1.0, source_line_ohms = 0.0, clamp_ohms = 50.0, offset_amperes = 1e-6;
  std::size_t inputs = 2, idle_rows = 0;
};

/// A bit line of 1T1R-like cells at 0.2 V: up to 8 uA with a slope of about I/V, a small curvature and leakage.
inline behavioral::PreparedLine random_line(const LineShape& shape, std::uint64_t which) {
  RandomStream stream(21, StreamPurpose::kTest, which);
  behavioral::PreparedLine line{.rows = shape.rows,
                                .clamp_volts = 0.2,
                                .clamp_ohms = shape.clamp_ohms,
                                .offset_amperes = shape.offset_amperes,
                                .wire_ohms = shape.wire_ohms,
                                .source_line_ohms = shape.source_line_ohms};
  line.inputs = shape.inputs;
  line.idle_rows = shape.idle_rows;
  const std::size_t all = line.all_rows();
  line.cells.resize(shape.inputs * all);
  for (std::size_t j = 0; j < all; ++j) {
    const double current = 8e-6 * stream.uniform(), slope = current / 0.2 * (0.7 + 0.3 * stream.uniform());
    const double curvature = -slope * stream.uniform();
    const behavioral::CellExpansion on{current, slope, curvature, -1.3 * slope, 0.5 * curvature, -curvature};
    // Input levels from a leakage of 1e-4 to the full current, not quite evenly.
    for (std::size_t x = 0; x < shape.inputs; ++x) {
      const double share =
          x == 0 ? 1e-4 : std::pow(static_cast<double>(x) / static_cast<double>(shape.inputs - 1), 1.2);
      line.cells[x * all + j] = {share * on.a, share * on.b, share * on.c, share * on.p, share * on.q, share * on.r};
    }
    line.levels.push_back(static_cast<std::uint8_t>(stream.below(4)));
  }
  return line;
}

inline std::vector<std::uint8_t> random_inputs(std::size_t rows, std::size_t count, std::uint64_t which,
                                               std::size_t levels = 2) {
  RandomStream stream(22, StreamPurpose::kTest, which);
  std::vector<std::uint8_t> inputs(rows * count);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    inputs[i] = stream.uniform() < static_cast<double>(i / rows % 5 + 1) / 6
                    ? static_cast<std::uint8_t>(levels > 2 ? 1 + stream.below(levels - 1) : 1)
                    : 0;
  return inputs;
}

}  // namespace errata::testing
