#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/line/current_mode.h"
#include "behavioral/model.h"
#include "circuit/characterization.h"
#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/svg_plot.h"
#include "cli/report/text.h"

namespace errata::report {

namespace {

using behavioral::CellModel;
using circuit::CellSurface;

/// What the two pictures draw: the highest input level, the source line nearest to 0 V, axes in prefixed units.
struct View {
  std::size_t x = 0, s = 0;
  UnitScale amperes, volts;
};

View view_of(const CellSurface& c) {
  View v;
  v.x = c.input_levels_volts.size() - 1;
  for (std::size_t s = 0; s < c.source_line_volts.size(); ++s)
    if (std::fabs(c.source_line_volts[s]) < std::fabs(c.source_line_volts[v.s])) v.s = s;
  double largest = 0;
  for (std::size_t level = 0; level < c.weight_levels.size(); ++level)
    for (std::size_t b = 0; b < c.bit_line_volts.size(); ++b)
      if (const double i = std::fabs(c.current(v.x, level, 0, v.s, b)); std::isfinite(i))
        largest = std::max(largest, i);
  v.amperes = unit_scale(largest, "A");
  v.volts = unit_scale(*std::ranges::max_element(c.bit_line_volts), "V");
  return v;
}

bool usable(const CellSurface& c) {
  const std::size_t wanted = c.input_levels_volts.size() * c.weight_levels.size() * c.mismatch_count() *
                             c.source_line_volts.size() * c.bit_line_volts.size();
  return wanted > 0 && c.current_amperes.size() >= wanted;
}

bool fits(const CellModel& m, const CellSurface& c) {
  return m.inputs >= c.input_levels_volts.size() && m.levels >= c.weight_levels.size() &&
         m.terms == c.cell_terms.size() && m.monomials() > 0;
}

/// σ of the cell's current over its unit draws, to first order.
double current_sigma(const CellModel& m, std::size_t x, std::size_t level, double bit_volts, double source_volts) {
  std::vector<double> z(m.terms, 0.0);
  double variance = 0;
  for (std::size_t t = 0; t < m.terms; ++t) {
    z[t] = 1;
    const double up = m.current(x, level, bit_volts, source_volts, z);
    z[t] = -1;
    const double down = m.current(x, level, bit_volts, source_volts, z);
    z[t] = 0;
    variance += 0.25 * (up - down) * (up - down);
  }
  return std::sqrt(variance);
}

void add_model(Plot& plot, const CellSurface& c, const CellModel& m, const View& v, std::size_t level) {
  constexpr std::size_t kPoints = 41;
  const std::vector<double> none(m.terms, 0.0);
  const double low = std::max(m.lowest_volts, c.bit_line_volts.front()),
               high = std::min(m.highest_volts, c.bit_line_volts.back());
  std::vector<double> x, y, y_low, y_high;
  for (std::size_t k = 0; k < kPoints; ++k) {
    const double volts = low + (high - low) * static_cast<double>(k) / (kPoints - 1);
    const double current = m.current(v.x, level, volts, c.source_line_volts[v.s], none);
    const double sigma = current_sigma(m, v.x, level, volts, c.source_line_volts[v.s]);
    x.push_back(volts * v.volts.factor);
    y.push_back(current * v.amperes.factor);
    y_low.push_back((current - sigma) * v.amperes.factor);
    y_high.push_back((current + sigma) * v.amperes.factor);
  }
  const int color = static_cast<int>(level);
  plot.band(x, y_low, y_high, {.color = color});
  plot.line(x, y, {.color = color, .end_label = fmt::format("level {}", level)});
}

std::string surface_figure(const CellSurface& c, const CellModel* m, double clamp_volts) {
  const View v = view_of(c);
  Plot plot({.name = "cell-surface",
             .title = "Cell current against bit-line voltage for each stored level",
             .x = {.label = fmt::format("bit-line voltage [{}]", v.volts.unit)},
             .y = {.label = fmt::format("cell current [{}]", v.amperes.unit)}});
  if (clamp_volts >= c.bit_line_volts.front() && clamp_volts <= c.bit_line_volts.back())
    plot.vertical(clamp_volts * v.volts.factor, {.color = -1, .legend = "clamp voltage", .dashed = true});
  for (std::size_t level = 0; level < c.weight_levels.size(); ++level) {
    if (m != nullptr) add_model(plot, c, *m, v, level);
    std::vector<double> x, y;
    for (std::size_t b = 0; b < c.bit_line_volts.size(); ++b) {
      x.push_back(c.bit_line_volts[b] * v.volts.factor);
      y.push_back(c.current(v.x, level, 0, v.s, b) * v.amperes.factor);
    }
    plot.points(x, y, {.color = static_cast<int>(level), .legend = m == nullptr ? fmt::format("level {}", level) : ""});
  }
  return figure(
      plot.svg(),
      m == nullptr
          ? "Markers are ngspice without mismatch; equal distances between the levels would make an ideal cell."
          : "Markers (ngspice without mismatch) should sit on the lines (fitted model); each band is one standard "
            "deviation of mismatch to either side.");
}

std::string residual_figure(const CellSurface& c, const CellModel& m) {
  const View v = view_of(c);
  const std::size_t terms = c.cell_terms.size();
  Plot plot({.name = "cell-residual",
             .title = "Relative error of the fitted cell current over all mismatch samples",
             .x = {.label = fmt::format("cell current in ngspice [{}]", v.amperes.unit)},
             .y = {.label = "model − ngspice [% of the current]"}});
  plot.horizontal(0, {.color = -1});
  double worst = 0;
  for (std::size_t level = 0; level < c.weight_levels.size(); ++level) {
    std::vector<double> x, y;
    for (std::size_t sample = 0; sample < c.mismatch_count(); ++sample) {
      const std::vector<double> z(c.mismatch_points.begin() + static_cast<std::ptrdiff_t>(sample * terms),
                                  c.mismatch_points.begin() + static_cast<std::ptrdiff_t>((sample + 1) * terms));
      for (std::size_t b = 0; b < c.bit_line_volts.size(); ++b) {
        const double exact = c.current(v.x, level, sample, v.s, b);
        const double error =
            100 * (m.current(v.x, level, c.bit_line_volts[b], c.source_line_volts[v.s], z) / exact - 1);
        x.push_back(exact * v.amperes.factor);
        y.push_back(error);
        if (std::isfinite(error)) worst = std::max(worst, std::fabs(error));
      }
    }
    plot.points(x, y, {.color = static_cast<int>(level), .legend = fmt::format("level {}", level)});
  }
  return figure(plot.svg(), fmt::format("Every simulated mismatch sample and voltage: a good fit is a thin cloud "
                                        "around zero; the worst point is {} % off.",
                                        number(worst, 2)));
}

std::string scope_title(MismatchScope scope) {
  return scope == MismatchScope::kCell ? "each cell" : scope == MismatchScope::kColumn ? "each bit line" : "each chip";
}

/// σ with the unit that the parameter's name implies; else in its SI unit.
std::string sigma_text(const MismatchTerm& term, double sigma) {
  const auto holds = [&](const char* part) { return term.parameter.find(part) != std::string::npos; };
  if (holds("voltage") || holds("vto")) return quantity(sigma, "V");
  if (holds("current")) return quantity(sigma, "A");
  if (holds("resistance")) return quantity(sigma, "Ω");
  return number(sigma) + " (SI)";
}

/// Transient reads: what a cell draws from the line, without mismatch and over all mismatch samples.
std::string charge_figure(const circuit::Characterization& c) {
  const auto& volts = c.charge.final_volts;
  const std::size_t samples = c.cell.mismatch_count(), levels = c.cell.weight_levels.size();
  const auto charge = [&](std::size_t x, std::size_t level, std::size_t m, std::size_t f) {
    return c.charge.charge_coulombs[((x * levels + level) * samples + m) * volts.size() + f];
  };
  double largest = 0.0, highest = 0.0;
  for (const double q : c.charge.charge_coulombs)
    if (std::isfinite(q)) largest = std::max(largest, std::fabs(q));
  for (const double v : volts)
    if (std::isfinite(v)) highest = std::max(highest, std::fabs(v));
  const UnitScale coulombs = unit_scale(largest, "C"), end = unit_scale(highest, "V");
  Plot plot({.name = "cell-charge",
             .title = "Charge that a cell draws from the bit line against the voltage where the line ends",
             .x = {.label = fmt::format("end voltage of the bit line [{}]", end.unit)},
             .y = {.label = fmt::format("charge drawn [{}]", coulombs.unit)}});
  plot.horizontal(0, {.color = -1});
  for (std::size_t x = 0; x < 2; ++x)
    for (std::size_t level = 0; level < levels; ++level) {
      std::vector<double> at, nominal, low, high;
      for (std::size_t f = 0; f < volts.size(); ++f) {
        if (!std::isfinite(volts[f]) || !std::isfinite(charge(x, level, 0, f))) continue;
        at.push_back(volts[f] * end.factor);
        nominal.push_back(charge(x, level, 0, f) * coulombs.factor);
        low.push_back(nominal.back());
        high.push_back(nominal.back());
        for (std::size_t m = 0; m < samples; ++m)
          if (const double q = charge(x, level, m, f) * coulombs.factor; std::isfinite(q)) {
            low.back() = std::min(low.back(), q);
            high.back() = std::max(high.back(), q);
          }
      }
      const int color = static_cast<int>(x * levels + level);
      if (samples > 1) plot.band(at, low, high, {.color = color});
      plot.line(at, nominal, {.color = color, .end_label = fmt::format("level {}, input {}", level, x)});
    }
  return figure(plot.svg(),
                "Lines are ngspice without mismatch, bands the whole range of the mismatch samples. A read sums these "
                "charges until the line's own balances them.");
}

std::string conditions(const circuit::Characterization& c) {
  if (c.array.transient())
    return fmt::format("{} rows on a line of {} precharged to {}, word-line pulse {}, {} K; {}.", c.array.rows,
                       quantity(c.array.line_farads, "F"), quantity(c.array.precharge_volts, "V"),
                       quantity(c.array.pulse_seconds, "s"), number(c.array.temperature_kelvin, 5),
                       escape(c.simulator));
  return fmt::format("{} rows, clamp {} behind {}, wire {} per segment, {} K, noise bandwidth {}; {}.", c.array.rows,
                     quantity(c.array.clamp_volts, "V"), quantity(c.array.clamp_ohms, "Ω"),
                     quantity(c.array.wire_ohms, "Ω"), number(c.array.temperature_kelvin, 5),
                     quantity(c.array.bandwidth_hertz, "Hz"), escape(c.simulator));
}

std::string mismatch_table(const circuit::Characterization& c) {
  Table t{.header = {"Mismatch", "Drawn for", "Moves", "Standard deviation (by stored level)"},
          .rows = {},
          .text_columns = 4,
          .caption = "What varies, as the project declares it (severity included)."};
  for (const auto& term : c.mismatch) {
    std::string sigma;
    for (const double s : term.sigma)
      sigma += (sigma.empty() ? "" : ", ") + (term.lognormal ? number(100 * s) + "\u00a0%" : sigma_text(term, s));
    t.rows.push_back({escape(term.name), scope_title(term.scope),
                      fmt::format("{} of {}", escape(term.parameter), escape(term.device)),
                      sigma + (term.lognormal ? " (lognormal)" : "")});
  }
  return table_html(t);
}

/// Sources of the noise of simulated columns, and the elements that have none.
std::string noise_table(const circuit::Characterization& c) {
  Table t{.header = {"Noise of columns", "rms", "Share of the variance"},
          .rows = {},
          .text_columns = 1,
          .caption = fmt::format("Mean over {} simulated reads.", c.columns.noise_square.size())};
  for (const auto& source : circuit::mean_noise_shares(c))
    if (std::isfinite(source.share))
      t.rows.push_back(
          {escape(source.name), quantity(source.sigma, std::string(c.array.unit)),
           source.share > 0 && source.share < 1e-3 ? "< 0.1\u00a0%" : fixed(100 * source.share, 1) + "\u00a0%"});
  std::string text = t.rows.empty() ? "" : table_html(t);
  if (!c.silent_elements.empty())
    text += paragraph(
        fmt::format("Without noise in ngspice: {}.", escape(fmt::format("{}", fmt::join(c.silent_elements, ", ")))));
  return text;
}

}  // namespace

std::string cell_chapter(const ReportInput& in) {
  Chapter chapter{
      "cell",
      "1. From the netlist to the cell",
      "ngspice measured one cell between ideal sources: this is what the later stages know of the transistor and the "
      "memory element.",
      {}};
  if (in.characterization == nullptr) {
    chapter.body = not_run("characterize");
    return chapter_html(chapter);
  }
  const auto& c = *in.characterization;
  if (c.array.transient() ? c.charge.charge_coulombs.empty() : !usable(c.cell)) {
    chapter.body =
        paragraph("The characterisation holds no measurements of the cell.") + mismatch_table(c) + noise_table(c);
    return chapter_html(chapter);
  }
  std::vector<std::string> pictures;
  if (c.array.transient()) {
    pictures.push_back(charge_figure(c));
  } else {
    const auto* family =
        in.model == nullptr ? nullptr : dynamic_cast<const behavioral::CurrentMode*>(in.model->family.get());
    const CellModel* model = family != nullptr && fits(family->cell, c.cell) ? &family->cell : nullptr;
    pictures.push_back(surface_figure(c.cell, model, c.array.clamp_volts));
    if (model != nullptr) pictures.push_back(residual_figure(c.cell, *model));
  }
  std::string facts = conditions(c);
  if (c.failed_points > 0 || c.suspect_points > 0)
    facts += fmt::format(" {} operating points failed and {} are suspect.", c.failed_points, c.suspect_points);
  chapter.body = figures(pictures) + paragraph(facts) + mismatch_table(c) + noise_table(c);
  return chapter_html(chapter);
}

}  // namespace errata::report
