#include "training/data/glyph_strokes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace errata::training {

namespace {

constexpr double kSpacing = 0.05;

/// Part of an ellipse; angles in degrees, 0 to the right, 90 down, in drawing order.
struct Arc {
  double x, y, radius_x, radius_y, from, to;
};

/// Draws one stroke piece by piece.
class Pen {
 public:
  Pen& to(double x, double y) {
    if (stroke_.empty()) {
      stroke_.push_back({x, y});
      return *this;
    }
    const GlyphPoint start = stroke_.back();
    const int parts = parts_of(std::hypot(x - start.x, y - start.y));
    for (int k = 1; k <= parts; ++k) {
      const double t = static_cast<double>(k) / parts;
      stroke_.push_back({start.x + t * (x - start.x), start.y + t * (y - start.y)});
    }
    return *this;
  }

  Pen& arc(const Arc& a) {
    const double span = (a.to - a.from) * std::numbers::pi / 180.0, begin = a.from * std::numbers::pi / 180.0;
    to(a.x + a.radius_x * std::cos(begin), a.y + a.radius_y * std::sin(begin));
    const int parts = parts_of(std::fabs(span) * std::max(a.radius_x, a.radius_y));
    for (int k = 1; k <= parts; ++k) {
      const double angle = begin + span * k / parts;
      stroke_.push_back({a.x + a.radius_x * std::cos(angle), a.y + a.radius_y * std::sin(angle)});
    }
    return *this;
  }

  operator GlyphStroke() const { return stroke_; }

 private:
  static int parts_of(double length) { return std::max(1, static_cast<int>(std::ceil(length / kSpacing))); }

  GlyphStroke stroke_;
};

std::vector<GlyphStyle> zero() {
  return {{Pen().arc({0.5, 0.5, 0.26, 0.38, -90, 270})},
          {Pen().arc({0.5, 0.5, 0.19, 0.39, -70, 290})},
          {Pen().arc({0.5, 0.5, 0.30, 0.34, -110, 235})}};
}

std::vector<GlyphStyle> one() {
  return {{Pen().to(0.5, 0.12).to(0.5, 0.88)},
          {Pen().to(0.35, 0.30).to(0.53, 0.12).to(0.53, 0.88)},
          {Pen().to(0.36, 0.28).to(0.52, 0.12).to(0.52, 0.88), Pen().to(0.34, 0.88).to(0.70, 0.88)}};
}

std::vector<GlyphStyle> two() {
  return {{Pen().arc({0.5, 0.34, 0.24, 0.22, 190, 375}).to(0.26, 0.88).to(0.76, 0.88)},
          {Pen()
               .arc({0.48, 0.32, 0.22, 0.20, 200, 400})
               .to(0.24, 0.86)
               .arc({0.50, 1.0, 0.24, 0.16, 225, 300})
               .to(0.78, 0.84)},
          {Pen()
               .arc({0.5, 0.32, 0.25, 0.20, 170, 385})
               .to(0.34, 0.80)
               .arc({0.30, 0.80, 0.08, 0.07, 0, -250})
               .to(0.56, 0.88)
               .to(0.78, 0.82)}};
}

std::vector<GlyphStyle> three() {
  return {{Pen().arc({0.47, 0.31, 0.22, 0.19, 205, 450}).arc({0.47, 0.69, 0.26, 0.20, 270, 515})},
          {Pen().to(0.28, 0.14).to(0.72, 0.14).to(0.46, 0.43).arc({0.46, 0.66, 0.26, 0.22, 275, 515})},
          {Pen().arc({0.48, 0.30, 0.20, 0.18, 215, 420}).to(0.44, 0.48).arc({0.46, 0.69, 0.24, 0.20, 285, 500})}};
}

std::vector<GlyphStyle> four() {
  return {{Pen().to(0.58, 0.12).to(0.22, 0.62).to(0.80, 0.62), Pen().to(0.62, 0.38).to(0.60, 0.90)},
          {Pen().to(0.30, 0.12).to(0.26, 0.52).to(0.74, 0.52), Pen().to(0.70, 0.12).to(0.68, 0.90)},
          {Pen().to(0.62, 0.90).to(0.62, 0.12).to(0.22, 0.64).to(0.80, 0.64)}};
}

std::vector<GlyphStyle> five() {
  return {{Pen().to(0.72, 0.14).to(0.34, 0.14).to(0.30, 0.46).arc({0.48, 0.66, 0.25, 0.23, 228, 510})},
          {Pen().to(0.34, 0.14).to(0.32, 0.44).arc({0.47, 0.65, 0.26, 0.24, 240, 500}),
           Pen().to(0.34, 0.14).to(0.76, 0.12)},
          {Pen()
               .to(0.70, 0.12)
               .to(0.36, 0.16)
               .arc({0.40, 0.32, 0.08, 0.16, 240, 120})
               .arc({0.46, 0.67, 0.24, 0.21, 265, 490})}};
}

std::vector<GlyphStyle> six() {
  return {{Pen().arc({0.64, 0.62, 0.38, 0.50, 275, 180}).arc({0.5, 0.66, 0.24, 0.22, 180, -180})},
          {Pen().to(0.58, 0.10).to(0.30, 0.54).arc({0.5, 0.67, 0.23, 0.21, 205, -155})},
          {Pen().arc({0.60, 0.50, 0.34, 0.38, 300, 150}).arc({0.49, 0.68, 0.22, 0.19, 150, -120}).to(0.32, 0.60)}};
}

std::vector<GlyphStyle> seven() {
  return {{Pen().to(0.24, 0.14).to(0.76, 0.14).to(0.42, 0.88)},
          {Pen().to(0.24, 0.14).to(0.76, 0.14).to(0.44, 0.88), Pen().to(0.38, 0.50).to(0.70, 0.50)},
          {Pen().to(0.26, 0.24).to(0.28, 0.14).to(0.74, 0.14).arc({0.86, 0.72, 0.40, 0.46, 245, 170})}};
}

std::vector<GlyphStyle> eight() {
  return {{Pen().arc({0.5, 0.31, 0.20, 0.18, 90, 450}), Pen().arc({0.5, 0.69, 0.24, 0.20, -90, 270})},
          {Pen().arc({0.5, 0.30, 0.21, 0.18, -20, -270}).arc({0.5, 0.68, 0.24, 0.20, -90, 270}).to(0.69, 0.26)},
          {Pen()
               .to(0.68, 0.20)
               .arc({0.5, 0.28, 0.20, 0.16, -30, -200})
               .to(0.68, 0.58)
               .arc({0.5, 0.70, 0.22, 0.18, -20, 200})
               .to(0.68, 0.26)}};
}

std::vector<GlyphStyle> nine() {
  return {{Pen().arc({0.48, 0.34, 0.23, 0.22, 0, -360}).to(0.66, 0.88)},
          {Pen().arc({0.5, 0.33, 0.22, 0.21, -10, -370}).arc({0.36, 0.42, 0.36, 0.46, 0, 85})},
          {Pen().to(0.70, 0.20).arc({0.48, 0.32, 0.22, 0.18, -30, -330}).to(0.70, 0.14).to(0.70, 0.90)}};
}

}  // namespace

GlyphAlphabet::GlyphAlphabet()
    : styles_{zero(), one(), two(), three(), four(), five(), six(), seven(), eight(), nine()} {}

}  // namespace errata::training
