#pragma once

#include <string>
#include <vector>

#include "cli/report/svg_frame.h"

namespace errata::report {

enum class Shades {
  kSequential,
  kDiverging
};  ///< both readable with any kind of colour vision; diverging is white at 0

/// Values on a uniform grid as coloured cells with a colour bar.
struct HeatMap {
  std::string name;  ///< unique on the page
  std::string title;
  std::string x_label, y_label, value_label;
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;  ///< centres of the first and the last cell
  std::size_t x_cells = 1, y_cells = 1;
  std::vector<double> value;  ///< [x][y]; not finite: cell left empty
  std::vector<char> hatched;  ///< [x][y], or empty
  std::string hatch_legend;   ///< what hatching means
  Shades shades = Shades::kSequential;
  double value_low = 0, value_high = 0;  ///< range of colours; equal: that of the values
  double plot_height = 240.0;
};

std::string heat_map_svg(const HeatMap& map);

}  // namespace errata::report
