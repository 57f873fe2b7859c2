#include "verification/error_distributions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random_stream.h"

namespace errata::verification {

namespace {

constexpr double kTolerance = 0.1, kFloors = 3.0;  // methods.md §6.2

/// Edges of bins over y that hold about equal shares, at whole MAC values.
std::vector<double> bin_edges(const std::vector<double>& y) {
  constexpr std::size_t kBins = 16;
  std::vector<double> edges{*std::ranges::min_element(y) - 0.5};
  for (std::size_t b = 1; b < kBins; ++b) {
    const double edge = std::floor(quantile(y, static_cast<double>(b) / kBins)) + 0.5;
    if (edge > edges.back()) edges.push_back(edge);
  }
  const double last = *std::ranges::max_element(y) + 0.5;
  if (last > edges.back()) edges.push_back(last);
  return edges;
}

/// The errors of one bin.
struct BinSample {
  std::vector<double> error;
  std::vector<std::uint32_t> chip;
  std::size_t chips;

  BinSample(const SampledConversions& s, double y_low, double y_high) : chips(s.chips) {
    for (std::size_t i = 0; i < s.y.size(); ++i)
      if (s.y[i] >= y_low && s.y[i] < y_high) error.push_back(s.error[i]), chip.push_back(s.chip[i]);
  }
};

/// Mean W1 between two random halves of the chips of one sample, scaled to the full size: what chance alone gives.
double sampling_floor(const BinSample& s, std::uint64_t seed) {
  constexpr int kSplits = 16;
  double sum = 0.0;
  for (int k = 0; k < kSplits; ++k) {
    RandomStream stream(seed, StreamPurpose::kBootstrap, static_cast<std::uint64_t>(k), 2);
    std::vector<std::uint32_t> order(s.chips);
    std::iota(order.begin(), order.end(), 0u);
    stream.shuffle(order);
    std::vector<bool> first(s.chips);
    for (std::size_t i = 0; i < s.chips / 2; ++i) first[order[i]] = true;
    std::vector<double> a, b;
    for (std::size_t i = 0; i < s.error.size(); ++i) (first[s.chip[i]] ? a : b).push_back(s.error[i]);
    if (!a.empty() && !b.empty()) sum += wasserstein1(a, b);
  }
  return sum / kSplits / std::sqrt(2.0);  // halves of n/2 chips differ √2 more than two samples of n chips
}

constexpr std::size_t kGrid = 64, kResamples = 400;

/// A sample's distribution function at the points of a grid, and what each chip adds to its chance part.
struct Distribution {
  std::vector<double> value;      ///< [grid]
  std::vector<double> influence;  ///< [chips][grid]

