#include "cli/report/svg_marks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/report/text.h"

namespace errata::report {

namespace {

using Real = std::span<const double>;

std::string classes(const Style& style, std::string_view shape) {
  return fmt::format("{} {}{}", shape, color_class(style.color), style.dashed ? " dashed" : "");
}

/// A marker whose shape goes with its colour, so that neither ink nor eye needs colour.
std::string marker(double x, double y, const Style& style) {
  const std::string css = classes({.color = style.color}, "mark");
  const auto path = [&](std::string_view d) {
    return fmt::format("<path class=\"{}\" d=\"M{} {}{}z\"/>\n", css, coordinate(x), coordinate(y), d);
  };
  switch (std::max(0, style.color) % 4) {
    case 1:
      return path("m-3.5-3.5h7v7h-7");
    case 2:
      return path("m0-5l4.5 5l-4.5 5l-4.5-5");
    case 3:
      return path("m0-4.5l4.5 8h-9");
    default:
      return fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"3.6\"/>\n", css, coordinate(x), coordinate(y));
  }
}

}  // namespace

std::string draw_line(const Frame& f, Real x, Real y, const Style& style) {
  std::string d;
  bool pen_down = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
      pen_down = false;
      continue;
    }
    d += fmt::format("{}{} {}", pen_down ? "L" : "M", coordinate(f.px(x[i])), coordinate(f.py(y[i])));
    pen_down = true;
  }
  if (d.empty()) return {};
  return fmt::format("<path class=\"{}\" d=\"{}\"/>\n", classes(style, "line"), d);
}

std::string draw_points(const Frame& f, Real x, Real y, const Style& style) {
  constexpr std::size_t kFew = 60;  // beyond it one path of dots: small and quick to draw
  std::string out, dots;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i]) || !f.holds(x[i], y[i])) continue;
    if (x.size() <= kFew)
      out += marker(f.px(x[i]) + style.shift, f.py(y[i]), style);
    else
      dots += fmt::format("M{} {}h0", coordinate(f.px(x[i]) + style.shift), coordinate(f.py(y[i])));
  }
  if (!dots.empty())
    out = fmt::format("<path class=\"{}\" d=\"{}\"/>\n", classes(style, x.size() > 500 ? "dots fine" : "dots"), dots);
  return out;
}

std::string draw_band(const Frame& f, Real x, Real low, Real high, const Style& style) {
  std::string forth, back;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(low[i]) || !std::isfinite(high[i])) continue;
    forth += fmt::format("{}{} {}", forth.empty() ? "M" : "L", coordinate(f.px(x[i])), coordinate(f.py(low[i])));
    back.insert(0, fmt::format("L{} {}", coordinate(f.px(x[i])), coordinate(f.py(high[i]))));
  }
  if (forth.empty()) return {};
  return fmt::format("<path class=\"{}\" d=\"{}{}z\"/>\n", classes(style, "area"), forth, back);
}

std::string draw_bars(const Frame& f, Real edges, Real heights, const Style& style) {
  std::string out;
  for (std::size_t i = 0; i < heights.size(); ++i) {
    if (!std::isfinite(heights[i]) || heights[i] == 0) continue;
    const double left = f.px(edges[i]), right = f.px(edges[i + 1]), zero = f.py(0), top = f.py(heights[i]);
    out += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", classes(style, "bar"),
                       coordinate(left + 0.5), coordinate(std::min(zero, top)),
                       coordinate(std::max(0.5, right - left - 1)), coordinate(std::fabs(zero - top)));
  }
  return out;
}

std::string draw_named_bars(const Frame& f, Real lengths, const std::vector<std::string>&, const Style& style) {
  std::string out;
  const double thickness = 0.56 * std::fabs(f.py(1) - f.py(0));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (!std::isfinite(lengths[i])) continue;
    const double zero = f.px(0), end = f.px(lengths[i]), middle = f.py(static_cast<double>(i));
    out += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", classes(style, "bar"),
                       coordinate(std::min(zero, end)), coordinate(middle - thickness / 2),
                       coordinate(std::fabs(end - zero)), coordinate(thickness));
  }
  return out;
}

std::string bar_texts(const Frame& f, Real lengths, const std::vector<std::string>& texts) {
  std::string out;
  for (std::size_t i = 0; i < std::min(lengths.size(), texts.size()); ++i)
    if (std::isfinite(lengths[i]))
      out += text_element(f.px(std::max(0.0, lengths[i])) + 5, f.py(static_cast<double>(i)) + 4, "start", texts[i],
                          "tick");
  return out;
}

std::string draw_box(const Frame& f, double row, Real five, const Style& style) {
  const double y = f.py(row), half = 0.2 * std::fabs(f.py(1) - f.py(0));
  const auto x = [&](std::size_t i) { return f.px(five[i]); };
  std::string out =
      fmt::format("<path class=\"{}\" d=\"M{} {}H{}M{} {}H{}\"/>\n", classes(style, "line"), coordinate(x(0)),
                  coordinate(y), coordinate(x(1)), coordinate(x(3)), coordinate(y), coordinate(x(4)));
  out +=
      fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", classes(style, "box"),
                  coordinate(x(1)), coordinate(y - half), coordinate(std::max(1.0, x(3) - x(1))), coordinate(2 * half));
  return out + fmt::format("<path class=\"{} median\" d=\"M{} {}V{}\"/>\n", classes(style, "line"), coordinate(x(2)),
                           coordinate(y - half), coordinate(y + half));
}

std::string draw_whiskers(const Frame& f, const Whiskers& w, const Style& style) {
  std::string bars, marks;
  for (std::size_t i = 0; i < w.x.size(); ++i) {
    if (!std::isfinite(w.x[i]) || !std::isfinite(w.y[i])) continue;
    const double x = f.px(w.x[i]) + style.shift, y = f.py(w.y[i]);
    if (w.y_high[i] > w.y_low[i])
      bars += fmt::format("M{0} {1}V{2}m-3 0h6M{0} {1}m-3 0h6", coordinate(x), coordinate(f.py(w.y_low[i])),
                          coordinate(f.py(w.y_high[i])));
    if (w.x_high[i] > w.x_low[i])
      bars += fmt::format("M{1} {0}H{2}m0-3v6M{1} {0}m0-3v6", coordinate(y), coordinate(f.px(w.x_low[i])),
                          coordinate(f.px(w.x_high[i])));
    marks += marker(x, y, style);
  }
  if (!bars.empty()) bars = fmt::format("<path class=\"{}\" d=\"{}\"/>\n", classes(style, "whisker"), bars);
  return bars + marks;
}

std::string legend_symbol(const LegendPlace& at, const Style& style, Symbol symbol) {
  if (symbol == Symbol::kMarker) return marker(at.x + 13, at.y, style);
  if (symbol == Symbol::kArea)
    return fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"18\" height=\"10\"/>\n", classes(style, "area"),
                       coordinate(at.x + 4), coordinate(at.y - 5));
  return fmt::format("<path class=\"{}\" d=\"M{} {}h17\"/>\n", classes(style, "line"), coordinate(at.x + 3),
                     coordinate(at.y));
}

}  // namespace errata::report
