#include "cli/report/ticks.h"

#include <algorithm>
#include <cmath>

#include "cli/report/text.h"

namespace errata::report {

Ticks nice_ticks(double low, double high, int wanted) {
  Ticks ticks;
  const double width = high - low;
  if (!(width > 0) || !std::isfinite(width) || width < 1e-12 * std::max(std::fabs(low), std::fabs(high))) return ticks;
  const double raw = width / std::max(1, wanted);
  int exponent = static_cast<int>(std::floor(std::log10(raw)));
  const double mantissa = raw / std::pow(10.0, exponent);
  double step = mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10;
  // Where a coarse step leaves a single mark, the next finer one is taken.
  const auto count = [&](double s) {
    const double unit = s * std::pow(10.0, exponent);
    return std::floor(high / unit + 1e-9) - std::ceil(low / unit - 1e-9) + 1;
  };
  while (count(step) < 2) {
    step = step == 10 ? 5 : step == 5 ? 2 : step == 2 ? 1 : 0.5;
    if (step == 0.5) step = 5, --exponent;
  }
  if (step == 10) step = 1, ++exponent;
  const double unit = step * std::pow(10.0, exponent);
  const auto first = static_cast<long long>(std::ceil(low / unit - 1e-9)),
             last = static_cast<long long>(std::floor(high / unit + 1e-9));
  for (long long k = first; k <= last; ++k) {
    const double value = static_cast<double>(k) * unit;
    ticks.value.push_back(value);
    const bool long_text = exponent < -4 || exponent > 4;
    ticks.label.push_back(k == 0 ? "0" : long_text ? number(value, 4) : fixed(value, std::max(0, -exponent)));
  }
  return ticks;
}

void Range::include(double value) {
  if (!std::isfinite(value)) return;
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

Range Range::padded(double fraction) const {
  if (empty) return {0.0, 1.0, false};
  const double smallest = std::max(1e-9 * std::max(std::fabs(low), std::fabs(high)), 1e-300);
  const double margin = width() > smallest ? fraction * width() : std::max(std::fabs(low) * 0.1, 0.5);
  return {low - margin, high + margin, false};
}

Range from_zero(std::span<const double> values) {
  Range r;
  for (const double v : values) r.include(v);
  return {0.0, r.empty || !(r.high > 0) ? 1.0 : 1.08 * r.high, false};
}

}  // namespace errata::report
