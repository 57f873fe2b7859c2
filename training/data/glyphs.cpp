#include "training/data/glyphs.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/random_stream.h"
#include "training/data/glyph_strokes.h"
#include "training/shards.h"

namespace errata::training {

namespace {

constexpr std::size_t kSide = 28, kDigits = 10;
constexpr double kBox = 22.0;  ///< pixels that the unit square of a stroke path covers

double between(RandomStream& stream, double low, double high) { return low + (high - low) * stream.uniform(); }

/// A 28×28 sheet that strokes are drawn on, ink 0 … 1.
class Sheet {
 public:
  std::span<const double> ink() const { return ink_; }

  /// Draws a line of points in pixels with a round pen; edges are smoothed over one pixel.
  void draw(std::span<const GlyphPoint> line, double radius, double strength) {
    for (std::size_t i = 1; i < line.size(); ++i) draw_segment(line[i - 1], line[i], radius, strength);
  }

  /// Wipes a rectangle.
  void wipe(double left, double top, double width, double height) {
    for (std::size_t y = 0; y < kSide; ++y)
      for (std::size_t x = 0; x < kSide; ++x) {
        const double dx = static_cast<double>(x) - left, dy = static_cast<double>(y) - top;
        if (dx >= 0.0 && dx < width && dy >= 0.0 && dy < height) ink_[y * kSide + x] = 0.0;
      }
  }

 private:
  void draw_segment(GlyphPoint a, GlyphPoint b, double radius, double strength) {
    const double reach = radius + 1.0;
    const auto first = [&](double v) { return static_cast<int>(std::clamp(std::ceil(v - reach), 0.0, 28.0)); };
    const auto last = [&](double v) { return static_cast<int>(std::clamp(std::floor(v + reach), -1.0, 27.0)); };
    const double dx = b.x - a.x, dy = b.y - a.y, length2 = std::max(dx * dx + dy * dy, 1e-12);
    for (int y = first(std::min(a.y, b.y)); y <= last(std::max(a.y, b.y)); ++y)
      for (int x = first(std::min(a.x, b.x)); x <= last(std::max(a.x, b.x)); ++x) {
        const double px = x - a.x, py = y - a.y;
        const double t = std::clamp((px * dx + py * dy) / length2, 0.0, 1.0);
        const double ex = px - t * dx, ey = py - t * dy;
        const double cover = std::clamp(radius + 0.5 - std::sqrt(ex * ex + ey * ey), 0.0, 1.0);
        double& ink = ink_[static_cast<std::size_t>(y) * kSide + static_cast<std::size_t>(x)];
        ink = std::max(ink, strength * cover);
      }
  }

  std::array<double, kSide * kSide> ink_{};
};

/// How one image bends and places its strokes: a smooth random displacement, then an affine map.
class Warp {
 public:
  explicit Warp(RandomStream& stream) {
    const double bend = between(stream, 0.01, 0.05);
    for (auto& node : nodes_) node = {bend * stream.normal(), bend * stream.normal()};
    const double angle = between(stream, -0.30, 0.30), shear = between(stream, -0.35, 0.35);
    const double width = kBox * between(stream, 0.72, 1.12), height = kBox * between(stream, 0.78, 1.12);
    const double c = std::cos(angle), s = std::sin(angle);
    matrix_ = {c * width, (c * shear - s) * height, s * width, (s * shear + c) * height};
    centre_ = {13.5 + between(stream, -2.5, 2.5), 13.5 + between(stream, -2.5, 2.5)};
  }

  GlyphPoint operator()(GlyphPoint p) const {
    const GlyphPoint moved = displacement(p);
    const double x = p.x + moved.x - 0.5, y = p.y + moved.y - 0.5;
    return {centre_.x + matrix_[0] * x + matrix_[1] * y, centre_.y + matrix_[2] * x + matrix_[3] * y};
  }

 private:
  static constexpr std::size_t kGrid = 4;

