#include "behavioral/batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/statistics.h"
#include "tests/support/expect_error.h"
#include "tests/support/small_macro.h"
#include "tests/support/statistical.h"

namespace errata::behavioral {
namespace {

/// Three columns of the shipped macro on `rows` rows with common inputs.
BatchColumns columns(std::size_t rows, std::size_t operands) {
  BatchColumns c{.rows = rows, .inputs = {}, .levels = {}};
  for (std::uint64_t k = 0; k < 3; ++k) {
    const auto o = make_operands({.rows = rows, .levels = 4, .operands = operands}, 1, 2, k);
    if (k == 0) c.inputs = o.inputs;
    for (std::size_t b = 0; b < 2; ++b) c.levels.insert(c.levels.end(), o.branch(b).begin(), o.branch(b).end());
  }
  return c;
}

TEST(Batch, EqualsThePlainConversionsOneByOne) {
  const auto& model = testing::small_model();
  for (const std::size_t rows : {32u, 20u}) {  // all rows of the array, and some of them
    const BatchColumns c = columns(rows, 70);
    BatchOptions o{.seed = 4, .first_chip = 9, .first_column = 5, .chips = 2};
    const auto fast = convert_batch(model, c, o);
    const auto plain = convert_plainly(model, c, o);
    ASSERT_EQ(fast.size(), 2u * 3 * 70);
    ASSERT_EQ(plain.size(), fast.size());
    double largest = 0.0;
    for (const double v : plain) largest = std::max(largest, std::fabs(v));
    // A block of one and one of 64 are solved by the same fp32 code; what differs is the last step of each.
    for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(fast[i], plain[i], 1e-4 * largest) << i;
    // With the same normals, and σ that differs by up to 5 %.
    o.reads = 3;
    const auto noisy = convert_batch(model, c, o);
    const auto noisy_plain = convert_plainly(model, c, o);
    ASSERT_EQ(noisy.size(), 3 * fast.size());
    for (std::size_t i = 0; i < noisy.size(); ++i)
      EXPECT_NEAR(noisy[i], noisy_plain[i], 1.5e-4 * largest + 0.06 * std::fabs(noisy_plain[i] - plain[i / 3])) << i;
  }
}

TEST(Batch, IsTheSameForAnyNumberOfJobsAndAnyCutIntoBatches) {
  const auto& model = testing::small_model();
  const BatchColumns c = columns(32, 10);
  BatchOptions o{.seed = 4, .chips = 3, .reads = 2, .jobs = 1};
  const auto one = convert_batch(model, c, o);
  o.jobs = 2;
  EXPECT_EQ(one, convert_batch(model, c, o));
  o.chips = 1;
  o.first_chip = 2;
  const auto last = convert_batch(model, c, o);
  EXPECT_TRUE(std::equal(last.begin(), last.end(), one.end() - static_cast<std::ptrdiff_t>(last.size())));
}

TEST(Batch, ItsReadsSpreadAsTheModelSays) {
  const auto& model = testing::small_model();
  const BatchColumns c = columns(32, 1);
  const auto values = convert_batch(model, c, {.seed = 8, .reads = 4000});
  const std::vector<double> reads(values.begin(), values.begin() + 4000);
  const auto o = make_operands({.rows = 32, .levels = 4, .operands = 1}, 1, 2, 0);
  double variance = 0.0;
  for (std::size_t b = 0; b < 2; ++b)
    for (const double v : model.prepare(8, {0, b}, o.branch(b))->noise_variances(o.input(0))) variance += v;
  const double sigma = std::sqrt(variance) / std::fabs(model.transfer.unit), ratio = standard_deviation(reads) / sigma;
  // 5 % for the bulk formula, 1/sqrt(2·3999) for the sample.
  EXPECT_TRUE(testing::agrees(std::max(0.0, std::fabs(ratio - 1) - 0.05), 0.0, 1 / std::sqrt(2.0 * 3999), 1e-5))
      << ratio;
}

TEST(Batch, RefusesSizesThatContradictEachOther) {
  const auto& model = testing::small_model();
  for (const std::size_t rows : {0u, 33u, 7u}) {
    BatchColumns c = columns(32, 2);
    c.rows = rows;
    testing::expect_error(ExitStatus::kBug, "E700", [&] { convert_batch(model, c, {}); });
  }
}

}  // namespace
}  // namespace errata::behavioral