  Distribution(const BinSample& s, const std::vector<double>& grid) : value(grid.size(), 0.0) {
    influence.assign(s.chips * grid.size(), 0.0);
    std::vector<double> count(s.chips, 0.0);
    for (std::size_t i = 0; i < s.error.size(); ++i) {
      const auto at = static_cast<std::size_t>(std::ranges::lower_bound(grid, s.error[i]) - grid.begin());
      if (at < grid.size()) influence[s.chip[i] * grid.size() + at] += 1.0;
      count[s.chip[i]] += 1.0;
    }
    const auto all = static_cast<double>(s.error.size()), chips = static_cast<double>(s.chips);
    for (std::size_t c = 0; c < s.chips; ++c) {
      double* f = influence.data() + c * grid.size();
      std::partial_sum(f, f + grid.size(), f);
      for (std::size_t g = 0; g < grid.size(); ++g) value[g] += f[g] / all;
    }
    const double scale = std::sqrt(chips / (chips - 1.0)) / all;
    for (std::size_t c = 0; c < s.chips; ++c)
      for (std::size_t g = 0; g < grid.size(); ++g) {
        double& f = influence[c * grid.size() + g];
        f = scale * (f - value[g] * count[c]);
      }
  }
};

/// ∫|f| over the grid.
double area(const std::vector<double>& f, const std::vector<double>& grid) {
  double sum = 0.0;
  for (std::size_t g = 0; g + 1 < grid.size(); ++g)
    sum += 0.5 * (std::fabs(f[g]) + std::fabs(f[g + 1])) * (grid[g + 1] - grid[g]);
  return sum;
}

/// Standard normal multipliers of the chips, [resamples][chips]; the same for every bin, whose chips are the same.
std::vector<double> multipliers(std::size_t chips, std::uint64_t seed, std::uint64_t sample) {
  std::vector<double> all;
  all.reserve(kResamples * chips);
  for (std::size_t r = 0; r < kResamples; ++r) {
    RandomStream stream(seed, StreamPurpose::kBootstrap, r, 3, sample);
    for (std::size_t c = 0; c < chips; ++c) all.push_back(stream.normal());
  }
  return all;
}

/// ∫|F_a − F_b + chance| − ∫|F_a − F_b| of every resample, MAC units.
std::vector<double> deviations(const BinSample& a, const BinSample& b, const std::vector<double>& of_a,
                               const std::vector<double>& of_b) {
  std::vector<double> pooled = a.error, grid;
  pooled.insert(pooled.end(), b.error.begin(), b.error.end());
  std::ranges::sort(pooled);
  for (std::size_t g = 0; g <= kGrid; ++g) grid.push_back(pooled[(pooled.size() - 1) * g / kGrid]);
  const Distribution fa(a, grid), fb(b, grid);
  std::vector<double> difference;
  for (std::size_t g = 0; g < grid.size(); ++g) difference.push_back(fa.value[g] - fb.value[g]);
  const double observed = area(difference, grid);
  std::vector<double> result;
  for (std::size_t r = 0; r < kResamples; ++r) {
    std::vector<double> moved = difference;
    const auto add = [&](const Distribution& f, const double* weight, std::size_t chips, double sign) {
      for (std::size_t c = 0; c < chips; ++c)
        for (std::size_t g = 0; g < grid.size(); ++g) moved[g] += sign * weight[c] * f.influence[c * grid.size() + g];
    };
    add(fa, of_a.data() + r * a.chips, a.chips, 1.0);
    add(fb, of_b.data() + r * b.chips, b.chips, -1.0);
    result.push_back(area(moved, grid) - observed);
  }
  return result;
}

/// Tails of a 95 % interval.
constexpr double kLow = 0.025, kHigh = 0.975;

}  // namespace

Interval DistributionComparison::distance(std::size_t bin) const {
  const double d = bins[bin].distance;
  return {d, std::max(0.0, d - quantile(chance[bin], kHigh)), std::max(0.0, d - quantile(chance[bin], kLow))};
}

Interval DistributionComparison::agreeing(double times) const {
  const double shrink = 1.0 / std::sqrt(times);
  double covered = 0.0, estimate = 0.0;
  std::vector<double> share(kResamples, 0.0);
  for (std::size_t b = 0; b < bins.size(); ++b) {
    const double allowed = kTolerance * bins[b].model_sigma;
    const bool seen = bins[b].distance <= std::max(allowed, kFloors * floor[b] * shrink);
    covered += bins[b].share;
    if (bins[b].distance <= bins[b].allowed) estimate += bins[b].share;
    // Where chance moves the distance up, it was observed too large: the bootstrap's reflection.
    for (std::size_t r = 0; r < kResamples; ++r)
      if (seen || bins[b].distance - shrink * chance[b][r] <= allowed) share[r] += bins[b].share;
  }
  if (covered == 0.0) return {};
  const auto of_all = [&](double sum) { return std::min(1.0, sum / covered); };
  return {of_all(estimate), of_all(quantile(share, kLow)), of_all(quantile(share, kHigh))};
}

DistributionComparison compare_distributions(const SampledConversions& model, const SampledConversions& table,
                                             std::uint64_t seed) {
  constexpr std::size_t kLeastConversions = 50;
  DistributionComparison result;
  const auto edges = bin_edges(model.y);
  const auto of_model = multipliers(model.chips, seed, 0), of_table = multipliers(table.chips, seed, 1);
  for (std::size_t b = 0; b + 1 < edges.size(); ++b) {
    const BinSample m(model, edges[b], edges[b + 1]), t(table, edges[b], edges[b + 1]);
    if (m.error.size() < kLeastConversions) continue;
    result.floor.push_back(sampling_floor(m, seed));
    BinComparison c{.y_low = edges[b],
                    .y_high = edges[b + 1],
                    .share = static_cast<double>(m.error.size()) / static_cast<double>(model.y.size()),
                    .model_mean = mean(m.error),
                    .table_mean = mean(t.error),
                    .model_sigma = standard_deviation(m.error),
                    .table_sigma = standard_deviation(t.error),
                    .distance = wasserstein1(m.error, t.error)};
    c.allowed = std::max(kTolerance * c.model_sigma, kFloors * result.floor.back());
    result.bins.push_back(c);
    result.chance.push_back(deviations(m, t, of_model, of_table));
  }
  return result;
}

}  // namespace errata::verification
