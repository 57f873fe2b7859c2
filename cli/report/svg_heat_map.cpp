#include "cli/report/svg_heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "cli/report/text.h"

namespace errata::report {

namespace {

constexpr int kColors = 48;
using Color = std::array<double, 3>;

/// Colour of a part between 0 and 1, by straight lines between stops in sRGB.
std::string shade(Shades shades, double part) {
  static constexpr std::array<Color, 7> kViridis{
      {{68, 1, 84}, {70, 50, 127}, {54, 92, 141}, {39, 127, 142}, {31, 161, 135}, {106, 205, 91}, {253, 231, 37}}};
  static constexpr std::array<Color, 7> kBlueRed{{{33, 102, 172},
                                                  {103, 169, 207},
                                                  {209, 229, 240},
                                                  {247, 247, 247},
                                                  {253, 219, 199},
                                                  {239, 138, 98},
                                                  {178, 24, 43}}};
  const auto& stops = shades == Shades::kSequential ? kViridis : kBlueRed;
  const double at = std::clamp(part, 0.0, 1.0) * (stops.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  std::array<int, 3> rgb{};
  for (std::size_t c = 0; c < 3; ++c)
    rgb[c] = static_cast<int>(
        std::lround(stops[below][c] + (at - static_cast<double>(below)) * (stops[below + 1][c] - stops[below][c])));
  return fmt::format("#{:02x}{:02x}{:02x}", rgb[0], rgb[1], rgb[2]);
}

Range value_range(const HeatMap& m) {
  if (m.value_high > m.value_low) return {m.value_low, m.value_high, false};
  Range r;
  for (const double v : m.value) r.include(v);
  if (m.shades == Shades::kDiverging) {
    const double reach = std::max(std::fabs(r.low), std::fabs(r.high));
    return Range{-reach, reach, false}.width() > 0 ? Range{-reach, reach, false} : Range{-1, 1, false};
  }
  return r.width() > 0 ? r : r.padded(0.1);
}

Range axis_range(double low, double high, std::size_t cells) {
  const double half = cells > 1 ? 0.5 * (high - low) / static_cast<double>(cells - 1) : 0.5;
  return {low - half, high + half, false};
}

/// One path of closed rectangles.
std::string cell_path(const Frame& f, double x, double y, double width, double height) {
  const double left = std::round(f.px(x) * 10) / 10, right = std::round(f.px(x + width) * 10) / 10;
  const double top = std::round(f.py(y + height) * 10) / 10, bottom = std::round(f.py(y) * 10) / 10;
  return fmt::format("M{} {}H{}V{}H{}z", coordinate(left), coordinate(top), coordinate(right), coordinate(bottom),
                     coordinate(left));
}

std::string color_bar(const HeatMap& m, const Frame& f, const Range& values) {
  const double left = f.right_edge() + 12, width = 14, height = f.bottom_edge() - f.top();
  std::string out;
  for (int i = 0; i < kColors; ++i) {
    const double y = f.bottom_edge() - height * (i + 1) / kColors;
    out += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n", coordinate(left),
                       coordinate(y), coordinate(width), coordinate(height / kColors + 0.6),
                       shade(m.shades, (i + 0.5) / kColors));
  }
  const Ticks ticks = nice_ticks(values.low, values.high, 5);
  for (std::size_t i = 0; i < ticks.value.size(); ++i) {
    const double y = f.bottom_edge() - height * (ticks.value[i] - values.low) / values.width();
    out += fmt::format("<path class=\"axis\" d=\"M{} {}h4\"/>\n", coordinate(left + width), coordinate(y));
    out += text_element(left + width + 6, y + 4, "start", ticks.label[i], "tick");
  }
  return out + text_element(Frame::kWidth - 4, 14, "end", m.value_label, "label");
}

}  // namespace

std::string heat_map_svg(const HeatMap& m) {
  const Range x = axis_range(m.x_low, m.x_high, m.x_cells), y = axis_range(m.y_low, m.y_high, m.y_cells),
              values = value_range(m);
  const std::vector<std::string> legend =
      m.hatch_legend.empty() ? std::vector<std::string>{} : std::vector{m.hatch_legend};
  const Frame frame({.label = m.x_label, .range = x}, {.label = m.y_label, .range = y}, legend, m.plot_height, 78);

  const double dx = x.width() / static_cast<double>(m.x_cells), dy = y.width() / static_cast<double>(m.y_cells);
  std::map<int, std::string> by_color;  // one path per shade keeps the page small
  std::string hatched;
  for (std::size_t i = 0; i < m.x_cells; ++i)
    for (std::size_t j = 0; j < m.y_cells; ++j) {
      const std::size_t at = i * m.y_cells + j;
      const std::string cell =
          cell_path(frame, x.low + dx * static_cast<double>(i), y.low + dy * static_cast<double>(j), dx, dy);
      if (at < m.hatched.size() && m.hatched[at]) hatched += cell;
      if (at >= m.value.size() || !std::isfinite(m.value[at])) continue;
      by_color[std::clamp(static_cast<int>((m.value[at] - values.low) / values.width() * kColors), 0, kColors - 1)] +=
          cell;
    }

  const std::string hatch_id = escape(m.name) + "-hatch";
  std::string out = frame.open(m.name, m.title) + frame.furniture(legend);
  out += fmt::format(
      "<pattern id=\"{}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
      "<rect width=\"6\" height=\"6\" fill=\"#ffffff\" fill-opacity=\"0.55\"/><path d=\"M0 0V6\" stroke=\"#444444\" "
      "stroke-width=\"1.6\"/>"
      "</pattern>\n",
      hatch_id);
  for (const auto& [color, cells] : by_color)
    out +=
        fmt::format("<path class=\"cells\" fill=\"{}\" d=\"{}\"/>\n", shade(m.shades, (color + 0.5) / kColors), cells);
  if (!hatched.empty()) out += fmt::format("<path fill=\"url(#{})\" d=\"{}\"/>\n", hatch_id, hatched);
  for (const auto& at : frame.legend_places())
    out += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"18\" height=\"12\" fill=\"url(#{})\" class=\"swatch\"/>\n",
                       coordinate(at.x + 4), coordinate(at.y - 6), hatch_id);
  return out + color_bar(m, frame, values) + "</svg>\n";
}

}  // namespace errata::report
