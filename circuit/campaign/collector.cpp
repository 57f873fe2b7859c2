#include "circuit/campaign/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "circuit/campaign/campaign_decks.h"
#include "circuit/campaign/noise_collector.h"
#include "circuit/deck/reproduce.h"

namespace errata::circuit {

namespace {

class Collector {
 public:
  Collector(const CampaignPlan& plan, const CampaignResult& result, std::size_t lines, Characterization& c)
      : plan_(plan), result_(result), lines_(lines), c_(c) {}

  void collect() {
    if (plan_.points.front().deck != kColumnDeck) collect_cell();
    collect_columns();
    at_ = collect_noise(plan_, result_, at_, c_);
    collect_self_check();
    collect_trouble();
  }

 private:
  void collect_cell() {
    const std::size_t levels = c_.cell.input_levels_volts.size() * c_.cell.weight_levels.size();
    const std::size_t samples = levels * c_.cell.mismatch_count();
    if (c_.array.transient())
      collect_charges(samples);
    else if (plan_.points.front().analysis == Analysis::kSweep)
      collect_sweeps();
    else
      for (std::size_t i = 0; i < samples * c_.cell.source_line_volts.size() * c_.cell.bit_line_volts.size(); ++i)
        c_.cell.current_amperes.push_back(next());
    for (std::size_t i = 0; i < c_.charge.switch_farads.size() * c_.charge.switch_count(); ++i)
      c_.charge.switch_volts.push_back(next());
    for (std::size_t i = 0; i < c_.charge.switch_farads.size(); ++i) c_.charge.switch_probe_volts.push_back(next());
  }

  /// Sweeps run over [L][M], each over [X][S][B]; the surface is [X][L][M][S][B].
  void collect_sweeps() {
    const CellSurface& s = c_.cell;
    const std::size_t levels = s.weight_levels.size(), samples = s.mismatch_count(),
                      biases = s.source_line_volts.size() * s.bit_line_volts.size();
    c_.cell.current_amperes.resize(s.input_levels_volts.size() * levels * samples * biases);
    for (std::size_t device = 0; device < levels * samples; ++device, ++at_)
      for (std::size_t x = 0; x < s.input_levels_volts.size(); ++x)
        for (std::size_t b = 0; b < biases; ++b)
          c_.cell.current_amperes[(x * levels * samples + device) * biases + b] =
              value_or_nan(result_.points[at_], x * biases + b);
  }

  /// Largest and rms change of the columns that were simulated twice.
  void collect_self_check() {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < plan_.points.size(); ++i)
      if (plan_.points[i].deck == kColumnDeck) columns.push_back(i);
    const std::size_t count = c_.self_check.points / lines_;
    double squares = 0.0, n = 0.0;
    for (std::size_t k = 0; k < count; ++k, ++at_)
      for (std::size_t l = 0; l < lines_; ++l) {
        const double before = value_or_nan(result_.points[columns[k * columns.size() / count]], l);
        const double change = std::fabs(value_or_nan(result_.points[at_], l) - before);
        if (!std::isfinite(change)) continue;
        c_.self_check.maximum = std::max(c_.self_check.maximum, change);
        squares += change * change;
        n += 1.0;
      }
    c_.self_check.rms = n > 0.0 ? std::sqrt(squares / n) : std::numeric_limits<double>::quiet_NaN();
  }

  /// Points that gave no number, or not in the usual way.
  void collect_trouble() {
    constexpr std::size_t kMost = 1000;
    for (std::size_t i = 0; i < result_.points.size() && c_.trouble.size() < kMost; ++i) {
      const PointResult& r = result_.points[i];
      if (r.status == PointStatus::kOk) continue;
      c_.trouble.push_back(
          fmt::format("point {}: {}; {}{}{}", i, to_string(r.status), describe_point(plan_, i),
                      r.remedy != Remedy::kNone ? fmt::format("; helped by {}", to_string(r.remedy)) : "",
                      r.log.empty() ? "" : "; " + r.log.substr(0, r.log.find('\n'))));
    }
  }

  double next() { return value_or_nan(result_.points[at_++]); }

  void collect_charges(std::size_t samples) {
    const std::size_t loads = c_.charge.final_volts.size();
    for (std::size_t k = 0; k < samples; ++k)
      for (std::size_t f = 0; f < loads; ++f, ++at_) {
        // The reference is the same everywhere; a failed point must not lose its voltage.
        if (!std::isfinite(c_.charge.final_volts[f])) c_.charge.final_volts[f] = value_or_nan(result_.points[at_], 0);
        c_.charge.charge_coulombs.push_back(value_or_nan(result_.points[at_], 1));
      }
  }

  void collect_columns() {
    ColumnMeasurements& m = c_.columns;
    const std::size_t all = m.chips * m.columns * m.branches;
    m.output.assign(all * m.operands, 0.0);
    m.status.assign(all * m.operands, 0);
    for (auto& record : m.records) record.values.assign(all * m.operands, 0.0);
    for (std::size_t first = 0; first < all; first += lines_) {
      for (std::size_t o = 0; o < m.operands; ++o, ++at_)
        for (std::size_t l = 0; l < lines_; ++l) {
          m.output[(first + l) * m.operands + o] = value_or_nan(result_.points[at_], l);
          m.status[(first + l) * m.operands + o] = static_cast<std::uint8_t>(result_.points[at_].status);
          for (std::size_t k = 0; k < m.records.size(); ++k)
            m.records[k].values[(first + l) * m.operands + o] = value_or_nan(result_.points[at_], (k + 1) * lines_ + l);
        }
    }
  }

  const CampaignPlan& plan_;
  const CampaignResult& result_;
  std::size_t lines_;
  Characterization& c_;
  std::size_t at_ = 0;
};

}  // namespace

void collect(const CampaignPlan& plan, const CampaignResult& result, std::size_t lines, Characterization& c) {
  Collector(plan, result, lines, c).collect();
}

double value_or_nan(const PointResult& r, std::size_t output) {
  return output < r.values.size() ? r.values[output] : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace errata::circuit
