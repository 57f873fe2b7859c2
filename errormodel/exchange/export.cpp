#include "errormodel/exchange/export.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "errormodel/table/marginal.h"

namespace errata::errormodel {

namespace {

/// A cell of the CSV: a number that reads back to the same bits, or nothing.
std::string cell(double value) { return std::isnan(value) ? "" : fmt::format("{}", value); }
constexpr double kNone = NAN;

/// A name as a CSV field; in quotes where it needs them.
std::string field(const std::string& name) {
  if (name.find_first_of(",\"\n") == std::string::npos) return name;
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + '"';
}

class TermWriter {
 public:
  TermWriter(const ErrorTable& table, std::size_t point, std::string& out) : t_(table), out_(out) {
    prefix_ = fmt::format("{},{},{},{}", point, t_.temperature_kelvin, t_.supply_volts, field(t_.corner));
  }

  void write() {
    header();
    levels("level", t_.level, {}, "MAC unit");
    surface("mu", "", t_.mu, t_.support_error, "MAC unit");
    surface("dmu_dy", "", t_.slope, {}, "1");
    for (std::size_t k = 0; k < 9; ++k) line("basis", "", k / 3, k % 3, kNone, kNone, t_.basis[k], kNone, kNone, "1");
    covariance("chip", t_.chip, t_.chip_interval);
    covariance("column", t_.column, t_.column_interval);
    levels("cell_sigma", t_.cell_sigma, {}, "MAC unit");
    std::vector<double> squares;
    for (const auto& i : t_.cell_interval) squares.push_back(i.estimate);
    levels("cell_variance", squares, t_.cell_interval, "MAC unit^2");
    surface("dynamic_sigma", "", t_.dynamic_sigma, {}, "MAC unit");
    for (std::size_t s = 0; s < t_.source_names.size(); ++s) {
      const std::size_t size = t_.axes.size();
      surface("source_variance", t_.source_names[s], std::span(t_.source_variance).subspan(s * size, size), {},
              "MAC unit^2");
      if (!t_.source_memory.empty())
        line("source_memory", t_.source_names[s], kNo, kNo, kNone, kNone, t_.source_memory[s], kNone, kNone, "1");
    }
    for (std::size_t k = 0; k < t_.dynamic_quantiles.size(); ++k)
      line("dynamic_quantile", "", k, kNo, kNone, kNone, t_.dynamic_quantiles[k], kNone, kNone, "1");
    for (std::size_t w = 0; w < t_.drift.exponent.size(); ++w)
      line("drift_exponent", "", kNo, w, kNone, kNone, t_.drift.exponent[w],
           t_.drift.exponent[w] - t_.drift.exponent_sigma[w], t_.drift.exponent[w] + t_.drift.exponent_sigma[w], "1");
    surface("support_count", "", t_.support_count, {}, "1");
  }

 private:
  static constexpr std::size_t kNo = static_cast<std::size_t>(-1);

  void header() {
    const auto scalar = [&](const char* term, double value, std::string_view unit) {
      line(term, "", kNo, kNo, kNone, kNone, value, kNone, kNone, unit);
    };
    scalar("rows", static_cast<double>(t_.rows), "1");
    scalar("minimum_conductance", t_.minimum_conductance, "level");
    scalar("transfer_offset", t_.offset, t_.output_unit);
    scalar("transfer_unit", t_.unit, t_.output_unit);
    scalar("adc_bits", t_.adc.bits, "1");
    scalar("adc_range", t_.adc.range, "MAC unit");
    scalar("residual_sigma", t_.residual_sigma, "MAC unit");
    scalar("columns_used", static_cast<double>(t_.columns_used), "1");
    if (t_.faults.present()) {
      scalar("stuck_lowest", t_.faults.lowest, "1");
      scalar("stuck_highest", t_.faults.highest, "1");
    }
    if (t_.drift.present()) scalar("drift_reference_time", t_.drift.reference_seconds, "s");
  }

  void line(std::string_view term, std::string_view name, std::size_t i, std::size_t j, double y, double a,
            double value, double low, double high, std::string_view unit) {
    const auto index = [](std::size_t k) { return k == kNo ? std::string() : fmt::format("{}", k); };
    out_ += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", prefix_, term, field(std::string(name)), index(i),
                        index(j), cell(y), cell(a), cell(value), cell(low), cell(high), unit);
  }

  /// i is the input level, j the stored one.
  void levels(std::string_view term, std::span<const double> values, const std::vector<Interval>& intervals,
              std::string_view unit) {
    for (std::size_t k = 0; k < values.size(); ++k)
      line(term, "", 1 + k / t_.levels, k % t_.levels, kNone, kNone, values[k],
           intervals.empty() ? kNone : intervals[k].low, intervals.empty() ? kNone : intervals[k].high, unit);
  }

  /// Intervals of ±1.96 standard errors where these are known.
  void surface(std::string_view term, std::string_view name, std::span<const double> nodes,
               std::span<const double> errors, std::string_view unit) {
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      const std::size_t i = n / t_.axes.a_points, j = n % t_.axes.a_points;
      const double half = errors.empty() ? kNone : normal_quantile(0.975) * errors[n];
      line(term, name, i, j, t_.axes.y_at(i), t_.axes.a_at(j), nodes[n], nodes[n] - half, nodes[n] + half, unit);
    }
  }

  void covariance(std::string_view term, const Covariance& c, const std::vector<Interval>& intervals) {
    for (int k = 0; k < 6; ++k) {
      const auto row = static_cast<std::size_t>(kEntryRow[k]), column = static_cast<std::size_t>(kEntryColumn[k]);
      const Interval& i = intervals[static_cast<std::size_t>(k)];
      line(term, "", row, column, kNone, kNone, c[3 * row + column], i.low, i.high, "MAC unit^2");
    }
  }

  const ErrorTable& t_;
  std::string& out_;
  std::string prefix_;
};

}  // namespace

std::string table_csv(std::span<const ErrorTable> points) {
  std::string out = "operating_point,temperature_kelvin,supply_volts,corner,term,name,i,j,y,a,value,low,high,unit\n";
  for (std::size_t k = 0; k < points.size(); ++k) TermWriter(points[k], k, out).write();
  return out;
}

NeurosimExport neurosim_csv(const ErrorTable& t) {
  if (t.differential())
    throw Error(ExitStatus::kArtifact, "E408",
                "NeuroSim's columns are single-ended, its outputs 0 … 2^bits; this table is of differential columns",
                "compile one with hardware.signed_scheme = \"offset_column\" or \"differential_after_adc\"");
  NeurosimExport result;
  result.adc_precision = static_cast<int>(std::floor(std::log2(t.axes.y_high)));
  if (result.adc_precision < 1)
    throw Error(ExitStatus::kArtifact, "E408", "the table does not reach an output of 2 MAC units");
  result.csv = "output,mean,std,marginal_view_not_for_yield_frozen_share\n";
  const int top = 1 << result.adc_precision;
  for (const OutputMoments& m : output_moments(t, 0, top)) {
    result.csv += fmt::format("{},{},{},{:.4f}\n", m.output, m.mean, m.sigma, m.static_share);
    result.static_share += m.static_share / (top + 1);
  }
  return result;
}

}  // namespace errata::errormodel
