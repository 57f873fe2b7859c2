#include "cli/report/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace errata::report {
namespace {

const double kNan = std::nan(""), kInfinity = std::numeric_limits<double>::infinity();

TEST(ReportText, EscapesWhatXmlReserves) {
  EXPECT_EQ(escape("<a href=\"x\" b='y'>&"), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
  EXPECT_EQ(escape("σ_D → µA"), "σ_D → µA");
  EXPECT_EQ(escape(""), "");
}

TEST(ReportText, ReplacesWhatXmlForbids) {
  EXPECT_EQ(escape(std::string_view("a\0b\x1b", 4)), "a\uFFFDb\uFFFD");
  EXPECT_EQ(escape("a\nb\tc"), "a\nb\tc");
  EXPECT_EQ(escape("a\xFFz"), "a\uFFFDz");                  // no UTF-8 at all
  EXPECT_EQ(escape("a\xC3"), "a\uFFFD");                    // cut in the middle
  EXPECT_EQ(escape("\xC0\x80"), "\uFFFD\uFFFD");            // overlong NUL
  EXPECT_EQ(escape("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // surrogate
  EXPECT_EQ(escape("\xEF\xBF\xBF"), "\uFFFD\uFFFD\uFFFD");  // U+FFFF
}

TEST(ReportText, NumbersForPeople) {
  EXPECT_EQ(number(0.123456), "0.123");
  EXPECT_EQ(number(-1.5), "−1.5");
  EXPECT_EQ(number(-0.0), "0");
  EXPECT_EQ(number(1.2e-5), "1.2×10⁻⁵");
  EXPECT_EQ(number(1e-12), "10⁻¹²");
  EXPECT_EQ(number(-1e20), "−10²⁰");
  EXPECT_EQ(fixed(-0.001, 2), "0.00");
  EXPECT_EQ(fixed(-0.25, 1), "−0.2");
}

TEST(ReportText, NeverPrintsWhatIsNotFinite) {
  for (const double v : {kNan, kInfinity, -kInfinity}) {
    EXPECT_EQ(number(v), "n/a");
    EXPECT_EQ(fixed(v, 2), "n/a");
    EXPECT_EQ(quantity(v, "A"), "n/a");
    EXPECT_EQ(with_interval({v, v, v}), "n/a");
    EXPECT_EQ(with_interval({v, 0, 1}, 2), "n/a");
  }
  EXPECT_EQ(with_interval({1, kNan, kNan}, 1), "1.0");
  EXPECT_EQ(unit_scale(kNan, "A").unit, "A");
}

TEST(ReportText, IntervalsShowTwoDigitsOfTheirWidth) {
  EXPECT_EQ(with_interval({0.00119363, 0.00102527, 0.00139863}), "0.00119 [0.00103, 0.00140]");
  EXPECT_EQ(with_interval({95.324, 94.9, 95.71}), "95.32 [94.90, 95.71]");
  EXPECT_EQ(with_interval({12345, 12000, 13000}), "12345 [12000, 13000]");
  EXPECT_EQ(with_interval({2, 2, 2}), "2");
}

TEST(ReportText, UnitsGetPrefixes) {
  EXPECT_EQ(quantity(5.86e-6, "A"), "5.86\u00a0µA");
  EXPECT_EQ(quantity(0.001, "V"), "1\u00a0mV");
  EXPECT_EQ(quantity(-0.2, "V"), "−200\u00a0mV");
  EXPECT_EQ(quantity(0, "A"), "0\u00a0A");
  EXPECT_EQ(quantity(5e7, "Hz"), "50\u00a0MHz");
  EXPECT_DOUBLE_EQ(unit_scale(3e-6, "A").factor, 1e6);
}

TEST(ReportText, HashesAreShortButWhole) {
  const std::string hash(64, 'a');
  const std::string html = short_hash(hash);
  EXPECT_NE(html.find("title=\"" + hash + "\""), std::string::npos);
  EXPECT_NE(html.find(">aaaaaaaaaaaa…<"), std::string::npos);
  EXPECT_EQ(short_hash("<b>"), "<code>&lt;b&gt;</code>");
}

}  // namespace
}  // namespace errata::report
