#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/report/ticks.h"

namespace errata::report {

/// One axis: its label with the unit, and either a range of numbers or names at 0, 1, 2, …
struct Axis {
  std::string label;               ///< "bit-line voltage [V]"
  Range range;                     ///< what must be seen; drawn without further margin
  std::vector<std::string> names;  ///< categories; '\n' breaks a line
  int wanted_ticks = 5;
};

/// Appearance of a series: a number of the colour-blind-safe palette (CSS class s0 … s5), −1 for plain ink.
std::string color_class(int color);

/// Width of a text in a 12 px font, in px; an estimate from above for the usual sans-serif faces.
double text_width(std::string_view text);

/// A coordinate with one decimal.
std::string coordinate(double value);

/// One text element. `anchor` is "start", "middle" or "end"; the text may hold '\n'.
std::string text_element(double x, double y, std::string_view anchor, std::string_view text,
                         std::string_view css_class);

/// One entry of a legend: its symbol is drawn by the caller in a box of 22 × 12 px around (x + 11, y).
struct LegendPlace {
  double x = 0, y = 0;
};

/// Geometry and furniture that every picture shares: y label on top, legend below it, then the plot, then x.
/// Units are px of the viewBox; the page scales the whole picture.
class Frame {
 public:
  static constexpr double kWidth = 480.0;

  /// `right` is the room right of the plot, for labels or a colour bar; `plot_height` that of the plot itself.
  Frame(Axis x, Axis y, const std::vector<std::string>& legend, double plot_height, double right);

  double px(double x) const;
  double py(double y) const;
  bool holds(double x, double y) const;
  const std::vector<LegendPlace>& legend_places() const { return legend_; }
  double left() const { return left_; }
  double top() const { return top_; }
  double right_edge() const { return kWidth - right_; }
  double bottom_edge() const { return top_ + plot_height_; }
  const Range& x_range() const { return x_.range; }
  const Range& y_range() const { return y_.range; }

  /// Opening <svg> with role, label and a clip path `name`-clip over the plot.
  std::string open(std::string_view name, std::string_view title) const;
  /// Grid, axis lines, tick and axis labels, legend texts.
  std::string furniture(const std::vector<std::string>& legend) const;

 private:
  std::string x_marks() const;
  std::string y_marks() const;

  Axis x_, y_;
  double plot_height_ = 0, left_ = 0, right_ = 0, top_ = 0, height_ = 0;
  std::vector<LegendPlace> legend_;
  Ticks x_ticks_, y_ticks_;
};

}  // namespace errata::report
