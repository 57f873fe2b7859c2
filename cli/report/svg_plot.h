#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/report/svg_frame.h"
#include "core/statistics.h"

namespace errata::report {

/// How one series looks and what the legend calls it.
struct Style {
  int color = 0;          ///< of the palette; −1 ink
  std::string legend;     ///< empty: no entry
  std::string end_label;  ///< written right of a line's last point
  bool dashed = false;
  double shift = 0.0;  ///< px sideways, so that error bars at one x stay apart
};

struct PlotOptions {
  std::string name;   ///< unique on the page; becomes part of ids
  std::string title;  ///< what the picture shows, for readers who can't see it
  Axis x, y;          ///< a range that is not empty is used as it is; else the data decide
  double plot_height = 240.0;
};

/// A picture with one pair of axes. Series are drawn in the order in which they were added; values that are not
/// finite are left out. Sequences of one call have equal lengths.
class Plot {
 public:
  static constexpr std::size_t kMostPoints = 3000;  ///< larger clouds are thinned
  explicit Plot(PlotOptions options) : options_(std::move(options)) {}

  void line(std::span<const double> x, std::span<const double> y, Style style);
  void points(std::span<const double> x, std::span<const double> y, Style style);
  /// Marker with a whisker from low to high.
  void error_bars(std::span<const double> x, std::span<const Interval> y, Style style);
  /// The same with whiskers along both axes.
  void error_crosses(std::span<const Interval> x, std::span<const Interval> y, Style style);
  void band(std::span<const double> x, std::span<const double> low, std::span<const double> high, Style style);
  /// Bars from zero; `edges` has one entry more than `heights`.
  void bars(std::span<const double> edges, std::span<const double> heights, Style style);
  /// Horizontal bars from zero, one for each name of the y axis, with a text at their end.
  void named_bars(std::span<const double> lengths, const std::vector<std::string>& texts, Style style);
  /// Box from the first to the third quartile with the median and whiskers to 5 % and 95 %, in row `row` of named y.
  void box(double row, std::span<const double> values, Style style);
  void horizontal(double y, Style style);
  void vertical(double x, Style style);

  bool empty() const;
  std::string svg() const;

 private:
  enum class Kind { kLine, kPoints, kErrorBars, kBand, kBars, kNamedBars, kBox, kHorizontal, kVertical };
  struct Series {
    Kind kind;
    std::vector<double> x, y, x_low, x_high, low, high;
    std::vector<std::string> texts;
    Style style;
  };

  Range data_range(bool of_x) const;
  double room_for_end_labels() const;
  std::string draw(const Series& series, const Frame& frame) const;
  std::string end_labels(const Frame& frame) const;

  PlotOptions options_;
  std::vector<Series> series_;
};

/// Indices of at most `most` of `count` points, spread evenly and off any regular grid; a pure function.
std::vector<std::size_t> thinned(std::size_t count, std::size_t most);

/// Bars of a histogram: edges (bins + 1) and the share of values in each bin in percent.
struct Histogram {
  std::vector<double> edges, percent;
};
Histogram histogram(std::span<const double> values, std::size_t bins);

}  // namespace errata::report
