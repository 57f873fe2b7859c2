#include "errormodel/exchange/measured_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "core/error.h"

namespace errata::errormodel {

namespace {

struct Reads {
  double mean = 0.0, variance = 0.0;
};

Reads reads_of(const MeasuredOperand& o) {
  Reads r;
  for (const double v : o.reads) r.mean += v;
  r.mean /= static_cast<double>(o.reads.size());
  for (const double v : o.reads) r.variance += (v - r.mean) * (v - r.mean);
  r.variance /= static_cast<double>(std::max<std::size_t>(1, o.reads.size() - 1));
  return r;
}

template <class F>
void for_each_operand(const Campaign& campaign, F&& visit) {
  for (const auto& chip : campaign.chips)
    for (const auto& column : chip)
      for (const auto& operand : column.operands) visit(operand);
}

Diagnostic warning(std::string message, std::string hint = {}) {
  Diagnostic d;
  d.severity = Diagnostic::Severity::kWarning;
  d.code = "E110";
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

/// How many things to take so that taking that many of everybody who has as many gives the most in all.
std::size_t best_count(std::vector<std::size_t> available) {
  std::ranges::sort(available, std::greater<>());
  std::size_t best = 0, product = 0;
  for (std::size_t k = 0; k < available.size(); ++k)
    if (available[k] * (k + 1) > product) {
      product = available[k] * (k + 1);
      best = available[k];
    }
  return best;
}

}  // namespace

TransferLine fit_transfer(const Campaign& campaign) {
  constexpr int kBins = 32;
  double low = 1e300, high = -1e300;
  for_each_operand(campaign, [&](const MeasuredOperand& o) {
    low = std::min(low, o.y);
    high = std::max(high, o.y);
  });
  if (!(high > low))
    throw Error(ExitStatus::kComputation, "E504", "every operand has the same ideal MAC value", "measure several");
  double count[kBins] = {}, sum_y[kBins] = {}, sum_v[kBins] = {};
  for_each_operand(campaign, [&](const MeasuredOperand& o) {
    const int bin = std::min(kBins - 1, static_cast<int>((o.y - low) / (high - low) * kBins));
    count[bin] += 1;
    sum_y[bin] += o.y;
    sum_v[bin] += reads_of(o).mean;
  });
  double n = 0, y = 0, v = 0, yy = 0, yv = 0;
  for (int k = 0; k < kBins; ++k) {
    if (count[k] == 0) continue;
    const double by = sum_y[k] / count[k], bv = sum_v[k] / count[k];
    n += 1;
    y += by;
    v += bv;
    yy += by * by;
    yv += by * bv;
  }
  TransferLine line;
  line.unit = (n * yv - y * v) / (n * yy - y * y);
  line.offset = (v - line.unit * y) / n;
  if (!std::isfinite(line.unit) || line.unit == 0.0)
    throw Error(ExitStatus::kComputation, "E504", "the measured values do not depend on the ideal MAC value",
                "check that y belongs to the operands");
  return line;
}

double variance_behind_codes(double variance) {
  constexpr double kPi = std::numbers::pi;
  const auto seen = [](double sigma) {
    double sum = sigma * sigma + 1.0 / 12.0;
    constexpr int kTerms = 2000;  // at σ = 0.001 steps the terms have fallen to 1e-34
    for (int k = 1; k <= kTerms; ++k) {
      const double x = 2.0 * kPi * k;
      const double term = 2.0 / (x * x) * std::exp(-x * x * sigma * sigma);
      if (term < 1e-18) break;
      sum -= term;
    }
    return sum;
  };
  double low = 1e-3, high = std::sqrt(variance) + 1.0;
  if (variance <= seen(low)) return 0.0;
  for (int k = 0; k < 60; ++k) {
    const double middle = 0.5 * (low + high);
    (seen(middle) < variance ? low : high) = middle;
  }
  return low * low;
}

std::vector<MeasuredLine> usable_points(const Campaign& campaign, const AdcOptions& adc, const TransferLine& line,
                                        const RunContext& context) {
  const bool codes = campaign.quantity == MeasuredQuantity::kCode;
  const double step = codes ? adc.step() : 1.0;
  std::map<long, std::pair<double, double>> share;  // ideal MAC value in steps: operands, clipped ones
  const auto bin = [&](double y) { return std::lround(y / step); };
  for_each_operand(campaign, [&](const MeasuredOperand& o) {
    auto& [all, clipped] = share[bin(o.y)];
    all += 1;
    clipped += o.clipped ? 1 : 0;
  });
  std::vector<MeasuredLine> lines;
  std::size_t dropped = 0, single = 0;
  for (std::size_t chip = 0; chip < campaign.chips.size(); ++chip)
    for (const auto& column : campaign.chips[chip]) {
      lines.push_back({chip, &column, {}});
      for (const auto& o : column.operands) {
        const auto& [all, clipped] = share[bin(o.y)];
        constexpr double kMostClipped = 0.01;
        if (o.clipped || clipped > kMostClipped * all) {
          ++dropped;
          continue;
        }
        if (o.reads.size() < 2) {
          ++single;
          continue;
        }
        const Reads r = reads_of(o);
        lines.back().points.push_back(
            {o.y, o.a, (r.mean - line.offset) / line.unit, r.variance / (line.unit * line.unit), &o});
      }
    }
  if (dropped > 0)
    context.warn(warning(fmt::format("{} operands at the ends of the ADC's range are left out", dropped)));
  if (single > 0)
    context.warn(warning(fmt::format("{} operands with a single read are left out", single),
                         "read each operand at least twice: only repeats tell noise from frozen errors"));
  return lines;
}

Observations rectangular_design(const Campaign& campaign, const std::vector<MeasuredLine>& lines,
                                const TransferLine& transfer, const RunContext& context) {
  std::vector<std::size_t> reads;
  for (const auto& l : lines)
    for (const auto& p : l.points) reads.push_back(p.operand->reads.size());
  Observations o;
  o.reads_per_operand = best_count(reads);
  // Of each column, the operands that were read as often.
  std::vector<std::vector<const MeasuredPoint*>> usable;
  std::vector<std::size_t> operands;
  for (const auto& l : lines) {
    usable.emplace_back();
    for (const auto& p : l.points)
      if (p.operand->reads.size() >= o.reads_per_operand) usable.back().push_back(&p);
    operands.push_back(usable.back().size());
  }
  const std::size_t count = best_count(operands);
  std::vector<std::size_t> of_chip(campaign.chips.size(), 0);
  for (std::size_t k = 0; k < lines.size(); ++k) of_chip[lines[k].chip] += usable[k].size() >= count ? 1 : 0;
  o.columns = best_count(of_chip);
  o.levels = campaign.levels;
  o.inputs = campaign.inputs;
  std::size_t taken = 0, last = static_cast<std::size_t>(-1);
  for (std::size_t k = 0; k < lines.size(); ++k) {
    const MeasuredLine& l = lines[k];
    if (l.chip != last) taken = 0;
    last = l.chip;
    if (of_chip[l.chip] < o.columns || usable[k].size() < count || taken == o.columns || count == 0) continue;
    if (++taken == o.columns) ++o.chips;
    ColumnOperands d{l.column->plus.size(), l.column->plus, l.column->minus, {}};
    for (std::size_t p = 0; p < count; ++p) {
      // Spread over what was measured, so that the operands at the end of the list are not the ones that are missing.
      const MeasuredPoint& point = *usable[k][p * usable[k].size() / count];
      d.inputs.insert(d.inputs.end(), point.operand->inputs.begin(), point.operand->inputs.end());
      double sum = 0.0;
      for (std::size_t r = 0; r < o.reads_per_operand; ++r) {
        o.reads.push_back((point.operand->reads[r] - transfer.offset) / transfer.unit);
        sum += o.reads.back();
      }
      o.value.push_back(sum / static_cast<double>(o.reads_per_operand));
    }
    o.designs.push_back(std::move(d));
  }
  if (o.value.size() < reads.size())
    context.warn(warning(
        fmt::format("{} of {} operands are left out: the estimator takes {} chips x {} columns x {} "
                    "operands x {} reads, as many for each",
                    reads.size() - o.value.size(), reads.size(), o.chips, o.columns, count, o.reads_per_operand)));
  return o;
}

void split_by_memory(ErrorTable& t) {
  const ReadMemory& m = t.record.memory;
  if (m.kind == MemoryKind::kNone || t.source_names.size() != 1) return;
  const std::vector<double> all = t.source_variance;
  t.source_names.clear();
  t.source_variance.clear();
  t.source_memory.clear();
  const auto add = [&](std::string name, double share, double memory) {
    t.source_names.push_back(std::move(name));
    t.source_memory.push_back(memory);
    for (const double v : all) t.source_variance.push_back(share * v);
  };
  add("reads", 1.0 - m.share, 0.0);
  if (m.kind == MemoryKind::kAutoregressive) add("reads_memory", m.share, m.correlation);
  for (int k = 0; k < m.octaves && m.kind == MemoryKind::kOneOverF; ++k)
    add(fmt::format("reads_flicker_{}", k), m.share / m.octaves, std::exp(-std::ldexp(1.0, -k)));
}

}  // namespace errata::errormodel
