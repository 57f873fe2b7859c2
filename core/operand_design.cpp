#include "core/operand_design.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/operand_steering.h"
#include "core/random_stream.h"
#include "core/sobol.h"

namespace errata {

double ColumnOperands::mac(std::size_t operand) const {
  const std::uint8_t* x = input(operand);
  int sum = 0;
  for (std::size_t j = 0; j < rows; ++j) sum += x[j] * (int{plus[j]} - (differential() ? int{minus[j]} : 0));
  return sum;
}

double ColumnOperands::second_axis(std::size_t operand, double minimum_conductance) const {
  const std::uint8_t* x = input(operand);
  int levels = 0, activity = 0;
  for (std::size_t j = 0; j < rows; ++j) {
    if (differential()) levels += x[j] * (int{plus[j]} + int{minus[j]});
    activity += x[j];
  }
  return differential() ? levels + 2.0 * minimum_conductance * activity : activity;
}

namespace {

/// Stored pattern with its own density of non-zero weights and, for a pair, its own bias of signs.
void draw_pattern(const OperandDesign& design, RandomStream& stream, ColumnOperands& out) {
  const double density = 0.15 + 0.85 * stream.uniform();
  const double positive = 0.15 + 0.7 * stream.uniform();
  const double skew = 0.5 + 1.5 * stream.uniform();  // mean stored level: small or large magnitudes prevail
  out.plus.assign(design.rows, 0);
  out.minus.assign(design.differential ? design.rows : 0, 0);
  for (std::size_t j = 0; j < design.rows; ++j) {
    const bool stored = stream.uniform() < density;
    const bool sign = stream.uniform() < positive;
    const double top = static_cast<double>(design.levels - 1), share = stream.uniform();
    if (!stored) continue;
    (sign || !design.differential ? out.plus : out.minus)[j] =
        static_cast<std::uint8_t>(1 + std::min(top - 1, std::floor(top * std::pow(share, skew))));
  }
}

/// Switches active rows off until the MAC is no farther from zero than its target.
void thin(const std::vector<int>& weight, double target, RandomStream& stream, std::uint8_t* x) {
  int y = 0;
  std::vector<std::size_t> leaning;  // active rows that carry y away from zero
  for (std::size_t j = 0; j < weight.size(); ++j) y += x[j] * weight[j];
  const int sign = y > 0 ? 1 : -1;
  for (std::size_t j = 0; j < weight.size(); ++j)
    if (x[j] * sign * weight[j] > 0) leaning.push_back(j);
  for (; sign * y > std::fabs(target) && !leaning.empty(); leaning.pop_back()) {
    std::swap(leaning[stream.below(leaning.size())], leaning.back());
    y -= x[leaning.back()] * weight[leaning.back()];
    x[leaning.back()] = 0;
  }
}

constexpr std::string_view kCornerNames[] = {"none on",   "all on",   "first on",  "last on",
                                             "even rows", "odd rows", "near half", "far half"};

/// Whether a row is active in a corner pattern.
bool corner(std::size_t pattern, std::size_t row, std::size_t rows) {
  switch (pattern) {
    case 0:
      return false;
    case 1:
      return true;
    case 2:
      return row == 0;
    case 3:
      return row + 1 == rows;
    case 4:
      return row % 2 == 0;
    case 5:
      return row % 2 == 1;
    case 6:
      return row < rows / 2;
    default:
      return row >= rows / 2;
  }
}

/// Where an operand shall stand on the axes of the design: shares of activity and of y, each drawn from an interval.
struct Target {
  double activity, mac;  ///< lower ends
  double width;          ///< of both intervals
};

std::vector<Target> latin_targets(std::size_t count, RandomStream& stream) {
  std::vector<std::uint32_t> activity(count), mac(count);
  std::iota(activity.begin(), activity.end(), 0u);
  std::iota(mac.begin(), mac.end(), 0u);
  stream.shuffle(activity);
  stream.shuffle(mac);
  const auto n = static_cast<double>(count);
  std::vector<Target> targets;
  for (std::size_t p = 0; p < count; ++p) targets.push_back({activity[p] / n, mac[p] / n, 1 / n});
  return targets;
}

std::vector<Target> sobol_targets(std::size_t count, std::uint64_t seed, std::uint64_t stream) {
  const SobolSequence sequence(2, seed, stream);
  std::vector<Target> targets;
  for (std::size_t p = 0; p < count; ++p) {
    const auto share = sequence.point(static_cast<std::uint32_t>(p));
    targets.push_back({share[0], share[1], 0.0});
  }
  return targets;
}

class Designer {
 public:
  Designer(const OperandDesign& design, ColumnOperands& out)
      : design_(design), out_(out), weight_(design.rows), order_(design.rows) {
    out.inputs.reserve(design.operands * design.rows);
    for (std::size_t j = 0; j < design.rows; ++j) {
      weight_[j] = int{out.plus[j]} - (design.differential ? int{out.minus[j]} : 0);
      (weight_[j] > 0 ? highest_ : lowest_) += weight_[j];
    }
    const auto top = static_cast<double>(design.input_levels - 1);
    highest_ *= top;
    lowest_ *= top;
    if (design.mac_limit > 0.0) {
      highest_ = std::min(highest_, design.mac_limit);
      lowest_ = std::max(lowest_, -design.mac_limit);
    }
  }

