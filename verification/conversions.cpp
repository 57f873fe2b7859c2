#include "verification/conversions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/statistics.h"

namespace errata::verification {

ColumnConversions convert_by_model(const behavioral::BehavioralModel& model, std::uint64_t seed, std::uint64_t chip,
                                   std::uint64_t column, const ColumnOperands& o) {
  const std::size_t count = o.count();
  std::vector<double> output(count);
  ColumnConversions c{std::vector<double>(count, 0.0), std::vector<double>(count, 0.0)};
  const behavioral::PackedInputs packed(o.inputs, o.rows, model.array.rows, model.input_levels());
  for (std::size_t branch = 0; branch < o.branches(); ++branch) {
    const auto line = model.prepare(seed, {chip, o.branches() * column + branch}, o.branch(branch));
    line->read(packed, output);
    c.extrapolated += static_cast<double>(line->extrapolated(packed)) /
                      static_cast<double>(o.branches() * std::max<std::size_t>(1, count));
    for (std::size_t p = 0; p < count; ++p) {
      behavioral::NoiseSums sums{};
      for (std::size_t j = 0; j < o.rows; ++j) {
        if (o.input(p)[j] == 0) continue;
        const auto row = line->row_noise(j, o.input(p)[j]);
        for (std::size_t k = 0; k < row.size(); ++k) sums[k] += row[k];
      }
      c.value[p] += branch == 0 ? output[p] : -output[p];
      c.sigma[p] += line->read_variance(output[p], sums);
    }
  }
  for (std::size_t p = 0; p < count; ++p) {
    c.value[p] = model.transfer.to_mac(c.value[p]);
    c.sigma[p] = std::sqrt(c.sigma[p]) / std::fabs(model.transfer.unit);
  }
  return c;
}

ColumnConversions convert_by_table(const errormodel::ErrorTable& table, std::uint64_t seed, std::uint64_t chip,
                                   std::uint64_t column, const ColumnOperands& o) {
  const auto s = errormodel::draw_static_column(table, seed, chip, column, o.plus, o.minus);
  ColumnConversions c;
  for (std::size_t p = 0; p < o.count(); ++p) {
    double y = s.offset, a = 0.0;
    for (std::size_t j = 0; j < o.rows; ++j) {
      const std::size_t x = o.input(p)[j];
      if (x == 0) continue;
      y += s.weight[(x - 1) * o.rows + j];
      a += static_cast<double>(x) * s.drive[j];
    }
    c.value.push_back(y + table.mean_shift(y, a));
    c.sigma.push_back(table.read_sigma(y, a));
  }
  return c;
}

CodeErrors code_errors(const AdcOptions& adc, double ideal, double value, double sigma) {
  const int right = adc_code(adc, ideal);
  constexpr double kReach = 7.0;
  const int low = adc_code(adc, value - kReach * sigma), high = adc_code(adc, value + kReach * sigma);
  CodeErrors e;
  double below = 0.0;
  for (int code = low; code <= high; ++code) {
    const double up_to = code == high ? 1.0 : normal_cdf(((code + 0.5) * adc.step() - value) / sigma);
    const double p = up_to - below;
    below = up_to;
    const int distance = std::abs(code - right);
    if (distance == 0) continue;
    e.change += p;
    e.magnitude += p * distance;
    if (distance > 2) e.large += p;
  }
  return e;
}

}  // namespace errata::verification
