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

using verification::AccuracyRow;
using verification::Verification;

std::string strip_figure(const Verification& v) {
  std::vector<std::string> names;
  for (const auto& r : v.accuracy)
    names.push_back(fmt::format("{}\non {}", arm_title(r.arm), hardware_title(r.hardware)));
  Plot plot({.name = "accuracy-chips",
             .title = "Accuracy of every chip by training arm and hardware",
             .x = {.label = "accuracy by chip [%]"},
             .y = {.names = names},
             .plot_height = 44.0 * static_cast<double>(names.size())});
  for (std::size_t row = 0; row < v.accuracy.size(); ++row) {
    const AccuracyRow& r = v.accuracy[row];
    const int color = arm_color(r.arm);
    std::vector<double> height;
    for (std::size_t chip = 0; chip < r.accuracy.size();
         ++chip) {  // golden-ratio steps spread the points without chance
      double whole = 0;
      height.push_back(static_cast<double>(row) +
                       (r.accuracy.size() > 1
                            ? 0.5 * (std::modf(static_cast<double>(chip) * 0.6180339887498949, &whole) - 0.5)
                            : 0.0));
    }
    if (r.accuracy.size() >= 5) plot.box(static_cast<double>(row), r.accuracy, {.color = color});
    plot.points(r.accuracy, height, {.color = color});
  }
  if (plot.empty()) return {};
  return figure(plot.svg(),
                "One dot per chip; the box holds the middle half of them, the whiskers 90 %. Error-aware dots should "
                "lie right of those "
                "that were not adapted.");
}

/// Fraction of chips at or above an accuracy, as steps.
std::string yield_figure(const Verification& v) {
  Plot plot({.name = "accuracy-yield",
             .title = "Fraction of chips above an accuracy",
             .x = {.label = "accuracy reached at least [%]"},
             .y = {.label = "yield: share of chips [%]", .range = {0, 103, false}}});
  Range all;
  for (const auto& r : v.accuracy)
    if (r.hardware == "behavioral")
      for (const double a : r.accuracy) all.include(a);
  for (const auto& r : v.accuracy) {
    if (r.hardware != "behavioral" || r.accuracy.empty()) continue;
    std::vector<double> sorted;
    for (const double a : r.accuracy)
      if (std::isfinite(a)) sorted.push_back(a);
    std::ranges::sort(sorted);
    if (sorted.empty()) continue;
    std::vector<double> x{all.low}, y{100.0};
    const double n = static_cast<double>(sorted.size());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      const double before = 100 * (n - static_cast<double>(i)) / n, after = 100 * (n - static_cast<double>(i) - 1) / n;
      x.insert(x.end(), {sorted[i], sorted[i]});
      y.insert(y.end(), {before, after});
    }
    plot.line(x, y, {.color = arm_color(r.arm), .legend = arm_title(r.arm)});
  }
  if (plot.empty()) return {};
  if (const AccuracyRow* ideal = v.find("ideal", "ideal"); ideal != nullptr && std::isfinite(ideal->mean.estimate))
    plot.vertical(ideal->mean.estimate, {.color = -1, .legend = "ideal hardware", .dashed = true});
  return figure(
      plot.svg(),
      "Read off how many chips would pass a given accuracy; the further right and the steeper a curve, the better.");
}

std::string accuracy_table(const Verification& v) {
  Table t{.header = {"Training", "Hardware", "Mean [95 % interval], %", "Spread", "10th percentile", "Chips", "Images"},
          .rows = {},
          .text_columns = 2,
          .caption = {}};
  for (const auto& r : v.accuracy) {
    const bool many = r.accuracy.size() > 1;
    t.rows.push_back({escape(arm_title(r.arm)), escape(hardware_title(r.hardware)),
                      many ? with_interval(r.mean, 2) : fixed(r.mean.estimate, 2), many ? fixed(r.spread, 2) : "",
                      many ? fixed(r.percentile10, 2) : "", std::to_string(r.accuracy.size()),
                      std::to_string(r.images)});
  }
  return table_html(t);
}

}  // namespace

std::string accuracy_chapter(const ReportInput& in) {
  Chapter chapter{"accuracy",
                  "5. Accuracy, chip by chip",
                  "Every conversion of every test image on virtual chips that neither characterisation, table nor "
                  "training has seen.",
                  {}};
  if (in.verification == nullptr)
    chapter.body = not_run("verify");
  else if (in.verification->accuracy.empty())
    chapter.body = paragraph("The verification measured no accuracy.");
  else
    chapter.body =
        figures({strip_figure(*in.verification), yield_figure(*in.verification)}) + accuracy_table(*in.verification);
  return chapter_html(chapter);
}

}  // namespace errata::report
