#include "core/operand_design.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random_stream.h"

namespace errata {

double ColumnOperands::mac(std::size_t operand) const {
  const std::uint8_t* x = input(operand);
  int sum = 0;
  for (std::size_t j = 0; j < rows; ++j) sum += x[j] * (int{plus[j]} - int{minus[j]});
  return sum;
}

double ColumnOperands::drive(std::size_t operand, double minimum_conductance) const {
  const std::uint8_t* x = input(operand);
  int levels = 0, active = 0;
  for (std::size_t j = 0; j < rows; ++j) {
    levels += x[j] * (int{plus[j]} + int{minus[j]});
    active += x[j];
  }
  return levels + 2.0 * minimum_conductance * active;
}

namespace {

/// Stored pattern with its own density of non-zero weights and its own bias of signs.
void draw_pattern(const OperandDesign& design, RandomStream& stream, ColumnOperands& out) {
  const double density = 0.15 + 0.85 * stream.uniform();
  const double positive = 0.15 + 0.7 * stream.uniform();
  const double skew = 0.5 + 1.5 * stream.uniform();  // mean stored level: small or large magnitudes prevail
  out.plus.assign(design.rows, 0);
  out.minus.assign(design.rows, 0);
  for (std::size_t j = 0; j < design.rows; ++j) {
    const bool stored = stream.uniform() < density;
    const bool sign = stream.uniform() < positive;
    const double top = static_cast<double>(design.levels - 1);
    const auto magnitude =
        static_cast<std::uint8_t>(1 + std::min(top - 1, std::floor(top * std::pow(stream.uniform(), skew))));
    if (stored) (sign ? out.plus : out.minus)[j] = magnitude;
  }
}

/// Moves active rows until the MAC is near its target; activity stays as it is.
void steer(const std::vector<int>& weight, double target, RandomStream& stream, std::uint8_t* x) {
  const std::size_t rows = weight.size();
  int y = 0;
  for (std::size_t j = 0; j < rows; ++j) y += x[j] * weight[j];
  for (std::size_t attempt = 0; attempt < 6 * rows && std::fabs(y - target) >= 1.0; ++attempt) {
    const std::size_t from = stream.below(rows), to = stream.below(rows);
    if (x[from] == 0 || x[to] != 0) continue;
    const int moved = y - weight[from] + weight[to];
    if (std::fabs(moved - target) >= std::fabs(y - target)) continue;
    x[from] = 0;
    x[to] = 1;
    y = moved;
  }
}

}  // namespace

ColumnOperands make_operands(const OperandDesign& design, std::uint64_t seed, std::uint64_t chip,
                             std::uint64_t column) {
  ColumnOperands out;
  out.rows = design.rows;
  RandomStream pattern(seed, StreamPurpose::kOperandWeights, column, 0, chip);
  draw_pattern(design, pattern, out);
  std::vector<int> weight(design.rows);
  double highest = 0.0, lowest = 0.0;
  for (std::size_t j = 0; j < design.rows; ++j) {
    weight[j] = int{out.plus[j]} - int{out.minus[j]};
    (weight[j] > 0 ? highest : lowest) += weight[j];
  }
  if (design.mac_limit > 0.0) {
    highest = std::min(highest, design.mac_limit);
    lowest = std::max(lowest, -design.mac_limit);
  }
  RandomStream stream(seed, StreamPurpose::kOperandInputs, column, 0, chip);
  const std::size_t count = design.operands;
  std::vector<std::uint32_t> activity_stratum(count), mac_stratum(count), rows(design.rows);
  std::iota(activity_stratum.begin(), activity_stratum.end(), 0u);
  std::iota(mac_stratum.begin(), mac_stratum.end(), 0u);
  stream.shuffle(activity_stratum);
  stream.shuffle(mac_stratum);
  out.inputs.assign(count * design.rows, 0);
  for (std::size_t p = 0; p < count; ++p) {
    std::uint8_t* x = out.inputs.data() + p * design.rows;
    const double active_share = (activity_stratum[p] + stream.uniform()) / count;
    const auto active = static_cast<std::size_t>(std::lround(active_share * design.rows));
    std::iota(rows.begin(), rows.end(), 0u);
    stream.shuffle(rows);
    constexpr double kBlockShare = 0.25;  // a quarter of the operands has its active rows in one block, near or far
    const std::size_t first = stream.below(design.rows);
    if (stream.uniform() < kBlockShare)
      for (std::size_t k = 0; k < design.rows; ++k) rows[k] = static_cast<std::uint32_t>((first + k) % design.rows);
    for (std::size_t k = 0; k < active; ++k) x[rows[k]] = 1;
    const double mac_share = (mac_stratum[p] + stream.uniform()) / count;
    const double reachable = std::min(1.0, 2.5 * active_share);
    steer(weight, lowest * reachable + mac_share * reachable * (highest - lowest), stream, x);
  }
  return out;
}

}  // namespace errata
