#include <fmt/format.h>

#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/svg_plot.h"
#include "cli/report/text.h"

namespace errata::report {

namespace {

std::string curve_figure(const ReportInput& in, bool loss) {
  Plot plot({.name = loss ? "training-loss" : "training-accuracy",
             .title = loss ? "Training loss by epoch for each arm" : "Test accuracy by epoch for each arm",
             .x = {.label = "epoch"},
             .y = {.label = loss ? "training loss" : "test accuracy [%]"}});
  for (const auto& c : in.curves) {
    const Style style{.color = arm_color(c.arm), .legend = arm_title(c.arm)};
    const auto& y = loss ? c.train_loss : c.test_accuracy;
    if (y.size() != c.epoch.size() || y.empty()) continue;
    plot.line(c.epoch, y, style);
    if (y.size() <= 60) plot.points(c.epoch, y, {.color = style.color});
  }
  if (plot.empty()) return {};
  return figure(plot.svg(), loss ? "Every curve should flatten; an arm that trains with errors may settle higher, "
                                   "because it never sees a clean chip."
                                 : "Accuracy on the test set as training measured it; chapter 5 holds the comparison "
                                   "on virtual chips that counts.");
}

}  // namespace

std::string training_chapter(const ReportInput& in) {
  Chapter chapter{"training",
                  "4. Training with the table",
                  "The same network was trained once for every arm: on ideal hardware, and with errors that the table "
                  "draws anew for each "
                  "mini-batch of virtual chips.",
                  {}};
  const std::string loss = curve_figure(in, true), accuracy = curve_figure(in, false);
  chapter.body = in.curves.empty()                  ? not_run("train")
                 : loss.empty() && accuracy.empty() ? paragraph("No epoch was recorded.")
                                                    : figures({loss, accuracy});
  return chapter_html(chapter);
}

}  // namespace errata::report
