#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/svg_plot.h"
#include "cli/report/text.h"
#include "verification/verdict.h"

namespace errata::report {

namespace {

using verification::Check;
using verification::Color;
using verification::LayerErrors;
using verification::Verification;

/// Line y = x with what a check tolerates around it, over the range of both axes.
template <class Tolerance>
void add_identity(Plot& plot, const Range& range, const Tolerance& tolerance) {
  std::vector<double> x, low, high;
  for (int k = 0; k <= 40; ++k) {
    x.push_back(range.low + range.width() * k / 40);
    low.push_back(x.back() - tolerance(x.back()));
    high.push_back(x.back() + tolerance(x.back()));
  }
  plot.band(x, low, high, {.color = -1, .legend = "tolerance"});
  plot.line(x, x, {.color = -1, .legend = "prediction is right", .dashed = true});
}

struct RatePicture {
  const char *name, *title, *quantity, *sentence;
  Interval LayerErrors::*observed;
  Interval LayerErrors::*predicted;
  double scale;
  double (*tolerance)(double observed);
};

std::string rate_figure(const Verification& v, const RatePicture& picture) {
  Range range;
  std::vector<Interval> observed, predicted;
  for (const auto& l : v.layers) {
    const auto scaled = [&](const Interval& i) {
      return Interval{i.estimate * picture.scale, i.low * picture.scale, i.high * picture.scale};
    };
    observed.push_back(scaled(l.*picture.observed));
    predicted.push_back(scaled(l.*picture.predicted));
    for (const auto* i : {&observed.back(), &predicted.back()})
      for (const double value : {i->estimate, i->low, i->high}) range.include(value);
  }
  if (range.empty) return {};
  range = range.padded(0.12);
  Plot plot({.name = picture.name,
             .title = picture.title,
             .x = {.label = fmt::format("observed {}", picture.quantity), .range = range},
             .y = {.label = fmt::format("predicted {}", picture.quantity), .range = range}});
  add_identity(plot, range, picture.tolerance);
  for (std::size_t i = 0; i < v.layers.size(); ++i) {
    const int color = static_cast<int>(i);
    plot.error_crosses(
        std::span(observed).subspan(i, 1), std::span(predicted).subspan(i, 1),
        {.color = color, .legend = v.layers.size() <= 12 ? fmt::format("layer {}", v.layers[i].layer) : ""});
  }
  return figure(plot.svg(), picture.sentence);
}

std::string replay_figure(const Verification& v) {
  if (v.replay_model.empty() || v.replay_model.size() != v.replay_circuit.size()) return {};
  Range range;
  double square = 0, worst = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < v.replay_model.size(); ++i) {
    range.include(v.replay_model[i]);
    range.include(v.replay_circuit[i]);
    const double d = v.replay_model[i] - v.replay_circuit[i];
    if (!std::isfinite(d)) continue;
    square += d * d;
    worst = std::max(worst, std::fabs(d));
    ++count;
  }
  if (count == 0) return {};
  range = range.padded(0.05);
  Plot plot({.name = "verification-replay",
             .title = "Conversions of the trained network by model against ngspice",
             .x = {.label = "ngspice [MAC unit]", .range = range},
             .y = {.label = "behavioural model [MAC unit]", .range = range}});
  plot.line(std::vector{range.low, range.high}, std::vector{range.low, range.high},
            {.color = -1, .legend = "equal", .dashed = true});
  plot.points(v.replay_circuit, v.replay_model, {.color = 0, .legend = "one conversion"});
  return figure(plot.svg(),
                fmt::format("The trained network's own operands, replayed in ngspice: {} dots on the line, RMS "
                            "difference {}, largest {} MAC units.",
                            count, number(std::sqrt(square / static_cast<double>(count)), 2), number(worst, 2)));
}

std::string distance_figure(const Verification& v) {
  if (v.bins.empty()) return {};
  std::vector<double> y, distance, allowed;
  for (const auto& b : v.bins) {
    y.push_back(0.5 * (b.y_low + b.y_high));
    distance.push_back(b.distance);
    allowed.push_back(b.allowed);
  }
  Range range = from_zero(distance);
  for (const double a : allowed) range.include(1.08 * a);
  Plot plot({.name = "verification-distance",
             .title = "Distance between the error distributions of table and model",
             .x = {.label = "ideal MAC value y"},
             .y = {.label = "Wasserstein-1 distance [MAC unit]", .range = range}});
  plot.line(y, allowed, {.color = -1, .legend = "tolerance", .dashed = true});
  plot.points(y, distance, {.color = 0, .legend = "table to model"});
  return figure(plot.svg(), "Whole distributions compared bin by bin: markers below the dashed line agree.");
}

/// What averaging reads leaves: static errors stay, read noise goes.
std::string averaging_figure(const Verification& v) {
  const auto at = std::ranges::find(v.evidence, "read_averaging", &verification::Evidence::name);
  if (at == v.evidence.end()) return {};
  constexpr std::size_t kColumns = 6;  // reads, model, table, ratio, low, high
  std::vector<double> reads, model, table;
  for (std::size_t k = 0; k + kColumns <= at->values.size(); k += kColumns) {
    if (at->values[k] < 1.0) continue;  // the row of sigma_D alone
    reads.push_back(std::log2(at->values[k]));
    model.push_back(at->values[k + 1]);
    table.push_back(at->values[k + 2]);
  }
  Range range = from_zero(model);
  for (const double value : table) range.include(1.08 * value);
  Plot plot({.name = "verification-averaging",
             .title = "Error that is left when reads are averaged",
             .x = {.label = "reads averaged, power of two"},
             .y = {.label = "rms error [MAC unit]", .range = range}});
  plot.line(reads, model, {.color = 1, .legend = "behavioural model"});
  plot.points(reads, table, {.color = 0, .legend = "error table"});
  return figure(
      plot.svg(),
      "What stays at the right is frozen on the chip; a table that makes it read noise would fall towards zero.");
}

/// A small picture of an interval against its tolerance.
std::string bullet(const Check& c) {
  constexpr double kWidth = 150, kHeight = 18;
  Range r;
  for (const double value : {c.low, c.high, c.value.low, c.value.high, c.value.estimate}) r.include(value);
  if (r.empty || !std::isfinite(c.value.estimate)) return {};
  r = r.padded(0.12);
  const auto x = [&](double value, double fallback) {
    return coordinate(std::isfinite(value) ? kWidth * std::clamp((value - r.low) / r.width(), 0.0, 1.0) : fallback);
  };
  const double left = std::stod(x(c.low, 0)), right = std::stod(x(c.high, kWidth));
  std::string out = fmt::format(
      "<svg class=\"bullet {}\" viewBox=\"0 0 150 18\" role=\"img\" aria-label=\"interval and tolerance\" "
      "xmlns=\"http://www.w3.org/2000/svg\">\n<rect class=\"tolerance\" x=\"{}\" y=\"1\" width=\"{}\" "
      "height=\"{}\"/>\n",
      to_string(c.color), coordinate(left), coordinate(std::max(1.0, right - left)), coordinate(kHeight - 2));
  out += fmt::format("<path class=\"stroke-status\" d=\"M{} 9H{}\"/>\n", x(c.value.low, 0), x(c.value.high, kWidth));
  return out +
         fmt::format("<circle class=\"fill-status\" cx=\"{}\" cy=\"9\" r=\"4\"/></svg>\n", x(c.value.estimate, 0));
}

std::string status(Color color) {
  const char* sign = color == Color::kGreen ? "✓" : color == Color::kRed ? "✗" : "?";
  return fmt::format("<span class=\"status {0}\">{1} {0}</span>", to_string(color), sign);
}

std::string tolerance_text(const Check& c) {
  const bool from = std::isfinite(c.low), to = std::isfinite(c.high);
  if (from && to) return fmt::format("{} … {}", number(c.low), number(c.high));
  return from ? "≥ " + number(c.low) : to ? "≤ " + number(c.high) : "any";
}

const char* level_title(int level) {
  switch (level) {
    case 1:
      return "Level 1: model against circuit";
    case 2:
      return "Level 2: table against model";
    case 3:
      return "Level 3: network by table against network by model";
    case 4:
      return "Level 4: error rates after training";
    case 5:
      return "Level 5: specification";
    default:
      return "Other checks";
  }
}

std::string check_table(const Verification& v) {
  Table t{.header = {"Check", "Verdict", "Interval (line) in tolerance (grey)", "Measured [95 % interval]", "Tolerance",
                     "Unit"},
          .rows = {},
          .text_columns = 3,
          .caption =
              "Green: the whole interval lies inside the tolerance. Red: it lies outside. Inconclusive: more chips "
              "decide."};
  const char* group = nullptr;
  for (const auto& c : v.checks) {
    if (const char* title = level_title(c.level); title != group) t.rows.push_back({group = title});
    const std::string advice = c.color == Color::kGreen || c.advice.empty()
                                   ? ""
                                   : fmt::format("<span class=\"advice\">{}</span>", escape(c.advice));
    t.rows.push_back({escape(c.name) + advice, status(c.color), bullet(c), with_interval(c.value), tolerance_text(c),
                      c.unit == "1" ? "" : escape(c.unit)});
  }
  return table_html(t);
}

std::string layer_table(const Verification& v) {
  Table t{.header = {"Layer", "P(code ≠ ideal), %<br/>observed", "<br/>predicted", "mean |Δcode|<br/>observed",
                     "<br/>predicted", "P(|Δcode| &gt; 2), %<br/>observed", "<br/>predicted", "out of support,<br/>%"},
          .rows = {},
          .caption = "Error rates of each layer on the trained network's own operands; |Δcode| in ADC steps."};
  const auto percent = [](const Interval& i) { return with_interval({100 * i.estimate, 100 * i.low, 100 * i.high}); };
  for (const auto& l : v.layers)
    t.rows.push_back({std::to_string(l.layer), percent(l.observed_change), percent(l.predicted_change),
                      with_interval(l.observed_magnitude), with_interval(l.predicted_magnitude),
                      number(100 * l.observed_large, 2), number(100 * l.predicted_large, 2),
                      number(100 * l.out_of_support, 2)});
  return table_html(t);
}

constexpr RatePicture kChange{"verification-change",
                              "Predicted against observed rate of changed codes by layer",
                              "P(code ≠ ideal) [%]",
                              "One marker per layer: inside the grey band the table predicts how often a code changes.",
                              &LayerErrors::observed_change,
                              &LayerErrors::predicted_change,
                              100.0,
                              [](double observed) { return std::max(0.5, 0.1 * std::fabs(observed)); }};
constexpr RatePicture kMagnitude{"verification-magnitude",
                                 "Predicted against observed mean code error by layer",
                                 "mean |Δcode| [ADC step]",
                                 "The same for how large the change is; the band is ±0.05 ADC step.",
                                 &LayerErrors::observed_magnitude,
                                 &LayerErrors::predicted_magnitude,
                                 1.0,
                                 [](double) { return 0.05; }};

}  // namespace

std::string verification_chapter(const ReportInput& in) {
  Chapter chapter{"verification",
                  "6. Verification: does the prediction hold?",
                  "Each level is compared with the one below it, on chips that the upper one has not seen.",
                  {}};
  if (in.verification == nullptr) {
    chapter.body = not_run("verify");
    return chapter_html(chapter);
  }
  const Verification& v = *in.verification;
  chapter.body = figures(
      {rate_figure(v, kChange), rate_figure(v, kMagnitude), replay_figure(v), distance_figure(v), averaging_figure(v)});
  chapter.body += check_table(v) + layer_table(v);
  if (v.checks.empty()) chapter.body += paragraph("The verification holds no check.");
  return chapter_html(chapter);
}

}  // namespace errata::report
