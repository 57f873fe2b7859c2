#include "training/optimization/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "training/optimization/schedule.h"

namespace errata::training {
namespace {

Parameter weights(std::vector<float> value, std::vector<float> gradient) {
  Parameter parameter;
  parameter.name = "w";
  parameter.shape = {value.size()};
  parameter.value = std::move(value);
  parameter.gradient = std::move(gradient);
  parameter.decays = true;
  return parameter;
}

// Tolerances below: a few roundings of fp32 at values near 1.
constexpr double kRounding = 5e-7;

TEST(Optimizer, SgdStepsAsByHand) {
  Parameter w = weights({1.0f, -2.0f}, {0.5f, 1.0f});
  std::vector<Parameter*> all{&w};
  Optimizer optimizer({.name = "sgd", .momentum = 0.9, .weight_decay = 0.1}, all);
  optimizer.step(0.1);  // v = g + 0.1 w = {0.6, 0.8}
  EXPECT_NEAR(w.value[0], 1.0 - 0.06, kRounding);
  EXPECT_NEAR(w.value[1], -2.0 - 0.08, kRounding);
  optimizer.step(0.1);  // v = 0.9 v + g + 0.1 w = {0.54 + 0.594, 0.72 + 0.792}
  EXPECT_NEAR(w.value[0], 0.94 - 0.1134, kRounding);
  EXPECT_NEAR(w.value[1], -2.08 - 0.1512, kRounding);
}

TEST(Optimizer, AdamStepsAsByHand) {
  Parameter w = weights({1.0f}, {0.5f});
  std::vector<Parameter*> all{&w};
  Optimizer optimizer({.name = "adam"}, all);
  optimizer.step(0.01);  // m̂ = g, v̂ = g²: a step of the rate
  EXPECT_NEAR(w.value[0], 0.99, kRounding);
  w.gradient[0] = -0.25f;
  optimizer.step(0.01);
  const double m = (0.9 * 0.05 + 0.1 * -0.25) / (1 - 0.81);
  const double v = (0.999 * 0.00025 + 0.001 * 0.0625) / (1 - 0.999 * 0.999);
  EXPECT_NEAR(w.value[0], 0.99 - 0.01 * m / (std::sqrt(v) + 1e-8), kRounding);
}

TEST(Optimizer, WeightDecayOfAdamAndAdamW) {
  Parameter w = weights({2.0f}, {0.0f});
  std::vector<Parameter*> all{&w};
  Optimizer adamw({.name = "adamw", .weight_decay = 0.1}, all);
  adamw.step(0.01);
  EXPECT_NEAR(w.value[0], 2.0 * (1.0 - 0.001), kRounding);
  w = weights({2.0f}, {0.0f});
  Optimizer adam({.name = "adam", .weight_decay = 0.1}, all);
  adam.step(0.01);  // the gradient is 0.2, so the step is the rate
  EXPECT_NEAR(w.value[0], 1.99, kRounding);
}

TEST(Optimizer, DecaySparesWhatIsMarkedAndBoundsHold) {
  Parameter bias = weights({2.0f}, {0.0f});
  bias.decays = false;
  Parameter step = weights({0.01f}, {1000.0f});
  step.bounded = true;
  step.minimum = 1e-5f;
  std::vector<Parameter*> all{&bias, &step};
  for (const char* name : {"sgd", "adam", "adamw"}) {
    Optimizer optimizer({.name = name, .weight_decay = 0.5}, all);
    optimizer.step(0.1);
    EXPECT_EQ(bias.value[0], 2.0f) << name;
    EXPECT_EQ(step.value[0], 1e-5f) << name;
  }
}

TEST(Optimizer, ClippingKeepsTheDirection) {
  Parameter a = weights({0.0f}, {3.0f}), b = weights({0.0f}, {4.0f});
  std::vector<Parameter*> all{&a, &b};
  EXPECT_DOUBLE_EQ(clip_gradients(all, 10.0), 5.0);
  EXPECT_EQ(a.gradient[0], 3.0f);
  EXPECT_DOUBLE_EQ(clip_gradients(all, 1.0), 5.0);
  EXPECT_NEAR(a.gradient[0], 0.6, kRounding);
  EXPECT_NEAR(b.gradient[0], 0.8, kRounding);
}

TEST(Optimizer, NamesEveryWrongOption) {
  try {
    Optimizer optimizer({.name = "adamm", .momentum = 1.0, .beta2 = std::nan(""), .weight_decay = -1.0}, {});
    FAIL();
  } catch (const Error& failure) {
    const std::string text = failure.what();
    for (const char* part : {"adamm", "momentum = 1", "beta2 = nan", "weight_decay = -1"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(Schedule, CosineWithWarmUp) {
  const ScheduleOptions options{.name = "cosine", .learning_rate = 1.0, .final_fraction = 0.1, .warmup_steps = 3};
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 0, 5, 13), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 2, 5, 13), 0.75);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 3, 5, 13), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 8, 5, 13), 0.55);
  EXPECT_NEAR(learning_rate_at(options, 13, 5, 13), 0.1, 1e-15);
  EXPECT_NEAR(learning_rate_at(options, 99, 5, 13), 0.1, 1e-15);
}

TEST(Schedule, StepAndConstant) {
  const ScheduleOptions step{.name = "step", .learning_rate = 1.0, .step_factor = 0.5, .step_epochs = 2};
  EXPECT_DOUBLE_EQ(learning_rate_at(step, 19, 10, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(step, 20, 10, 100), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(step, 40, 10, 100), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_at({.name = "constant", .learning_rate = 0.3}, 77, 10, 100), 0.3);
  EXPECT_THROW(check_schedule({.name = "cosin"}), Error);
  EXPECT_THROW(check_schedule({.learning_rate = 0.0}), Error);
  EXPECT_THROW(check_schedule({.step_epochs = 0}), Error);
}

}  // namespace
}  // namespace errata::training
