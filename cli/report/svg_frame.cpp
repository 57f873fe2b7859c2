#include "cli/report/svg_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/report/text.h"

namespace errata::report {

namespace {

constexpr double kLine = 16.0;       // height of a line of text
constexpr double kSymbol = 22.0;     // width of a legend symbol
constexpr double kLegendGap = 14.0;  // between two entries

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  return lines;
}

/// Width of the widest line, and the number of lines.
std::pair<double, std::size_t> extent(const std::vector<std::string>& labels) {
  double width = 0;
  std::size_t count = 1;
  for (const auto& label : labels) {
    const auto lines = lines_of(label);
    count = std::max(count, lines.size());
    for (const auto& line : lines) width = std::max(width, text_width(line));
  }
  return {width, count};
}

/// Numbers or names of an axis; names sit at whole numbers with half a step of room on both sides.
Ticks marks_of(Axis& axis) {
  if (axis.names.empty()) {
    axis.range = axis.range.width() > 0 ? axis.range : axis.range.padded(0.05);
    return nice_ticks(axis.range.low, axis.range.high, axis.wanted_ticks);
  }
  Ticks ticks;
  for (std::size_t i = 0; i < axis.names.size(); ++i) {
    ticks.value.push_back(static_cast<double>(i));
    ticks.label.push_back(axis.names[i]);
  }
  axis.range = {-0.5, static_cast<double>(axis.names.size()) - 0.5, false};
  return ticks;
}

}  // namespace

std::string color_class(int color) { return color < 0 ? "ink" : fmt::format("s{}", color % 6); }

double text_width(std::string_view text) {
  const auto continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  return 6.9 * static_cast<double>(text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continuation)));
}

std::string coordinate(double value) {
  const double rounded = std::round(value * 10) / 10;
  return fmt::format("{:g}", rounded == 0 ? 0.0 : rounded);
}

std::string text_element(double x, double y, std::string_view anchor, std::string_view text,
                         std::string_view css_class) {
  const auto lines = lines_of(text);
  if (lines.size() == 1)
    return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", coordinate(x),
                       coordinate(y), anchor, css_class, escape(text));
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i)
    out += text_element(x, y + static_cast<double>(i) * (kLine - 2), anchor, lines[i], css_class);
  return out;
}

Frame::Frame(Axis x, Axis y, const std::vector<std::string>& legend, double plot_height, double right)
    : x_(std::move(x)),
      y_(std::move(y)),
      plot_height_(plot_height),
      right_(right),
      x_ticks_(marks_of(x_)),
      y_ticks_(marks_of(y_)) {
  left_ = std::max(24.0, extent(y_ticks_.label).first + 12);
  // The last x label is centred at the edge of the plot and must not be cut.
  if (!x_ticks_.label.empty()) right_ = std::max(right_, text_width(x_ticks_.label.back()) / 2 + 4);
  double at = 4, y_at = (y_.label.empty() ? 0 : kLine) + 12;
  bool any = false;
  for (const auto& entry : legend) {
    const double width = kSymbol + 6 + text_width(entry);
    if (any && at + width > kWidth - 4) {
      at = 4;
      y_at += kLine + 2;
    }
    legend_.push_back({at, y_at});
    at += width + kLegendGap;
    any = true;
  }
  top_ = (any ? y_at + 6 : y_.label.empty() ? 0 : kLine) + 12;
  const double below =
      8 + kLine * static_cast<double>(extent(x_ticks_.label).second) + (x_.label.empty() ? 0 : kLine + 4);
  height_ = top_ + plot_height_ + below + 4;
}

double Frame::px(double x) const { return left_ + (x - x_.range.low) / x_.range.width() * (right_edge() - left_); }

double Frame::py(double y) const {
  const double part = (y - y_.range.low) / y_.range.width();
  return top_ + (y_.names.empty() ? 1 - part : part) * plot_height_;  // the first name is on top
}

bool Frame::holds(double x, double y) const {
  return x >= x_.range.low && x <= x_.range.high && y >= y_.range.low && y <= y_.range.high;
}

std::string Frame::open(std::string_view name, std::string_view title) const {
  return fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\">\n"
      "<clipPath id=\"{}-clip\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n",
      coordinate(kWidth), coordinate(height_), escape(title), escape(name), coordinate(left_), coordinate(top_ - 3),
      coordinate(right_edge() - left_ + 1), coordinate(plot_height_ + 6));
}

std::string Frame::x_marks() const {
  std::string out;
  const double baseline = bottom_edge() + kLine;
  double free_from = -1e9;
  for (std::size_t i = 0; i < x_ticks_.value.size(); ++i) {
    const double x = px(x_ticks_.value[i]);
    if (x_.names.empty())
      out += fmt::format("<path class=\"grid\" d=\"M{} {}V{}\"/>\n", coordinate(x), coordinate(top_),
                         coordinate(bottom_edge()));
    const double half = extent({x_ticks_.label[i]}).first / 2;
    if (x - half < free_from) continue;  // names that would overlap are left out
    free_from = x + half + 4;
    out += text_element(x, baseline, "middle", x_ticks_.label[i], "tick");
  }
  return out;
}

std::string Frame::y_marks() const {
  std::string out;
  for (std::size_t i = 0; i < y_ticks_.value.size(); ++i) {
    const double y = py(y_ticks_.value[i]);
    out += fmt::format("<path class=\"grid\" d=\"M{} {}H{}\"/>\n", coordinate(left_), coordinate(y),
                       coordinate(right_edge()));
    const double lift = (static_cast<double>(lines_of(y_ticks_.label[i]).size()) - 1) * (kLine - 2) / 2;
    out += text_element(left_ - 6, y + 4 - lift, "end", y_ticks_.label[i], "tick");
  }
  return out;
}

std::string Frame::furniture(const std::vector<std::string>& legend) const {
  std::string out = x_marks() + y_marks();
  out += fmt::format("<path class=\"axis\" d=\"M{0} {1}V{2}H{3}\"/>\n", coordinate(left_), coordinate(top_),
                     coordinate(bottom_edge()), coordinate(right_edge()));
  if (!y_.label.empty()) out += text_element(4, kLine - 2, "start", y_.label, "label");
  if (!x_.label.empty()) out += text_element((left_ + right_edge()) / 2, height_ - 6, "middle", x_.label, "label");
  for (std::size_t i = 0; i < legend_.size(); ++i)
    out += text_element(legend_[i].x + kSymbol + 4, legend_[i].y + 4, "start", legend[i], "tick");
  return out;
}

}  // namespace errata::report
