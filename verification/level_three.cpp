#include "verification/level_three.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "verification/advice.h"
#include "verification/chip_spread.h"

namespace errata::verification {

namespace {

constexpr double kLeastRatio = 0.7, kLargestRatio = 1.4;  // methods.md §6.3
constexpr std::size_t kChipsForSpread = 100;

/// Difference of two means over independent chips, Welch interval.
Interval difference_of_means(const std::vector<double>& a, const std::vector<double>& b, double confidence) {
  const double d = mean(a) - mean(b);
  const double va = variance(a) / static_cast<double>(a.size()), vb = variance(b) / static_cast<double>(b.size());
  if (va + vb <= 0.0) return {d, d, d};
  const double freedom = (va + vb) * (va + vb) /
                         (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  const double half = student_t_quantile(0.5 + confidence / 2, freedom) * std::sqrt(va + vb);
  return {d, d - half, d + half};
}

void append(std::vector<double>& to, const std::vector<double>& more) { to.insert(to.end(), more.begin(), more.end()); }

class Comparison {
 public:
  Comparison(const AccuracyArms& arms, const LevelThreeOptions& options)
      : arms_(arms), o_(options), spreads_(options.chips >= kChipsForSpread) {}

  LevelThreeResult run() {
    take(o_.chips);
    evaluate();
    const std::size_t wanted = chips_wanted();
    if (wanted > r_.model.size()) {
      take(wanted - r_.model.size());
      evaluate();
    }
    judge_all();
    return std::move(r_);
  }

 private:
  /// More chips on both sides, numbered on: the model's, then as many for the table.
  void take(std::size_t chips) {
    const std::uint64_t model_first = o_.first_chip + taken_, table_first = model_first + chips;
    taken_ += 2 * chips;
    append(r_.model, arms_.model(model_first, chips, 0));
    append(r_.table, arms_.table(table_first, chips, 0));
    if (!spreads_) return;
    append(r_.model_again, arms_.model(model_first, chips, 1));
    append(r_.table_again, arms_.table(table_first, chips, 1));
  }

  void evaluate() {
    mean_ = difference_of_means(r_.table, r_.model, 0.95);
    if (spreads_)
      ratio_ = chip_spread_ratio({r_.table, r_.table_again}, {r_.model, r_.model_again}, 0.9, 2000, o_.seed);
  }

  /// Chips at which a perfect table passes in 95 % of cases: the half width of an interval may be half of the
  /// tolerance. Of the logarithm of the ratio a half width of h (90 %) is a standard error of h/1.645, and the ratio is
  /// within ln 1.4 − h of 1 with 95 % where h ≤ 0.153.
  std::size_t chips_wanted() const {
    const auto now = static_cast<double>(r_.model.size());
    double times = std::pow((mean_.high - mean_.low) / o_.tolerance, 2);
    constexpr double kWidest = 0.15;
    if (spreads_ && ratio_.low > 0.0)
      times = std::max(times, std::pow(std::log(ratio_.high / ratio_.low) / 2 / kWidest, 2));
    if (spreads_ && ratio_.low <= 0.0) times = std::numeric_limits<double>::infinity();  // read noise hides the chips
    const double wanted = std::ceil(times * now), most = static_cast<double>(most_chips());
    if (times <= 1.0 || most <= now) return r_.model.size();
    // Half of what is needed may still decide; much less would be spent for nothing.
    return wanted > kOutOfReach * most ? r_.model.size() : static_cast<std::size_t>(std::min(wanted, most));
  }

  /// A demonstration with few chips stays one.
  std::size_t most_chips() const {
    constexpr std::size_t kMostTimes = 4;
    return std::min(o_.most_chips, kMostTimes * o_.chips);
  }

  void judge_all() {
    const std::string key = most_chips() > r_.model.size() ? "verification.chips" : "verification.most_chips";
    const Remedy of_mean{"chips", key, r_.model.size(),
                         "the table misses something that matters to accuracy: see which check of level 2 or 4 is not "
                         "green; more errormodel.chips, or operands like the network's"};
    r_.checks.push_back(judged({.level = 3,
                                .name = fmt::format("accuracy of {}, table - model", arms_.arm),
                                .value = mean_,
                                .low = -o_.tolerance,
                                .high = o_.tolerance,
                                .unit = "points",
                                .data = "/evidence/level3_table, /evidence/level3_model"},
                               of_mean));
    if (!spreads_) return;
    const Remedy of_spread{"chips", key, r_.model.size(),
                           "the table's chips differ more or less than real ones, so it cannot speak of yield: chip, "
                           "column and cell terms; more errormodel.chips and columns"};
    r_.checks.push_back(judged({.level = 3,
                                .name = fmt::format("spread over chips of {}, table / model", arms_.arm),
                                .value = ratio_,
                                .low = kLeastRatio,
                                .high = kLargestRatio,
                                .unit = "1",
                                .data = "/evidence/level3_table, /evidence/level3_model"},
                               of_spread));
  }

  static constexpr double kOutOfReach = 2.0;
  const AccuracyArms& arms_;
  const LevelThreeOptions& o_;
  bool spreads_;
  std::uint64_t taken_ = 0;
  Interval mean_, ratio_;
  LevelThreeResult r_;
};

}  // namespace

LevelThreeResult compare_accuracy(const AccuracyArms& arms, const LevelThreeOptions& options) {
  return Comparison(arms, options).run();
}

Check portability_check(const std::string& arm, const std::vector<double>& stratified,
                        const std::vector<double>& workload, double tolerance) {
  std::vector<double> difference;
  for (std::size_t k = 0; k < stratified.size(); ++k) difference.push_back(stratified[k] - workload[k]);
  return judged({.level = 3,
                 .name = fmt::format("portability of {}, table - table on the network's operands", arm),
                 .value = mean_interval(difference, 0.95),
                 .low = -tolerance,
                 .high = tolerance,
                 .unit = "points",
                 .data = "/evidence/portability"},
                {"chips", "verification.chips", difference.size(),
                 "the table does not carry over to the network's operands: more errormodel.operands_per_column, or "
                 "errormodel.operands from `errata evaluate --capture-operands`"});
}

}  // namespace errata::verification
