#include "core/operand_steering.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace errata {

namespace {

class Steering {
 public:
  Steering(std::span<const int> weight, double target, std::span<std::uint8_t> x)
      : weight_(weight), x_(x), target_(target) {
    for (std::size_t j = 0; j < weight.size(); ++j) y_ += x[j] * weight[j];
    find_nearer();
  }

  void run(RandomStream& stream) {
    for (std::size_t left = 6 * weight_.size(); left > 0 && !near();) {
      const auto words = stream.ready();
      if (words.size() < 2) {
        const std::uint64_t pair[] = {stream.bits(), stream.bits()};
        left -= try_pairs(pair);
        continue;
      }
      const std::size_t tried = try_pairs(words.first(2 * std::min(left, words.size() / 2)));
      stream.take(2 * tried);
      left -= tried;
    }
  }

 private:
  double distance(std::int64_t y) const { return std::fabs(static_cast<double>(y) - target_); }
  bool near() const { return distance(y_) < 1.0; }

  /// The whole numbers that are nearer to the target than y: from lowest_ to lowest_ + span_.
  void find_nearer() {
    if (near()) return;
    const double now = distance(y_);
    lowest_ = static_cast<std::int64_t>(std::floor(target_ - now)) - 1;
    auto highest = static_cast<std::int64_t>(std::ceil(target_ + now)) + 1;
    while (!(distance(lowest_) < now)) ++lowest_;
    while (!(distance(highest) < now)) --highest;
    span_ = static_cast<std::uint64_t>(highest - lowest_);
  }

  /// How many it took until y was near enough. Few pairs help, and which is hard to foresee: so all that they must do
  /// is one comparison. A row that is not active moves nothing, hence brings y no nearer; one that is active already
  /// lifts the number beyond any span.
  std::size_t try_pairs(std::span<const std::uint64_t> words) {
    constexpr unsigned kBeyondSpans = 48;
    const std::size_t rows = weight_.size(), pairs = words.size() / 2;
    for (std::size_t k = 0; k < pairs; ++k) {
      const std::size_t from = RandomStream::below(words[2 * k], rows),
                        to = RandomStream::below(words[2 * k + 1], rows);
      const std::int64_t moved = y_ + x_[from] * std::int64_t{weight_[to] - weight_[from]};
      if ((static_cast<std::uint64_t>(moved - lowest_) | std::uint64_t{x_[to]} << kBeyondSpans) > span_) continue;
      std::swap(x_[from], x_[to]);
      y_ = moved;
      if (near()) return k + 1;
      find_nearer();
    }
    return pairs;
  }

  std::span<const int> weight_;
  std::span<std::uint8_t> x_;
  double target_;
  std::int64_t y_ = 0, lowest_ = 0;
  std::uint64_t span_ = 0;
};

}  // namespace

void steer(std::span<const int> weight, double target, RandomStream& stream, std::span<std::uint8_t> x) {
  Steering(weight, target, x).run(stream);
}

}  // namespace errata
