#include "errormodel/estimation/network_operands.h"

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"

namespace errata::errormodel {

namespace {

constexpr std::uint64_t kStream = 1;  // make_operands() has 0

std::uint8_t level(double value, std::size_t levels) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, static_cast<long>(levels - 1)));
}

void draw_weights(const OperandDesign& d, RandomStream& stream, ColumnOperands& o) {
  const double top = static_cast<double>(d.levels - 1);
  // Layers differ in how much of the range their weights use, columns in their mean.
  const double width = top * (0.2 + 0.25 * stream.uniform()), bias = 0.2 * width * stream.normal();
  for (std::size_t j = 0; j < d.rows; ++j) {
    const double w = bias + width * stream.normal();
    if (!d.differential) {
      o.plus.push_back(level(0.5 * (top + w), d.levels));  // stored with an offset
      continue;
    }
    o.plus.push_back(level(std::max(0.0, w), d.levels));
    o.minus.push_back(level(std::max(0.0, -w), d.levels));
  }
}

/// Active where an AR(1) sequence along the rows exceeds the quantile of the operand's activity.
void draw_inputs(const OperandDesign& d, RandomStream& stream, ColumnOperands& o) {
  constexpr double kCorrelation = 0.8;  // neighbouring pixels
  const double u = stream.uniform(), activity = 0.03 + 0.6 * u * u;
  const double threshold = inverse_normal(1.0 - activity), top = static_cast<double>(d.input_levels - 1);
  double state = stream.normal();
  for (std::size_t j = 0; j < d.rows; ++j) {
    if (j > 0) state = kCorrelation * state + std::sqrt(1.0 - kCorrelation * kCorrelation) * stream.normal();
    const double above = state - threshold;
    o.inputs.push_back(above <= 0.0 ? std::uint8_t{0}
                                    : level(std::max(1.0, top * std::min(1.0, above)), d.input_levels));
  }
}

}  // namespace

ColumnOperands network_like_operands(const OperandDesign& d, std::uint64_t seed, std::uint64_t chip,
                                     std::uint64_t column) {
  ColumnOperands o;
  o.rows = d.rows;
  RandomStream weights(seed, StreamPurpose::kOperandWeights, column, kStream, chip);
  RandomStream inputs(seed, StreamPurpose::kOperandInputs, column, kStream, chip);
  draw_weights(d, weights, o);
  for (std::size_t p = 0; p < d.operands; ++p) draw_inputs(d, inputs, o);
  return o;
}

}  // namespace errata::errormodel
