#include "verification/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace errata::verification {

namespace {

/// Rounded up to two digits: the estimate will move, too.
double rounded_up(double count) {
  const double digit = std::pow(10.0, std::floor(std::log10(count)) - 1.0);
  return std::ceil(count / digit) * digit;
}

/// What an inconclusive check needs.
std::string needed(const Check& c, const Remedy& remedy) {
  constexpr double kHopeless = 100.0;
  if (remedy.count == 0) return "inconclusive: " + remedy.broken;
  const double times = remedy.times.value_or(times_to_decide(c.value, c.low, c.high));
  const double middle = (c.low + c.high) / 2, now = static_cast<double>(remedy.count);
  // An interval that holds the middle of the tolerance says nothing yet of where the value lies.
  if (times > kHopeless && c.value.low <= middle && middle <= c.value.high) {
    const double least = times_to_decide(
        {middle, middle - (c.value.estimate - c.value.low), middle + (c.value.high - c.value.estimate)}, c.low, c.high);
    if (least > 1 && least <= kHopeless)
      return fmt::format(
          "inconclusive: the interval is wider than the tolerance; at least {:.0f} {} are needed, {} now: {}",
          rounded_up(least * now), remedy.unit, remedy.count, remedy.key);
  }
  if (times > kHopeless)
    return fmt::format(
        "inconclusive: the value lies at the edge of the tolerance, so more {} hardly decide ({} = {}); {}",
        remedy.unit, remedy.key, remedy.count, remedy.broken);
  return fmt::format("inconclusive: about {:.0f} {} would decide, {} now: {}", rounded_up(times * now), remedy.unit,
                     remedy.count, remedy.key);
}

}  // namespace

double times_to_decide(const Interval& i, double low, double high) {
  if (judge(i, low, high) != Color::kInconclusive) return 1.0;
  const double below = i.estimate - i.low, above = i.high - i.estimate;
  const auto square = [](double half, double room) {
    return half <= 0.0 ? 0.0 : room > 0.0 ? (half / room) * (half / room) : std::numeric_limits<double>::infinity();
  };
  if (i.estimate > high) return square(below, i.estimate - high);
  if (i.estimate < low) return square(above, low - i.estimate);
  return std::max(square(above, high - i.estimate), square(below, i.estimate - low));
}

Check judged(Check c, const Remedy& remedy) {
  c.color = judge(c.value, c.low, c.high);
  c.advice.clear();
  if (c.color == Color::kRed) c.advice = fmt::format("level {} breaks here: {}", c.level, remedy.broken);
  if (c.color == Color::kInconclusive) c.advice = needed(c, remedy);
  return c;
}

}  // namespace errata::verification
