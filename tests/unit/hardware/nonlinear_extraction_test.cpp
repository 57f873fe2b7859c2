// Extraction of a conversion's curve (methods.md §4.1) from synthetic neurons, against the plant and against Ceres.
#include "training/hardware/nonlinear_extraction.h"

#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/fitting/curve_fit.h"
#include "behavioral/fitting/least_squares.h"
#include "behavioral/model.h"
#include "core/random_stream.h"
#include "tests/support/expect_error.h"

namespace errata::training {
namespace {

constexpr double kFullScale = 32.0;

/// A neuron whose curve is s − 0.1 s³: 10 % of compression at full scale.
NonlinearQuantizer planted(int bits = 6) {
  return {{CurveForm::kPolynomial, {0.0, 0.0, 0.0, -0.1, 0.0}}, kFullScale, bits, true};
}

/// 200 conversions with y even over the range and normal noise, in MAC units.
ConversionSamples neurons(const NonlinearQuantizer& q, double noise, std::uint64_t which, std::size_t count = 200) {
  RandomStream stream(31, StreamPurpose::kTest, which);
  ConversionSamples s;
  for (std::size_t i = 0; i < count; ++i) {
    s.ideal.push_back(kFullScale * (2.0 * stream.uniform() - 1.0));
    s.output.push_back(kFullScale * q.curve.value(s.ideal.back() / kFullScale) + noise * stream.normal());
  }
  return s;
}

ExtractionOptions options(int bits = 6) {
  ExtractionOptions o;
  o.start = {NonlinearCurve::start(CurveForm::kPolynomial), kFullScale, bits, true};
  return o;
}

constexpr double kNoise = 0.5;  // MAC units: half an ADC step of 6 bits, 1.6 % of full scale

class Recovery : public ::testing::TestWithParam<Observed> {
 protected:
  static ConversionSamples samples(std::uint64_t which, double noise = kNoise) {
    const auto analog = neurons(planted(), noise, which);
    return GetParam() == Observed::kAnalog ? analog : coded(analog, planted());
  }
};

TEST_P(Recovery, OfTenPercentCompressionWithinItsIntervalFrom200NoisySamples) {
  const auto found = extract_nonlinearity(samples(1), options());
  EXPECT_TRUE(found.converged()) << found.brief();
  const Interval a3 = found.parameters[3];
  EXPECT_TRUE(a3.contains(-0.1)) << found.brief();
  EXPECT_LT(a3.high, -0.05) << found.brief();  // the interval tells it from none
  EXPECT_LT(a3.high - a3.low, 0.06) << found.brief();
  for (const std::size_t k : {0u, 1u, 2u}) EXPECT_LT(std::fabs(found.parameters[k].estimate), 0.02) << found.brief();
  EXPECT_EQ(found.parameters[4].low, found.parameters[4].high);  // a5 was not asked for
}

TEST_P(Recovery, ItsIntervalsCoverAsOftenAsTheySay) {
  // 60 neurons with intervals of 95 %: fewer than 49 hits of one parameter have a probability of 1e-4.
  constexpr int kNeurons = 60, kFewest = 49;
  std::array<int, 4> hits{};
  const CurveParameters truth = planted().curve.parameters;
  ExtractionOptions o = options();
  o.steps = 400;
  for (int n = 0; n < kNeurons; ++n) {
    const auto found = extract_nonlinearity(samples(100 + static_cast<std::uint64_t>(n)), o);
    EXPECT_TRUE(found.converged()) << found.brief();
    for (std::size_t k = 0; k < hits.size(); ++k) hits[k] += found.parameters[k].contains(truth[k]) ? 1 : 0;
  }
  for (std::size_t k = 0; k < hits.size(); ++k) EXPECT_GE(hits[k], kFewest) << "parameter " << k;
}

TEST_P(Recovery, OfNothingFindsNothing) {
  NonlinearQuantizer straight = planted();
  straight.curve = {};
  const auto analog = neurons(straight, kNoise, 3);
  const auto found =
      extract_nonlinearity(GetParam() == Observed::kAnalog ? analog : coded(analog, straight), options());
  EXPECT_TRUE(found.parameters[3].contains(0.0)) << found.brief();
}

INSTANTIATE_TEST_SUITE_P(All, Recovery, ::testing::Values(Observed::kAnalog, Observed::kCodes));

TEST(Extraction, AgreesWithCeresOnEveryForm) {
  for (const CurveForm form : {CurveForm::kPolynomial, CurveForm::kRational, CurveForm::kTanh}) {
    NonlinearQuantizer truth = planted();
    truth.curve = NonlinearCurve::start(form);
    truth.curve.parameters[form == CurveForm::kPolynomial ? 3 : 0] = form == CurveForm::kPolynomial ? -0.1
                                                                     : form == CurveForm::kRational ? 0.1
                                                                                                    : 1.5;
    const auto samples = neurons(truth, kNoise, 5);
    ExtractionOptions o = options();
    o.start.curve = NonlinearCurve::start(form);
    o.searched = {true, true, true, true, true};  // all five of the polynomial as well
    o.steps = 4000;
    const auto found = extract_nonlinearity(samples, o);
    EXPECT_TRUE(found.converged()) << found.brief();
    const std::size_t count = truth.curve.parameter_count();
    const auto curve = [&](std::span<const double> p) {
      NonlinearCurve c{form, {}};
      std::copy(p.begin(), p.end(), c.parameters.begin());
      return c;
    };
    behavioral::LeastSquaresProblem problem{.parameters = count};
    problem.residuals = [&](std::span<const double> p) {
      std::vector<double> r;
      for (std::size_t i = 0; i < samples.ideal.size(); ++i)
        r.push_back(kFullScale * curve(p).value(samples.ideal[i] / kFullScale) - samples.output[i]);
      return r;
    };
    problem.jacobian = [&](std::span<const double> p) {
      std::vector<double> j;
      for (const double y : samples.ideal) {
        const auto d = curve(p).at(y / kFullScale).by_parameter;
        for (std::size_t k = 0; k < count; ++k) j.push_back(kFullScale * d[k]);
      }
      return j;
    };
    const auto start = NonlinearCurve::start(form).parameters;
    const auto ceres = behavioral::fit_least_squares(
        problem, std::vector<double>(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(count)));
    ASSERT_TRUE(ceres.converged) << ceres.message;
    for (std::size_t k = 0; k < count; ++k) {
      const Interval& theirs = ceres.parameters[k].interval;
      const double half = 0.5 * (theirs.high - theirs.low);
      // A hundredth of the confidence radius is what `converged` promises; the intervals differ no more.
      EXPECT_NEAR(found.parameters[k].estimate, theirs.estimate, 0.02 * half) << found.brief();
      EXPECT_NEAR(found.parameters[k].high - found.parameters[k].low, 2 * half, 0.04 * half) << found.brief();
    }
    EXPECT_NEAR(found.rms / ceres.rms, 1, 1e-4);
  }
}

TEST(Extraction, WorksWithEveryOptimiserOfTheTrainer) {
  const auto samples = neurons(planted(), kNoise, 1);
  const auto reference = extract_nonlinearity(samples, options());
  for (const auto name : optimizer_names()) {
    ExtractionOptions o = options();
    o.optimizer.name = std::string(name);
    o.schedule.learning_rate = name == "sgd" ? 0.1 : 0.02;
    const auto found = extract_nonlinearity(samples, o);
    EXPECT_TRUE(found.converged()) << name << found.brief();
    EXPECT_NEAR(found.parameters[3].estimate, reference.parameters[3].estimate, 1e-3) << name;
  }
}

TEST(Extraction, SaysWhenItHasNotArrived) {
  ExtractionOptions o = options();
  o.steps = 3;
  const auto found = extract_nonlinearity(neurons(planted(), kNoise, 1), o);
  EXPECT_FALSE(found.converged());
  EXPECT_NE(found.brief().find("did NOT converge"), std::string::npos);
}

TEST(Extraction, RefusesWhatDeterminesNothing) {
  const auto refuse = [](ConversionSamples s) {
    testing::expect_error(ExitStatus::kComputation, "E504", [&] { extract_nonlinearity(s, options()); });
  };
  refuse(neurons(planted(), kNoise, 1, 4));
  auto same = neurons(planted(), kNoise, 1);
  std::ranges::fill(same.ideal, 3.0);
  refuse(same);
  auto hole = neurons(planted(), kNoise, 1);
  hole.output[7] = std::nan("");
  refuse(hole);
}

TEST(Extraction, TakesNgspicesColumnsFromTheModel) {
  behavioral::BehavioralModel model;
  model.validation.mac = {1, -2};
  model.validation.circuit_error = {0.25, 0.5};
  const auto s = analog_samples(model);
  EXPECT_EQ(s.ideal, (std::vector<double>{1, -2}));
  EXPECT_EQ(s.output, (std::vector<double>{1.25, -1.5}));
  EXPECT_EQ(coded(s, planted()).output, (std::vector<double>{1, -2}));  // a step is 1 MAC unit; ties go away from zero
}

TEST(Extraction, FindsWhatTheFitStageStores) {
  // `errata fit` gives the same form by Ceres; both stand in the fit report side by side.
  const auto samples = neurons(planted(), kNoise, 6);
  const auto fits = behavioral::fit_curves(samples.ideal, samples.output, kFullScale);
  for (const auto& by_ceres : fits) {
    ExtractionOptions o = options();
    o.start.curve = NonlinearCurve::start(by_ceres.curve.form);
    o.steps = 4000;
    const auto found = extract_nonlinearity(samples, o);
    EXPECT_TRUE(found.converged()) << found.brief();
    EXPECT_NEAR(found.rms / by_ceres.rms, 1, 1e-4) << found.brief();
    ASSERT_EQ(found.parameters.size(), by_ceres.parameters.size());
    for (std::size_t k = 0; k < found.parameters.size(); ++k) {
      const Interval& theirs = by_ceres.parameters[k];
      const double width = theirs.high - theirs.low;  // `converged` promises a hundredth of the confidence radius
      EXPECT_NEAR(found.parameters[k].estimate, theirs.estimate, 0.01 * width) << found.brief();
      EXPECT_NEAR(found.parameters[k].high - found.parameters[k].low, width, 0.02 * width) << found.brief();
    }
  }
}

}  // namespace
}  // namespace errata::training
