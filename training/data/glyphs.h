#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "training/data/data_set.h"

namespace errata::training {

inline constexpr ImageShape kGlyphShape{28, 28, 1};

/// The procedural data set "glyphs".
struct GlyphOptions {
  std::uint64_t seed = 1;
  std::size_t train_images = 20000;
  std::size_t test_images = 4000;
  int threads = 1;
};

/// Makes 28×28 grey images of the digits 0–9: strokes in several styles, bent, slanted, shifted, with varying
/// pen width and contrast, over noise, stray strokes and patches that hide a part.
///
/// Image i of a set depends on (seed, set, i) only and shows digit i mod 10, so shorter sets are beginnings
/// of longer ones. Needs no files: for first runs, tests and tutorials.
DataSet make_glyphs(const GlyphOptions& options);

}  // namespace errata::training
