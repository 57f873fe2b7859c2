#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace errata::training {

/// A point of the unit square, x to the right, y down.
struct GlyphPoint {
  double x = 0.0;
  double y = 0.0;
};

/// A line drawn without lifting the pen, as points about 0.05 apart.
using GlyphStroke = std::vector<GlyphPoint>;

/// One way of writing a digit.
using GlyphStyle = std::vector<GlyphStroke>;

/// The styles of digits 0 … 9, sampled once.
class GlyphAlphabet {
 public:
  GlyphAlphabet();
  std::span<const GlyphStyle> styles(std::size_t digit) const { return styles_[digit]; }

 private:
  std::vector<std::vector<GlyphStyle>> styles_;
};

}  // namespace errata::training
