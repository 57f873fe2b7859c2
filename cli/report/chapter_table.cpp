#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/svg_heat_map.h"
#include "cli/report/svg_plot.h"
#include "cli/report/text.h"
#include "errormodel/error_table.h"
#include "verification/verdict.h"

namespace errata::report {

namespace {

using errormodel::ErrorTable;

constexpr double kSupported = 10.0;  // observations below which a node is hatched

HeatMap surface_map(const ErrorTable& t, std::string name, std::string title, const std::vector<double>& value) {
  HeatMap m{.name = std::move(name),
            .title = std::move(title),
            .x_label = "static state y [MAC unit]",
            .y_label = "total drive a [levels]"};
  m.x_low = t.axes.y_low;
  m.x_high = t.axes.y_high;
  m.y_low = t.axes.a_low;
  m.y_high = t.axes.a_high;
  m.x_cells = t.axes.y_points;
  m.y_cells = t.axes.a_points;
  m.value = value;
  if (t.support_count.size() == value.size()) {
    for (const double count : t.support_count) m.hatched.push_back(!(count >= kSupported));
    m.hatch_legend = "fewer than 10 observations, continued smoothly";
  }
  return m;
}

std::string mean_figure(const ErrorTable& t) {
  HeatMap m = surface_map(t, "table-mu", "Deterministic shift over MAC value and total drive", t.mu);
  m.value_label = "μ(y, a) [MAC unit]";
  m.shades = Shades::kDiverging;
  return figure(heat_map_svg(m),
                "White is no error; red reads too high, blue too low. Opposite colours at the two ends are compression "
                "or expansion.");
}

std::string sigma_figure(const ErrorTable& t) {
  HeatMap m = surface_map(t, "table-sigma", "Read noise over MAC value and total drive", t.dynamic_sigma);
  m.value_label = "σ_D(y, a) [MAC unit]";
  return figure(heat_map_svg(m),
                "Noise that is new at every read; where it grows with a, the cells make it, where it does not, the "
                "sense path does.");
}

std::vector<double> indices(std::size_t count) {
  std::vector<double> k;
  for (std::size_t i = 0; i < count; ++i) k.push_back(static_cast<double>(i));
  return k;
}

std::vector<std::string> level_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

std::string level_figure(const ErrorTable& t) {
  std::vector<Interval> deviation;
  for (std::size_t k = 0; k < t.level.size(); ++k) {
    const double d = t.level[k] - static_cast<double>(k), s = k < t.cell_sigma.size() ? t.cell_sigma[k] : 0.0;
    deviation.push_back({d, d - s, d + s});
  }
  Plot plot({.name = "table-levels",
             .title = "Deviation of the mean level from the ideal one",
             .x = {.label = "stored level k", .names = level_names(t.level.size())},
             .y = {.label = "g(k) − k [MAC unit]"}});
  plot.horizontal(0, {.color = -1});
  plot.error_bars(indices(t.level.size()), deviation,
                  {.color = 0, .legend = "mean level; whisker: ± s(k), one σ of the cells"});
  return figure(plot.svg(),
                "Markers on the line are evenly spaced levels; the whiskers show how far single cells stray.");
}

std::string cell_sigma_figure(const ErrorTable& t) {
  std::vector<Interval> s;
  for (std::size_t k = 0; k < t.cell_sigma.size(); ++k) {
    Interval i{t.cell_sigma[k], t.cell_sigma[k], t.cell_sigma[k]};
    if (k < t.cell_interval.size()) {
      i.low = std::sqrt(std::max(0.0, t.cell_interval[k].low));
      i.high = std::sqrt(std::max(0.0, t.cell_interval[k].high));
    }
    s.push_back(i);
  }
  Range range = from_zero(t.cell_sigma);
  for (const auto& i : s) range.include(1.08 * i.high);
  Plot plot({.name = "table-cell-sigma",
             .title = "Spread of the cells by stored level",
             .x = {.label = "stored level k", .names = level_names(t.cell_sigma.size())},
             .y = {.label = "s(k) [MAC unit]", .range = range}});
  plot.error_bars(indices(t.cell_sigma.size()), s, {.color = 2, .legend = "estimate with 95 % interval"});
  return figure(
      plot.svg(),
      "Frozen spread of single cells: the level with the largest s(k) decides what programming has to improve.");
}

/// Estimates come as the six distinct entries 00, 01, 02, 11, 12, 22 of a symmetric matrix.
std::vector<Interval> diagonal(const std::vector<Interval>& six) {
  if (six.size() != 6) return {};
  return {six[0], six[3], six[5]};
}

std::string covariance_figure(const ErrorTable& t) {
  const auto chip = diagonal(t.chip_interval), column = diagonal(t.column_interval);
  Plot plot(
      {.name = "table-covariance",
       .title = "Variances that chips and columns share, by term",
       .x = {.label = "term of φ, scaled to unit RMS over the design", .names = {"offset\n1", "gain\ny", "drive\na"}},
       .y = {.label = "variance [MAC unit²]"}});
  plot.horizontal(0, {.color = -1});
  if (!chip.empty()) plot.error_bars(indices(3), chip, {.color = 0, .legend = "common to a chip, Σ_C", .shift = -8});
  if (!column.empty()) plot.error_bars(indices(3), column, {.color = 1, .legend = "own to a column, Σ_K", .shift = 8});
  if (plot.empty()) return {};
  return figure(plot.svg(),
                "Frozen errors by where they are shared, with 95 % intervals; an interval that holds zero is a term "
                "that was not found.");
}

std::string source_figure(const ErrorTable& t) {
  const std::size_t sources = t.source_names.size(), nodes = t.axes.size();
  if (sources == 0 || t.source_variance.size() != sources * nodes) return {};
  std::vector<double> total(sources, 0.0);
  double all = 0;
  for (std::size_t s = 0; s < sources; ++s)
    for (std::size_t n = 0; n < nodes; ++n) {
      const double weight = t.support_count.size() == nodes ? t.support_count[n] : 1.0;
      if (const double v = weight * t.source_variance[s * nodes + n]; std::isfinite(v)) total[s] += v, all += v;
    }
  if (!(all > 0)) return {};
  std::vector<std::string> texts;
  for (double& share : total) {
    share *= 100.0 / all;
    texts.push_back(share > 0 && share < 0.1 ? "< 0.1 %" : fixed(share, 1) + " %");
  }
  Plot plot({.name = "table-sources",
             .title = "Shares of the read noise variance by source",
             .x = {.label = "share of the variance σ_D² [%]", .range = {0, 100, false}},
             .y = {.label = "source", .names = t.source_names},
             .plot_height = std::clamp(34.0 * static_cast<double>(sources), 70.0, 320.0)});
  plot.named_bars(total, texts, {.color = 0});
  return figure(plot.svg(),
                "Who makes the read noise, averaged over the operands of the design: the longest bars are where an "
                "engineer's time pays.");
}

/// P(code | ideal code) around the diagonal: as wide as the band that holds 99 % of every row.
std::string code_figure(const ErrorTable& t) {
  if (t.adc.bits < 1 || t.adc.bits > 10) return {};
  const int codes = 1 << t.adc.bits;
  if (t.code_pmf.size() != static_cast<std::size_t>(codes) * static_cast<std::size_t>(codes)) return {};
  const auto p = [&](int ideal, int code) {
    return t
        .code_pmf[static_cast<std::size_t>(ideal) * static_cast<std::size_t>(codes) + static_cast<std::size_t>(code)];
  };
  const auto never_seen =
      [&](int ideal) {  // the compiler writes a uniform row for a code that the design never reached
        for (int code = 0; code < codes; ++code)
          if (std::fabs(p(ideal, code) - 1.0 / codes) > 1e-12) return false;
        return true;
      };
  int reach = 1;
  for (int ideal = 0; ideal < codes; ++ideal) {
    if (never_seen(ideal)) continue;
    double inside = 0;
    int r = 0;
    for (; r < codes; ++r) {
      if (ideal + r < codes) inside += p(ideal, ideal + r);
      if (r > 0 && ideal - r >= 0) inside += p(ideal, ideal - r);
      if (inside >= 0.99) break;
    }
    reach = std::max(reach, std::min(r, 16));
  }
  HeatMap m{.name = "table-codes",
            .title = "Probability of each code error for each ideal code",
            .x_label = "ideal ADC code",
            .y_label = "code − ideal code",
            .value_label = "probability"};
  m.x_low = t.adc.lowest_code();
  m.x_high = t.adc.highest_code();
  m.y_low = -reach;
  m.y_high = reach;
  m.x_cells = static_cast<std::size_t>(codes);
  m.y_cells = static_cast<std::size_t>(2 * reach + 1);
  // The two end codes collect everything that is clipped; they would leave the others dark.
  for (int ideal = 1; ideal + 1 < codes; ++ideal)
    for (int code = 0; code < codes; ++code)
      if (!never_seen(ideal)) m.value_high = std::max(m.value_high, p(ideal, code));
  bool any_hatched = false;
  for (int ideal = 0; ideal < codes; ++ideal)
    for (int d = -reach; d <= reach; ++d) {
      const bool unknown = never_seen(ideal), exists = ideal + d >= 0 && ideal + d < codes;
      m.value.push_back(!unknown && exists ? p(ideal, ideal + d) : std::nan(""));
      m.hatched.push_back(unknown && exists);
      any_hatched = any_hatched || (unknown && exists);
    }
  if (any_hatched) m.hatch_legend = "never reached by the design";
  return figure(heat_map_svg(m),
                "A bright row at zero and darkness elsewhere would be an ADC that is always right; a slant is "
                "nonlinearity. The two end codes collect what is clipped.");
}

std::string bin_figure(const verification::Verification& v) {
  std::vector<double> y;
  std::vector<Interval> model, table;
  for (const auto& b : v.bins) {
    y.push_back(0.5 * (b.y_low + b.y_high));
    model.push_back({b.model_mean, b.model_mean - b.model_sigma, b.model_mean + b.model_sigma});
    table.push_back({b.table_mean, b.table_mean - b.table_sigma, b.table_mean + b.table_sigma});
  }
  Plot plot({.name = "table-bins",
             .title = "Error over the MAC value by model and by table",
             .x = {.label = "ideal MAC value y"},
             .y = {.label = "error [MAC unit], mean ± σ"}});
  plot.horizontal(0, {.color = -1});
  plot.error_bars(y, model, {.color = 1, .legend = "behavioural model", .shift = -3});
  plot.error_bars(y, table, {.color = 0, .legend = "error table", .shift = 3});
  if (plot.empty()) return {};
  return figure(plot.svg(),
                "On the trained network's own operands, marker and whisker of the table should lie beside those of the "
                "model in every bin.");
}

/// What the error may depend on, and what each covariate buys on other operands.
std::string covariate_table(const ErrorTable& t) {
  Table table{.header = {"Term", "Covariate", "Decision", "Error of transfer without [σ]", "with [σ]",
                         "± of the difference", "Explains on its own operands, %"},
              .rows = {},
              .text_columns = 3,
              .caption =
                  "Covariates are judged by how well a table carries over to other operands, in units of the whole "
                  "error's σ."};
  const auto tried = [](const errormodel::CovariateTrial& c, double value, int digits) {
    return c.tried() ? number(value, digits) : std::string("–");
  };
  for (const auto& c : t.record.covariates)
    table.rows.push_back({escape(c.term), escape(c.covariate),
                          fmt::format("{}: {}", c.kept ? "kept" : "left out", escape(c.reason)),
                          tried(c, c.error_without, 2), tried(c, c.error_with, 2), tried(c, c.standard_error, 1),
                          tried(c, 100 * c.explained, 2)});
  return table_html(table);
}

}  // namespace

std::string table_chapter(const ReportInput& in) {
  Chapter chapter{"table",
                  "3. From the model to the error table",
                  "The table condenses millions of virtual conversions into what a training loop can draw quickly: a "
                  "deterministic shift, frozen "
                  "errors of chip, column and cell, and read noise.",
                  {}};
  if (in.table == nullptr) {
    chapter.body = not_run("compile");
    return chapter_html(chapter);
  }
  const ErrorTable& t = *in.table;
  std::vector<std::string> surfaces, parts;
  if (t.mu.size() == t.axes.size()) surfaces.push_back(mean_figure(t));
  if (t.dynamic_sigma.size() == t.axes.size()) surfaces.push_back(sigma_figure(t));
  if (!t.level.empty()) parts.push_back(level_figure(t));
  if (!t.cell_sigma.empty()) parts.push_back(cell_sigma_figure(t));
  parts.push_back(covariance_figure(t));
  parts.push_back(source_figure(t));
  std::vector<std::string> outcome{code_figure(t)};
  if (in.verification != nullptr && !in.verification->bins.empty()) outcome.push_back(bin_figure(*in.verification));
  chapter.body = subheading("The same for every chip, and new at every read") + figures(surfaces) +
                 subheading("Frozen on each chip, and the sources of noise") + figures(parts) +
                 subheading("What comes out") + figures(outcome);
  chapter.body += covariate_table(t);
  chapter.body += paragraph(fmt::format(
      "{}-bit ADC over ±{} MAC units, in steps of {}; {} operands; static terms from {}; one MAC unit is {}. Without "
      "mismatch, the deterministic part leaves "
      "{} MAC units unexplained.",
      t.adc.bits, number(t.adc.range, 4), number(t.adc.step(), 4), escape(t.operands),
      counted(t.columns_used, "virtual column"), quantity(std::fabs(t.unit), t.output_unit, 4),
      number(t.residual_sigma, 2)));
  return chapter_html(chapter);
}

}  // namespace errata::report
