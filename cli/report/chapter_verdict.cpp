#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/text.h"
#include "verification/verdict.h"

namespace errata::report {

namespace {

using verification::AccuracyRow;
using verification::Color;
using verification::Verification;

std::size_t count_of(const Verification& v, Color color) {
  return static_cast<std::size_t>(std::ranges::count(v.checks, color, &verification::Check::color));
}

/// The verdict in one sentence; HTML.
std::string sentence(const Verification& v) {
  const std::size_t all = v.checks.size(), red = count_of(v, Color::kRed), open = count_of(v, Color::kInconclusive);
  const auto first = [&](Color color) {
    return escape(std::ranges::find(v.checks, color, &verification::Check::color)->name);
  };
  if (red > 0)
    return fmt::format(
        "{} of {} lie{} outside the tolerance{} {}. <a href=\"#verification\">What to do</a> stands beside each check.",
        red, counted(all, "check"), red == 1 ? "s" : "", red == 1 ? ":" : ", first", first(Color::kRed));
  if (open > 0)
    return fmt::format("Nothing failed, but {} of {} can't be decided with the chips simulated so far{} {}.", open,
                       counted(all, "check"), open == 1 ? ":" : ", first", first(Color::kInconclusive));
  return fmt::format(
      "{}: every measured interval lies inside its tolerance, from the cell up to the network's accuracy.",
      all == 1 ? "The only check agrees" : fmt::format("All {} checks agree", all));
}

std::string word(Color color) {
  switch (color) {
    case Color::kGreen:
      return "✓ Green";
    case Color::kInconclusive:
      return "? Inconclusive";
    case Color::kRed:
      return "✗ Red";
  }
  return {};
}

std::vector<std::string> accuracy_cells(const std::string& what, const AccuracyRow* row) {
  if (row == nullptr) return {what, "not run", "", "", "", ""};
  return {what,
          row->accuracy.size() > 1 ? with_interval(row->mean, 2) : fixed(row->mean.estimate, 2),
          row->accuracy.size() > 1 ? fixed(row->spread, 2) : "",
          row->accuracy.size() > 1 ? fixed(row->percentile10, 2) : "",
          std::to_string(row->accuracy.size()),
          std::to_string(row->images)};
}

/// What errors cost and what training won back; empty unless all three rows are there.
std::string gap_sentence(const AccuracyRow* ideal, const AccuracyRow* naive, const AccuracyRow* aware) {
  if (ideal == nullptr || naive == nullptr || aware == nullptr) return {};
  const double loss = ideal->mean.estimate - naive->mean.estimate, won = aware->mean.estimate - naive->mean.estimate;
  if (!std::isfinite(loss) || !std::isfinite(won)) return {};
  const std::string cost =
      fmt::format("The circuit's errors cost a network that does not know them {} points", fixed(loss, 2));
  if (loss <= 0.05) return paragraph(fmt::format("{}: there is hardly a gap that training could close.", cost));
  if (won < 0)
    return paragraph(fmt::format("{}; training with the error table loses a further {}.", cost, fixed(-won, 2)));
  return paragraph(fmt::format("{}; training with the error table wins back {} of them ({} %).", cost, fixed(won, 2),
                               fixed(100 * won / loss, 0)));
}

}  // namespace

std::string verdict_box(const ReportInput& in) {
  if (in.verification == nullptr)
    return "<div class=\"verdict\"><p class=\"word\">No verdict yet</p>\n<p>The verification has not run. <code>errata "
           "verify</code> runs it.</p></div>\n";
  const Verification& v = *in.verification;
  std::string out;
  if (v.checks.empty()) {
    out = "<div class=\"verdict\"><p class=\"word\">No verdict</p>\n<p>The verification holds no check.</p></div>\n";
  } else {
    const Color color = overall(v.checks);
    out = fmt::format("<div class=\"verdict {}\"><p class=\"word\">{}</p>\n<p>{}</p></div>\n", to_string(color),
                      word(color), sentence(v));
  }
  if (v.quick)
    out +=
        "<p class=\"note\"><strong>Quick run.</strong> It used fewer than 500 test images or fewer than 100 chips: a "
        "demonstration, "
        "not evidence.</p>\n";
  const AccuracyRow *ideal = v.find("ideal", "ideal"), *naive = v.find("ideal", "behavioral"),
                    *aware = v.find("error_aware", "behavioral");
  out += table_html(
      {.header = {"Network and hardware", "Accuracy [95 % interval], %", "Spread", "10th percentile", "Chips",
                  "Images"},
       .rows = {accuracy_cells("Ideal hardware", ideal), accuracy_cells("With errors, not adapted", naive),
                accuracy_cells("<strong>With errors, error-aware training</strong>", aware)},
       .caption = "Accuracy on the test set, mean over chips; spread is the standard deviation over chips."});
  return out + gap_sentence(ideal, naive, aware);
}

}  // namespace errata::report