  void add_corner(std::size_t pattern) {
    for (std::size_t j = 0; j < design_.rows; ++j)
      out_.inputs.push_back(corner(pattern, j, design_.rows) ? static_cast<std::uint8_t>(design_.input_levels - 1) : 0);
  }

  void add(const Target& target, RandomStream& stream) {
    const std::size_t rows = design_.rows;
    out_.inputs.resize(out_.inputs.size() + rows, 0);
    std::uint8_t* x = out_.inputs.data() + out_.inputs.size() - rows;
    const double activity = target.activity + target.width * stream.uniform();
    const auto active = static_cast<std::size_t>(std::lround(activity * static_cast<double>(rows)));
    std::iota(order_.begin(), order_.end(), 0u);
    stream.shuffle(order_);
    constexpr double kBlockShare = 0.25;  // a quarter of the operands has its active rows in one block, near or far
    const std::size_t first = stream.below(rows);
    if (stream.uniform() < kBlockShare)
      for (std::size_t k = 0; k < rows; ++k) order_[k] = static_cast<std::uint32_t>((first + k) % rows);
    for (std::size_t k = 0; k < active; ++k) x[order_[k]] = 1;
    const double mac = target.mac + target.width * stream.uniform();
    double reach = activity;
    if (design_.input_levels > 2) reach *= raise_levels(x, stream);
    const double reachable = std::min(1.0, 2.5 * reach);
    const double wanted = lowest_ * reachable + mac * reachable * (highest_ - lowest_);
    steer(weight_, wanted, stream, {x, rows});
    if (design_.mac_limit > 0.0 && beyond_limit(x)) thin(weight_, wanted, stream, x);
  }

 private:
  /// Many active rows of a pattern that leans one way. No table speaks of such an operand.
  bool beyond_limit(const std::uint8_t* x) const {
    double y = 0.0;
    for (std::size_t j = 0; j < design_.rows; ++j) y += x[j] * weight_[j];
    return std::fabs(y) > design_.mac_limit;
  }

  /// Active rows get levels 1 … X − 1 with a tendency of their own; the mean level over the highest.
  double raise_levels(std::uint8_t* x, RandomStream& stream) const {
    const double skew = std::pow(4.0, 2 * stream.uniform() - 1), top = static_cast<double>(design_.input_levels - 1);
    double sum = 0.0, active = 0.0;
    for (std::size_t j = 0; j < design_.rows; ++j) {
      if (x[j] == 0) continue;
      x[j] = static_cast<std::uint8_t>(1 + std::min(top - 1, std::floor(top * std::pow(stream.uniform(), skew))));
      sum += x[j];
      active += 1.0;
    }
    return active > 0.0 ? sum / active / top : 1.0;
  }

  const OperandDesign& design_;
  ColumnOperands& out_;
  std::vector<int> weight_;
  std::vector<std::uint32_t> order_;  ///< of the rows, for each operand anew
  double highest_ = 0.0, lowest_ = 0.0;
};

}  // namespace

std::vector<std::string_view> corner_names() { return {std::begin(kCornerNames), std::end(kCornerNames)}; }

ColumnOperands make_operands(const OperandDesign& design, std::uint64_t seed, std::uint64_t chip,
                             std::uint64_t column) {
  ColumnOperands out;
  out.rows = design.rows;
  RandomStream pattern(seed, StreamPurpose::kOperandWeights, column, 0, chip);
  draw_pattern(design, pattern, out);
  Designer designer(design, out);
  std::size_t corners = 0;
  if (design.pattern == OperandPattern::kCorners)
    for (; corners < std::min(design.operands, std::size(kCornerNames)); ++corners) designer.add_corner(corners);
  RandomStream stream(seed, StreamPurpose::kOperandInputs, column, 0, chip);
  const std::size_t count = design.operands - corners;
  const auto targets = design.pattern == OperandPattern::kSobol ? sobol_targets(count, seed, (chip << 20) + column)
                                                                : latin_targets(count, stream);
  for (const Target& target : targets) designer.add(target, stream);
  return out;
}

}  // namespace errata
