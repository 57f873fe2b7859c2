#include "training/hardware/staircase_table.h"

#include <cmath>

namespace errata::training {

namespace {

constexpr double kReach = 20.0;          // σ(−20) is 2e-9, nothing beside the rounding of the result
constexpr double kPiecesPerWidth = 8.0;  // in a temperature

struct Nodes {
  std::vector<double> values, slopes;
};

/// σ and its slope at multiples of 1/n within ±reach; nodes of all steps are shifts of these.
struct Riser {
  std::vector<double> value, slope;

  Riser(int half, double spacing, double temperature) {
    for (int i = -half; i <= half; ++i) {
      const double e = std::exp(-std::fabs(i * spacing) / temperature), small = e / (1.0 + e);
      value.push_back(i >= 0 ? 1.0 - small : small);
      slope.push_back(e / ((1.0 + e) * (1.0 + e)) / temperature);
    }
  }
};

}  // namespace

StaircaseTable::StaircaseTable(double bottom, std::span<const double> heights, int first_step, double temperature) {
  const auto per_step = static_cast<std::size_t>(std::ceil(kPiecesPerWidth / temperature));
  const auto margin = static_cast<std::size_t>(std::ceil(kReach * temperature));  // in steps
  const std::size_t half = margin * per_step, count = (heights.size() - 1) * per_step + 2 * half + 1;
  const double spacing = 1.0 / static_cast<double>(per_step);
  const Riser riser(static_cast<int>(half), spacing, temperature);
  Nodes nodes{std::vector<double>(count, bottom), std::vector<double>(count, 0.0)};
  const std::size_t width = 2 * half + 1;
  for (std::size_t k = 0; k < heights.size(); ++k) {
    double* value = nodes.values.data() + k * per_step;
    double* slope = nodes.slopes.data() + k * per_step;
    for (std::size_t i = 0; i < width; ++i) {
      value[i] += heights[k] * riser.value[i];
      slope[i] += heights[k] * riser.slope[i];
    }
  }
  double taken = 0.0;  // steps whose reach ends below
  for (std::size_t i = width, k = 0; i < count; ++i) {
    if ((i - width) % per_step == 0) taken += heights[k++];
    nodes.values[i] += taken;
  }
  pieces_.reserve(count);
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const double rise = nodes.values[i + 1] - nodes.values[i];
    const double left = nodes.slopes[i] * spacing, right = nodes.slopes[i + 1] * spacing;
    pieces_.push_back({static_cast<float>(nodes.values[i]), static_cast<float>(left),
                       static_cast<float>(3.0 * rise - 2.0 * left - right),
                       static_cast<float>(left + right - 2.0 * rise)});
  }
  pieces_.push_back({static_cast<float>(nodes.values[count - 1]), 0.0f, 0.0f, 0.0f});
  origin_ = first_step - static_cast<double>(margin);
  pieces_per_step_ = static_cast<double>(per_step);
  last_ = static_cast<double>(count - 1);
  slope_scale_ = static_cast<float>(per_step);
}

}  // namespace errata::training
