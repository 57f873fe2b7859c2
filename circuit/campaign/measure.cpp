#include "circuit/campaign/measure.h"

#include <algorithm>
#include <limits>

namespace errata::circuit {

namespace {

double value_at(std::span<const double> t, std::span<const double> v, double at) {
  const auto next = static_cast<std::size_t>(std::ranges::lower_bound(t, at) - t.begin());
  if (next == 0) return v[0];
  if (next == t.size()) return v.back();
  const double share = (at - t[next - 1]) / (t[next] - t[next - 1]);
  return v[next - 1] + share * (v[next] - v[next - 1]);
}

double integral(std::span<const double> t, std::span<const double> v, double from, double to) {
  double sum = 0.0, last_time = from, last_value = value_at(t, v, from);
  for (std::size_t k = 0; k < t.size(); ++k) {
    if (t[k] <= from || t[k] >= to) continue;
    sum += 0.5 * (t[k] - last_time) * (v[k] + last_value);
    last_time = t[k];
    last_value = v[k];
  }
  return sum + 0.5 * (to - last_time) * (value_at(t, v, to) + last_value);
}

}  // namespace

double measure(const Output& output, std::span<const double> t, std::span<const double> v) {
  const double missing = std::numeric_limits<double>::quiet_NaN(), end = t.back() * (1 + 1e-9);
  if (output.measure == Output::Measure::kSample) {
    if (output.to_seconds <= 0.0) return v.back();
    return output.to_seconds <= end ? value_at(t, v, output.to_seconds) : missing;
  }
  const double from = output.from_seconds, to = output.to_seconds > 0.0 ? output.to_seconds : t.back();
  if (!(to > from) || to > end || from < t.front()) return missing;
  const double sum = integral(t, v, from, to);
  return output.measure == Output::Measure::kIntegral ? sum : sum / (to - from);
}

}  // namespace errata::circuit
