#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/report/svg_frame.h"
#include "cli/report/svg_plot.h"

namespace errata::report {

// Drawing of single series inside a frame; used by Plot only. Values that are not finite interrupt a line or are left
// out.

std::string draw_line(const Frame& frame, std::span<const double> x, std::span<const double> y, const Style& style);
std::string draw_points(const Frame& frame, std::span<const double> x, std::span<const double> y, const Style& style);
std::string draw_band(const Frame& frame, std::span<const double> x, std::span<const double> low,
                      std::span<const double> high, const Style& style);
std::string draw_bars(const Frame& frame, std::span<const double> edges, std::span<const double> heights,
                      const Style& style);
std::string draw_named_bars(const Frame& frame, std::span<const double> lengths, const std::vector<std::string>& texts,
                            const Style& style);
std::string bar_texts(const Frame& frame, std::span<const double> lengths, const std::vector<std::string>& texts);
/// `five` holds the quantiles 5, 25, 50, 75 and 95 %.
std::string draw_box(const Frame& frame, double row, std::span<const double> five, const Style& style);

struct Whiskers {
  std::span<const double> x, y, x_low, x_high, y_low, y_high;
};
std::string draw_whiskers(const Frame& frame, const Whiskers& whiskers, const Style& style);

enum class Symbol { kStroke, kMarker, kArea };
std::string legend_symbol(const LegendPlace& place, const Style& style, Symbol symbol);

}  // namespace errata::report
