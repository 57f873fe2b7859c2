#include "cli/report/svg_plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cli/report/svg_heat_map.h"
#include "tests/unit/report/xml_checker.h"

namespace errata::report {
namespace {

using testing::XmlChecker;

const double kNan = std::nan("");

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

bool prints_nan(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("nan") != std::string::npos || text.find("inf") != std::string::npos;
}

Plot example(std::string label) {
  Plot plot({.name = "example", .title = label, .x = {.label = label}, .y = {.label = label}});
  const std::vector<double> x{0, 1, 2, kNan, 4}, y{1, kNan, 3, 2, INFINITY}, low{0, 0, kNan, 1, 1}, high{2, 2, 3, 3, 3};
  plot.line(x, y, {.legend = label, .end_label = label, .dashed = true});
  plot.points(x, y, {.color = 1, .legend = label});
  plot.band(x, low, high, {.color = 2, .legend = label});
  plot.error_bars(x, std::vector<Interval>{{1, 0, 2}, {kNan, kNan, kNan}, {1, kNan, 2}, {1, 0, 2}, {1, 1, 1}},
                  {.color = 3, .shift = 4});
  plot.error_crosses(std::vector<Interval>{{1, 0, 2}}, std::vector<Interval>{{1, 0, 2}}, {.color = 4});
  plot.horizontal(1, {.color = -1});
  plot.vertical(1, {.color = -1});
  plot.box(1, x, {.color = 5});
  return plot;
}

TEST(SvgChecker, FindsFaults) {
  EXPECT_EQ(XmlChecker::fault("<a b=\"1\"><c/>x &lt; y</a>"), "");
  for (const char* bad : {"<a>", "<a></b>", "<a b=1/>", "<a b=\"1\" b=\"2\"/>", "<a>&nbsp;</a>", "<a>& </a>",
                          "<a><</a>", "<a id=\"x\"><b id=\"x\"/></a>", "<a b=\"<\"/>", "<a/>x"})
    EXPECT_NE(XmlChecker::fault(bad), "") << bad;
}

TEST(SvgPlot, EveryKindOfMarkIsWellFormed) {
  const std::string svg = example("current <1> & \"2\" [µA]").svg();
  EXPECT_EQ(XmlChecker::fault(svg), "");
  EXPECT_FALSE(prints_nan(svg)) << svg;
  EXPECT_NE(svg.find("current &lt;1&gt; &amp; &quot;2&quot; [µA]"), std::string::npos);
}

TEST(SvgPlot, IsAPureFunction) { EXPECT_EQ(example("a").svg(), example("a").svg()); }

TEST(SvgPlot, BarsAndNamesAreWellFormed) {
  Plot bars({.name = "bars"});
  const Histogram h = histogram(std::vector<double>{1, 1, 2, kNan, 5}, 4);
  bars.bars(h.edges, h.percent, {});
  EXPECT_EQ(XmlChecker::fault(bars.svg()), "");
  EXPECT_EQ(count_of(bars.svg(), "class=\"bar"), 3u);  // the empty bin has no bar

  Plot named({.name = "named", .y = {.names = {"<rtn>", "two\nlines"}}});
  named.named_bars(std::vector<double>{20, 80}, {"20 %", "80 %"}, {});
  EXPECT_EQ(XmlChecker::fault(named.svg()), "");
  EXPECT_NE(named.svg().find("80 %"), std::string::npos);
}

TEST(SvgPlot, WithoutDataIsStillAPicture) {
  Plot plot({.name = "empty"});
  EXPECT_TRUE(plot.empty());
  plot.line(std::vector{kNan}, std::vector{1.0}, {});
  plot.horizontal(0, {});
  EXPECT_TRUE(plot.empty());
  EXPECT_EQ(XmlChecker::fault(plot.svg()), "");
  EXPECT_FALSE(prints_nan(plot.svg()));
}

TEST(SvgPlot, ConstantDataHaveAnAxis) {
  Plot plot({.name = "constant"});
  plot.points(std::vector{3.0, 3.0}, std::vector{0.0, 0.0}, {});
  EXPECT_FALSE(prints_nan(plot.svg()));
  EXPECT_GE(count_of(plot.svg(), "class=\"tick\""), 4u);
}

TEST(SvgPlot, TickLabelsStayInsideThePicture) {
  Frame frame({.range = {0, 100000, false}}, {.range = {-0.00001, 0.00002, false}}, {}, 200, 0);
  EXPECT_GE(frame.left(), text_width("−0.00001"));
  EXPECT_LE(frame.px(100000) + text_width("100000") / 2, Frame::kWidth);
}

TEST(SvgPlot, LongLegendsTakeMoreLines) {
  const std::vector<std::string> legend(9, "a rather long entry");
  const Frame frame({.range = {0, 1, false}}, {.label = "y", .range = {0, 1, false}}, legend, 200, 0);
  std::set<double> lines;
  for (const auto& place : frame.legend_places()) {
    lines.insert(place.y);
    EXPECT_LE(place.x + 28 + text_width(legend[0]), Frame::kWidth);
    EXPECT_LT(place.y, frame.top());
  }
  EXPECT_GE(lines.size(), 3u);
}

TEST(SvgPlot, ThinsLargeCloudsEvenly) {
  const auto chosen = thinned(120000, 3000);
  ASSERT_EQ(chosen.size(), 3000u);
  EXPECT_EQ(chosen, thinned(120000, 3000));
  EXPECT_TRUE(std::ranges::is_sorted(chosen));
  EXPECT_LT(chosen.back(), 120000u);
  std::set<std::size_t> residues;  // 40 operands in each column: a stride of 40 would show one of them only
  for (const auto i : chosen) residues.insert(i % 40);
  EXPECT_EQ(residues.size(), 40u);
  EXPECT_EQ(thinned(5, 3000), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
}

TEST(SvgPlot, ThinningKeepsTheWorstPoint) {
  std::vector<double> x(20000), y(20000, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  y[7777] = 100;
  y[12345] = -100;
  y[3] = kNan;
  Plot plot({.name = "cloud", .y = {.range = {-101, 101, false}}});
  plot.points(x, y, {});
  const std::string svg = plot.svg();
  EXPECT_LE(count_of(svg, "h0"), Plot::kMostPoints);
  Frame frame({.range = {0, 1, false}}, {.range = {-101, 101, false}}, {}, 240, 12);
  EXPECT_NE(svg.find(" " + coordinate(frame.py(100)) + "h0"), std::string::npos);
  EXPECT_NE(svg.find(" " + coordinate(frame.py(-100)) + "h0"), std::string::npos);
}

TEST(SvgHeatMap, IsWellFormedWithHolesAndHatching) {
  HeatMap m{.name = "map", .title = "a < b", .x_label = "x", .y_label = "y", .value_label = "v & w"};
  m.x_cells = 3;
  m.y_cells = 2;
  m.value = {1, 2, kNan, 4, INFINITY, 6};
  m.hatched = {0, 1, 0, 0, 0, 1};
  m.hatch_legend = "few";
  for (const Shades shades : {Shades::kSequential, Shades::kDiverging}) {
    m.shades = shades;
    EXPECT_EQ(XmlChecker::fault(heat_map_svg(m)), "");
    EXPECT_FALSE(prints_nan(heat_map_svg(m)));
  }
  m.value.assign(6, kNan);
  EXPECT_EQ(XmlChecker::fault(heat_map_svg(m)), "");
  EXPECT_FALSE(prints_nan(heat_map_svg(m)));
}

}  // namespace
}  // namespace errata::report
