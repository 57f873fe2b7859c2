#include "core/operand_steering.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace errata {
namespace {

/// The same, pair by pair as the header says it.
void steer_plainly(std::span<const int> weight, double target, RandomStream& stream, std::span<std::uint8_t> x) {
  const std::size_t rows = weight.size();
  int y = 0;
  for (std::size_t j = 0; j < rows; ++j) y += x[j] * weight[j];
  for (std::size_t attempt = 0; attempt < 6 * rows && std::fabs(y - target) >= 1.0; ++attempt) {
    const std::size_t from = stream.below(rows), to = stream.below(rows);
    if (x[from] == 0 || x[to] != 0) continue;
    const int moved = y + x[from] * (weight[to] - weight[from]);
    if (std::fabs(moved - target) >= std::fabs(y - target)) continue;
    std::swap(x[from], x[to]);
    y = moved;
  }
}

TEST(Steer, TakesTheWordsAndMakesTheMovesOfThePlainLoop) {
  RandomStream draw(1, StreamPurpose::kTest);
  int near = 0, far = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    const std::size_t rows = 1 + draw.below(trial % 3 == 0 ? 6 : 70), top = trial % 2 == 0 ? 1 : 255;
    std::vector<int> weight(rows);
    std::vector<std::uint8_t> x(rows);
    int reach = 0;
    for (std::size_t j = 0; j < rows; ++j) {
      weight[j] = static_cast<int>(draw.below(7)) - 3;
      x[j] = draw.uniform() < 0.5 ? static_cast<std::uint8_t>(1 + draw.below(top)) : 0;
      reach += x[j] * std::abs(weight[j]);
    }
    double target = (2 * draw.uniform() - 1) * reach;
    if (trial % 5 == 0) target = std::round(target);  // ties between both sides
    auto plain = x;
    RandomStream fast(2, StreamPurpose::kTest, static_cast<std::uint64_t>(trial)), slow = fast;
    for (int skip = 0; skip < trial % 4; ++skip) fast.bits(), slow.bits();  // pairs across the stream's blocks as well
    steer(weight, target, fast, x);
    steer_plainly(weight, target, slow, plain);
    ASSERT_EQ(x, plain) << trial;
    ASSERT_EQ(fast.bits(), slow.bits()) << trial;
    int y = 0;
    for (std::size_t j = 0; j < rows; ++j) y += x[j] * weight[j];
    ++(std::fabs(y - target) < 1.0 ? near : far);
  }
  EXPECT_GT(near, 300);  // both ends of the loop were seen
  EXPECT_GT(far, 300);
}

}  // namespace
}  // namespace errata
