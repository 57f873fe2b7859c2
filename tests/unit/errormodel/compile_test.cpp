#include "errormodel/compile.h"

#include <gtest/gtest.h>

#include "tests/support/small_macro.h"

namespace errata::errormodel {
namespace {

Settings small_table() {
  return testing::small_settings({{"hardware.adc_range", "16"},
                                  {"errormodel.chips", "12"},
                                  {"errormodel.columns", "4"},
                                  {"errormodel.operands_per_column", "16"},
                                  {"errormodel.mac_points", "9"},
                                  {"errormodel.activity_points", "5"}});
}

ErrorTable compiled(const behavioral::BehavioralModel& model) {
  const Settings s = small_table();
  return compile_table(model, s, {.seed = s.seed()}, RunContext{});
}

TEST(CompileTable, TakesTheMemoryOfDeclaredNoise) {
  behavioral::BehavioralModel model = testing::small_model();
  ASSERT_EQ(model.noise_names(), (std::vector<std::string>{"thermal", "rtn", "comparator"}));
  const ErrorTable fresh = compiled(model);
  EXPECT_TRUE(fresh.source_memory.empty());
  model.noise[0].memory = 0.75;
  const ErrorTable slow = compiled(model);
  EXPECT_EQ(slow.source_memory, (std::vector<double>{0.0, 0.75, 0.0}));
  EXPECT_EQ(slow.dynamic_sigma, fresh.dynamic_sigma);  // σ_D itself is the same
  // Successive reads of the sampler are correlated by the source's share of σ_D².
  ReadSequence reads(slow, 3, chips::kTable, 0);
  const double y = 4.0, a = 30.0;
  std::vector<double> e;
  for (int k = 0; k < 20000; ++k) e.push_back(reads.next(y, a) - y - slow.mean_shift(y, a));
  double square = 0.0, product = 0.0;
  for (std::size_t k = 1; k < e.size(); ++k) square += e[k] * e[k], product += e[k] * e[k - 1];
  const std::size_t nodes = slow.axes.size();
  const auto at = [&](std::size_t source) {
    return surface_value(slow.axes, std::span(slow.source_variance).subspan(source * nodes, nodes), y, a);
  };
  const double share = at(1) / (at(0) + at(1) + at(2));
  // Standard error of a lag-one correlation of 20000 reads: at most 0.008; five of them. Fresh reads would show none.
  constexpr double kTolerance = 0.04;
  EXPECT_NEAR(product / square, 0.75 * share, kTolerance);
  EXPECT_GT(0.75 * share, 2 * kTolerance);
}

}  // namespace
}  // namespace errata::errormodel