  /// Between grid nodes with a smooth step in each direction.
  GlyphPoint displacement(GlyphPoint p) const {
    const auto cell = [](double v) { return std::clamp(v, 0.0, 0.999) * (kGrid - 1); };
    const double gx = cell(p.x), gy = cell(p.y);
    const auto ix = static_cast<std::size_t>(gx), iy = static_cast<std::size_t>(gy);
    const auto smooth = [](double t) { return t * t * (3.0 - 2.0 * t); };
    const double tx = smooth(gx - static_cast<double>(ix)), ty = smooth(gy - static_cast<double>(iy));
    const auto blend = [&](double GlyphPoint::*axis) {
      const auto node = [&](std::size_t x, std::size_t y) { return nodes_[y * kGrid + x].*axis; };
      const double top = (1.0 - tx) * node(ix, iy) + tx * node(ix + 1, iy);
      const double bottom = (1.0 - tx) * node(ix, iy + 1) + tx * node(ix + 1, iy + 1);
      return (1.0 - ty) * top + ty * bottom;
    };
    return {blend(&GlyphPoint::x), blend(&GlyphPoint::y)};
  }

  std::array<GlyphPoint, kGrid * kGrid> nodes_;
  std::array<double, 4> matrix_;
  GlyphPoint centre_;
};

/// Short strokes that belong to no digit.
void draw_clutter(RandomStream& stream, Sheet& sheet) {
  const std::uint64_t count = stream.below(4);
  for (std::uint64_t k = 0; k < count; ++k) {
    std::array<GlyphPoint, 3> line;
    line[0] = {between(stream, -1.0, 28.0), between(stream, -1.0, 28.0)};
    for (std::size_t i = 1; i < line.size(); ++i)
      line[i] = {line[i - 1].x + between(stream, -4.5, 4.5), line[i - 1].y + between(stream, -4.5, 4.5)};
    const double radius = between(stream, 0.3, 1.1);
    sheet.draw(line, radius, between(stream, 0.3, 0.9));
  }
}

/// Hides a part of the digit behind a patch, in one image of five.
void hide_part(RandomStream& stream, Sheet& sheet) {
  if (stream.uniform() > 0.2) return;
  const double width = between(stream, 3.0, 8.0), height = between(stream, 3.0, 8.0);
  const double left = between(stream, 3.0, 25.0 - width);
  sheet.wipe(left, between(stream, 3.0, 25.0 - height), width, height);
}

void draw_image(RandomStream stream, const GlyphAlphabet& alphabet, std::size_t digit, std::span<std::uint8_t> pixels) {
  const auto styles = alphabet.styles(digit);
  const auto& style = styles[stream.below(styles.size())];
  const Warp warp(stream);
  const double radius = between(stream, 0.55, 1.75);
  Sheet sheet;
  for (const auto& stroke : style) {
    GlyphStroke placed;
    placed.reserve(stroke.size());
    for (const auto& point : stroke) placed.push_back(warp(point));
    sheet.draw(placed, radius, 1.0);
  }
  hide_part(stream, sheet);
  draw_clutter(stream, sheet);
  const double paper = between(stream, 0.0, 0.25), contrast = between(stream, 0.35, 0.75);
  const double noise = between(stream, 0.02, 0.12);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double level = paper + contrast * sheet.ink()[i] + noise * stream.normal();
    pixels[i] = static_cast<std::uint8_t>(std::clamp(std::floor(255.0 * level + 0.5), 0.0, 255.0));
  }
}

ImageSet make_set(const GlyphOptions& options, std::size_t count, std::uint64_t which) {
  const GlyphAlphabet alphabet;
  ImageSet set;
  set.pixels.resize(count * kSide * kSide);
  set.labels.resize(count);
  for_each_shard(shard_count(count), options.threads, [&](std::size_t shard) {
    for (std::size_t i = shard_begin(shard); i < shard_begin(shard) + shard_size(count, shard); ++i) {
      set.labels[i] = static_cast<std::uint8_t>(i % kDigits);
      draw_image(RandomStream(options.seed, StreamPurpose::kGlyphs, i, which), alphabet, i % kDigits,
                 std::span(set.pixels).subspan(i * kSide * kSide, kSide * kSide));
    }
  });
  return set;
}

}  // namespace

DataSet make_glyphs(const GlyphOptions& options) {
  DataSet data;
  data.name = "glyphs";
  data.shape = {kSide, kSide, 1};
  data.classes = kDigits;
  data.train = make_set(options, options.train_images, 0);
  data.test = make_set(options, options.test_images, 1);
  return data;
}

}  // namespace errata::training
