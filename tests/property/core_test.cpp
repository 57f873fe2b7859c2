#include <algorithm>
#include <cmath>

#include "core/diagnostic.h"
#include "core/operand_design.h"
#include "core/quantity.h"
#include "core/random_stream.h"
#include "core/readout.h"
#include "core/statistics.h"
#include "tests/property/property.h"

namespace errata {
namespace {

using testing::check_property;
using testing::real;

TEST(Property, FormattedQuantitiesReadBack) {
  check_property("parse(format(x)) is x to 1e-12", [] {
    const double value = std::pow(10, *real(-17, 14)) * (*rc::gen::arbitrary<bool>() ? 1 : -1);
    const auto dimension =
        *rc::gen::element(dimension::kVoltage, dimension::kResistance, dimension::kCurrent, dimension::kTime,
                          dimension::kLength, dimension::kCapacitance, dimension::kConductance, dimension::kNone);
    const auto back = parse_quantity(format_quantity(value, dimension));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->dimension == dimension);
    RC_ASSERT(std::fabs(back->value / value - 1) < 1e-12);  // what the header promises
  });
}

TEST(Property, AnyTextIsAQuantityOrNone) {
  check_property("parse_quantity survives any text and is finite", [](const std::string& text) {
    const auto q = parse_quantity(text);
    RC_ASSERT(!q || std::isfinite(q->value));
  });
}

TEST(Property, NearestNameOfAKnownNameIsItself) {
  check_property("nearest_name(known) = known", [](const std::vector<std::string>& known) {
    for (const auto& name : known) RC_ASSERT(nearest_name(name, known) == name);
  });
}

TEST(Property, StreamsArePure) {
  check_property("a stream depends on its name only",
                 [](std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
                   RandomStream one(seed, StreamPurpose::kTest, a, b, c), two(seed, StreamPurpose::kTest, a, b, c);
                   for (int i = 0; i < 9; ++i) {
                     const double u = one.uniform();
                     RC_ASSERT(u > 0.0 && u < 1.0);
                     RC_ASSERT(u == two.uniform());
                   }
                 });
}

TEST(Property, WassersteinIsAMetric) {
  check_property("symmetry, triangle, shift, scale", [] {
    const auto sample = [] { return *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(real(-10, 10))); };
    const auto a = sample(), b = sample(), c = sample();
    const double ab = wasserstein1(a, b);
    RC_ASSERT(ab >= 0);
    RC_ASSERT(std::fabs(ab - wasserstein1(b, a)) < 1e-12);
    RC_ASSERT(ab <= wasserstein1(a, c) + wasserstein1(c, b) + 1e-12);
    RC_ASSERT(wasserstein1(a, a) == 0);
    RC_ASSERT(ab >= std::fabs(mean(a) - mean(b)) - 1e-12);
    std::vector<double> moved = a;
    for (double& v : moved) v += 3.5;
    RC_ASSERT(std::fabs(wasserstein1(a, moved) - 3.5) < 1e-12);
  });
}

TEST(Property, QuantilesAreOrdered) {
  check_property("quantile is monotone and inside the sample", [] {
    const auto v = *rc::gen::nonEmpty(rc::gen::container<std::vector<double>>(real(-10, 10)));
    const double p = *real(0, 1), q = *real(0, 1);
    RC_ASSERT(quantile(v, std::min(p, q)) <= quantile(v, std::max(p, q)));
    RC_ASSERT(quantile(v, 0) == *std::min_element(v.begin(), v.end()));
    RC_ASSERT(quantile(v, 1) == *std::max_element(v.begin(), v.end()));
  });
}

TEST(Property, OperandsStayInsideTheirLimits) {
  check_property("levels, inputs and MACs", [] {
    const OperandDesign design{.rows = *rc::gen::inRange<std::size_t>(1, 70),
                               .levels = *rc::gen::inRange<std::size_t>(2, 9),
                               .operands = *rc::gen::inRange<std::size_t>(1, 20)};
    const auto o = make_operands(design, *rc::gen::inRange<std::uint64_t>(0, 1000), 3, 4);
    for (std::size_t p = 0; p < o.count(); ++p) {
      int y = 0, total = 0;
      for (std::size_t j = 0; j < o.rows; ++j) {
        RC_ASSERT(o.plus[j] < design.levels && o.minus[j] < design.levels && o.input(p)[j] <= 1);
        y += o.input(p)[j] * (o.plus[j] - o.minus[j]);
        total += o.input(p)[j] * (o.plus[j] + o.minus[j]);
      }
      RC_ASSERT(o.mac(p) == y);
      RC_ASSERT(o.second_axis(p, 0) == total);
      RC_ASSERT(std::abs(y) <= total);
    }
  });
}

TEST(Property, AdcCodesAreTheNearest) {
  check_property("code·step is within half a step, or clipped", [] {
    const AdcOptions adc{.bits = *rc::gen::inRange(1, 12), .range = *real(0.1, 100)};
    const double value = *real(-150, 150);
    const int code = adc_code(adc, value);
    RC_ASSERT(code >= adc.lowest_code() && code <= adc.highest_code());
    const bool clipped = code == adc.lowest_code() || code == adc.highest_code();
    RC_ASSERT(clipped || std::fabs(code * adc.step() - value) <= adc.step() * (0.5 + 1e-12));
    RC_ASSERT(adc_code(adc, value + adc.step()) >= code);
  });
}

}  // namespace
}  // namespace errata
