#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/model.h"
#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/svg_plot.h"
#include "cli/report/text.h"

namespace errata::report {

namespace {

using behavioral::BehavioralModel;
using behavioral::ValidationReport;

std::string error_figure(const ValidationReport& v) {
  Plot plot({.name = "column-error",
             .title = "Error of whole columns in ngspice against the ideal MAC value",
             .x = {.label = "ideal MAC value y"},
             .y = {.label = "error of the column [MAC unit]"}});
  plot.horizontal(0, {.color = -1});
  plot.points(v.mac, v.circuit_error, {.color = 1, .legend = "ngspice"});
  return figure(plot.svg(), "What the circuit does wrong: a bent cloud is nonlinearity, its thickness is mismatch.");
}

std::string residual_figure(const ValidationReport& v) {
  Plot plot({.name = "column-residual",
             .title = "Difference of model and ngspice against the ideal MAC value",
             .x = {.label = "ideal MAC value y"},
             .y = {.label = "model − ngspice [MAC unit]"}});
  plot.horizontal(0, {.color = -1});
  plot.points(v.mac, v.residual, {.color = 0, .legend = "one conversion of a held-out chip"});
  return figure(plot.svg(), "What the model leaves of that error: compare the numbers on the two vertical axes.");
}

std::string histogram_figure(const ValidationReport& v) {
  const Histogram h = histogram(v.residual, 41);
  Plot plot({.name = "column-histogram",
             .title = "Histogram of the difference of model and ngspice",
             .x = {.label = "model − ngspice [MAC unit]"},
             .y = {.label = "share of conversions [%]", .range = from_zero(h.percent)}});
  plot.bars(h.edges, h.percent, {.color = 0});
  plot.vertical(0, {.color = -1, .dashed = true});
  return figure(plot.svg(),
                "A narrow peak at zero says that the model is unbiased; long tails would name operands that it does "
                "not understand.");
}

std::string numbers_table(const BehavioralModel& m) {
  const ValidationReport& v = m.validation;
  Table t{.header = {"Quantity", "Value"},
          .rows = {},
          .caption = "Columns that no fit has seen, in MAC units; the interval is over chips."};
  t.rows = {{"RMS of model − ngspice [95 %]", with_interval({v.rms, v.rms_low, v.rms_high})},
            {"largest difference", number(v.maximum)},
            {"mean difference (bias)", number(v.bias, 2)},
            {"R² of the error", fixed(v.r_squared, 6)},
            {"RMS of the worst chip", number(v.worst_chip_rms)},
            {"RMS of the worst operand", number(v.worst_operand_rms)},
            {"for scale: σ of the columns' whole error", number(v.total_sigma)},
            {"for scale: largest |y|", number(v.full_scale, 4)},
            {"one MAC unit", quantity(v.unit, m.array.unit, 4)}};
  if (m.family != nullptr) {
    t.rows.push_back({"column model", escape(m.family->name())});
    t.rows.push_back({"valid for", escape(m.family->validity())});
  }
  if (std::isfinite(v.noise_ratio)) t.rows.push_back({"thermal noise, model ÷ ngspice", fixed(v.noise_ratio, 3)});
  return table_html(t);
}

/// Candidate degrees; the chosen one is marked.
std::string degree_table(const BehavioralModel& m) {
  constexpr std::size_t kColumns = 7;
  Table t{
      .header = {"Degree", "RMS", "Largest", "RMS, held out", "Largest, held out", "Condition number",
                 "Widest 95 % half-width", "What it is"},
      .rows = {},
      .caption =
          "Candidates of the family, errors relative to the cell's current or charge or to the spread of the columns' "
          "outputs; held-out mismatch samples or chips choose (✓). Above a condition number of 1e6 parameters blur."};
  for (std::size_t i = 0; i < m.fit_quality.size() / kColumns; ++i) {
    const double* q = m.fit_quality.data() + kColumns * i;
    std::vector<std::string> row{(i == m.chosen ? "✓ " : "") + number(q[0])};
    for (std::size_t k = 1; k < kColumns; ++k) row.push_back(number(q[k], 2));
    row.push_back(i < m.fit_labels.size() ? escape(m.fit_labels[i]) : "");
    if (i == m.chosen)
      for (auto& cell : row) cell = fmt::format("<strong>{}</strong>", cell);
    t.rows.push_back(std::move(row));
  }
  return table_html(t);
}

/// Every parameter of the chosen fit, folded away.
std::string parameter_table(const std::vector<behavioral::FittedParameter>& parameters) {
  if (parameters.empty()) return {};
  Table t{.header = {"Parameter", "Estimate [95 %]", "Condition number"},
          .rows = {},
          .caption =
              "Intervals take the residuals of each regression as random; where the simulator's numbers leave "
              "none, they are as narrow as the fit is exact."};
  const std::string* last = nullptr;
  std::size_t undetermined = 0;
  for (const auto& p : parameters) {
    if (last == nullptr || *last != p.regression) t.rows.push_back({escape(p.regression)});
    last = &p.regression;
    undetermined += p.identifiable ? 0 : 1;
    t.rows.push_back({escape(p.name), p.identifiable ? with_interval(p.interval) : "not determined by the data",
                      number(p.condition_number, 2)});
  }
  return fmt::format("<details><summary>{} of the chosen fit with intervals; {}</summary>\n{}</details>\n",
                     counted(parameters.size(), "parameter"),
                     undetermined == 0 ? "the data determine all of them"
                                       : fmt::format("the data do not determine {} of them", undetermined),
                     table_html(t));
}

std::string curve_table(const std::vector<FittedCurve>& curves) {
  if (curves.empty()) return {};
  Table t{.header = {"Form", "Least squares by", "RMS", "Parameters [95 %]"},
          .rows = {},
          .caption =
              "A conversion's curve over the ADC's range, fitted to ngspice's columns (methods §4.1): by Ceres "
              "and, for comparison, by the trainer's own optimiser. RMS in MAC units; it holds the mismatch "
              "of the columns, which no curve can explain."};
  for (const auto& c : curves) {
    std::string parameters;
    for (const auto& [name, i] : c.parameters)
      parameters += fmt::format("{}{} = {}", parameters.empty() ? "" : ", ", escape(name), with_interval(i));
    t.rows.push_back(
        {escape(c.form), escape(c.by), number(c.rms), parameters + (c.converged ? "" : " (did not converge)")});
  }
  return table_html(t);
}

std::string point_table(const std::vector<PointFit>& points) {
  if (points.empty()) return {};
  Table t{.header = {"Operating point", "RMS of model − ngspice [95 %]", "Largest", "RMS, interpolated without it"},
          .rows = {},
          .caption =
              "Columns at each operating point, in MAC units. The last number tells how far values between the "
              "points can be trusted."};
  for (const auto& p : points)
    t.rows.push_back({(p.passed ? "✓ " : "✗ ") + escape(p.name), with_interval(p.rms), number(p.maximum),
                      std::isfinite(p.interpolation_rms) ? number(p.interpolation_rms) : "—"});
  return table_html(t);
}

}  // namespace

std::string column_chapter(const ReportInput& in) {
  Chapter chapter{"columns",
                  "2. From the cell to the column: the behavioural model",
                  "The fitted cell, mismatch, wires and clamp make a column without a simulator. It has to give what "
                  "ngspice gives for whole "
                  "columns that it was never fitted to.",
                  {}};
  if (in.model == nullptr) {
    chapter.body = not_run("fit");
    return chapter_html(chapter);
  }
  const ValidationReport& v = in.model->validation;
  chapter.body = v.passed ? paragraph("<span class=\"status green\">✓ The model meets its specification.</span>")
                          : paragraph(
                                "<span class=\"status red\">✗ The model misses its specification.</span> Read "
                                "everything below with that in mind.");
  const bool drawable = !v.mac.empty() && v.mac.size() == v.residual.size() && v.mac.size() == v.circuit_error.size();
  if (!drawable) {
    chapter.body += paragraph("The model file holds no conversions to draw.") + numbers_table(*in.model);
  } else {
    chapter.body += figures({error_figure(v), residual_figure(v), histogram_figure(v), numbers_table(*in.model)});
    if (v.mac.size() > Plot::kMostPoints)
      chapter.body += paragraph(
          fmt::format("The clouds show {} of {} conversions; the numbers use all.", Plot::kMostPoints, v.mac.size()));
  }
  chapter.body += point_table(in.points) + degree_table(*in.model) + parameter_table(in.model->parameters) +
                  curve_table(in.fitted_curves);
  return chapter_html(chapter);
}

}  // namespace errata::report
