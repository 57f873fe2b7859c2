// Curves of a conversion (methods.md §4.1) by Ceres, from synthetic columns.
#include "behavioral/fitting/curve_fit.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "core/random_stream.h"

namespace errata::behavioral {
namespace {

constexpr double kFullScale = 32.0, kNoise = 0.5;  // MAC units

struct Conversions {
  std::vector<double> ideal, output;
};

Conversions conversions(const NonlinearCurve& curve, std::uint64_t which, std::size_t count = 200) {
  RandomStream stream(41, StreamPurpose::kTest, which);
  Conversions c;
  for (std::size_t i = 0; i < count; ++i) {
    c.ideal.push_back(kFullScale * (2.0 * stream.uniform() - 1.0));
    c.output.push_back(kFullScale * curve.value(c.ideal.back() / kFullScale) + kNoise * stream.normal());
  }
  return c;
}

const NonlinearCurve kCubic{CurveForm::kPolynomial, {0.0, 0.0, 0.0, -0.1, 0.0}};  // 10 % of compression

TEST(FitCurves, CoverAPlantedCompressionAsOftenAsTheySay) {
  // 100 columns: misses of a parameter are binomial(100, 5 %); more than 15 have a probability of 5e-5.
  std::array<int, 4> misses{};
  for (std::uint64_t n = 0; n < 100; ++n) {
    const auto c = conversions(kCubic, n);
    const auto fits = fit_curves(c.ideal, c.output, kFullScale);
    ASSERT_EQ(fits.size(), 3u);
    const CurveFit& f = fits[0];
    EXPECT_EQ(f.curve.form, CurveForm::kPolynomial);
    EXPECT_TRUE(f.converged);
    for (std::size_t k = 0; k < misses.size(); ++k) misses[k] += f.parameters[k].contains(kCubic.parameters[k]) ? 0 : 1;
    EXPECT_EQ(f.parameters[4].low, f.parameters[4].high);  // a5 is not searched
    EXPECT_LT(f.parameters[3].high, -0.03);                // the interval tells it from none
  }
  for (const int m : misses) EXPECT_LE(m, 15);
}

TEST(FitCurves, FindTheOtherForms) {
  const auto rational = conversions({CurveForm::kRational, {0.15}}, 7, 2000);
  const auto of_rational = fit_curves(rational.ideal, rational.output, kFullScale);
  // 2000 samples: a standard error near 1e-3; five of them.
  EXPECT_NEAR(of_rational[1].curve.parameters[0], 0.15, 5e-3);
  EXPECT_NEAR(of_rational[1].rms, kNoise, 5 * kNoise / std::sqrt(2 * 2000.0));
  const auto tanh = conversions({CurveForm::kTanh, {1.5}}, 8, 2000);
  EXPECT_NEAR(fit_curves(tanh.ideal, tanh.output, kFullScale)[2].curve.parameters[0], 1.5, 0.03);
}

TEST(FitCurves, StayInsideAFormsDomain) {
  const NonlinearCurve expanding{CurveForm::kPolynomial, {0.0, 0.0, 0.0, 0.3, 0.0}};  // no rational form expands
  const auto c = conversions(expanding, 9);
  const auto fits = fit_curves(c.ideal, c.output, kFullScale);
  EXPECT_EQ(fits[1].curve.parameters[0], 0.0);
  EXPECT_GT(fits[1].rms, 2 * fits[0].rms);
  EXPECT_EQ(fits[2].curve.parameters[0], 100.0);  // as straight as a tanh is let be
  EXPECT_EQ(fits[2].parameters[0].low, fits[2].parameters[0].high);
  EXPECT_TRUE(fits[1].converged && fits[2].converged);
}

TEST(FitCurves, LeaveOutWhatIsNoNumberOrBeyondFullScale) {
  auto c = conversions(kCubic, 10);
  const auto plain = fit_curves(c.ideal, c.output, kFullScale);
  c.ideal.push_back(3.0), c.output.push_back(std::nan(""));
  c.ideal.push_back(2 * kFullScale), c.output.push_back(0.0);
  const auto more = fit_curves(c.ideal, c.output, kFullScale);
  EXPECT_EQ(more[0].curve.parameters, plain[0].curve.parameters);
  EXPECT_TRUE(fit_curves({}, {}, kFullScale).empty());
}

}  // namespace
}  // namespace errata::behavioral
