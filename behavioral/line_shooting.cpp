// Built with contraction of a·b + c (behavioral/CMakeLists.txt): results are compared within tolerances, never bit by
// bit across processors.
#include "behavioral/line_shooting.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace errata::behavioral {

namespace {

constexpr std::size_t kLanes = PackedInputs::kLanes;
constexpr std::size_t kCoefficients = 6;

struct Walk {
  const float* cells;  ///< [all rows][levels][6]
  const float* masks;  ///< [levels − 1][rows][kLanes]
  std::size_t rows, all_rows, levels;
  float clamp_ohms, wire_ohms, source_ohms, offset;
};

/// Coefficients of one row for kLanes inputs: those of level 0 and, by the masks, what other levels add.
template <std::size_t Count>
__attribute__((always_inline)) inline void blend(const Walk& walk, std::size_t j, float (&c)[Count][kLanes]) {
  const float* cell = walk.cells + j * walk.levels * kCoefficients;
  for (std::size_t k = 0; k < Count; ++k)
    for (std::size_t l = 0; l < kLanes; ++l) c[k][l] = cell[k];
  if (j >= walk.rows) return;
  for (std::size_t level = 1; level < walk.levels; ++level) {
    const float* mask = walk.masks + ((level - 1) * walk.rows + j) * kLanes;
    const float* add = cell + level * kCoefficients;
    for (std::size_t k = 0; k < Count; ++k)
      for (std::size_t l = 0; l < kLanes; ++l) c[k][l] += mask[l] * add[k];
  }
}

/// What is left of the current T behind the last row.
template <bool Source>
__attribute__((always_inline)) inline void remainder(const Walk& walk, const float (&total)[kLanes],
                                                     float (&left)[kLanes]) {
  float moment[kLanes], sag[kLanes];
  for (std::size_t l = 0; l < kLanes; ++l) {
    left[l] = total[l];
    moment[l] = 0.0f;
    sag[l] = -walk.clamp_ohms * (total[l] + walk.offset);
  }
  for (std::size_t j = 0; j < walk.all_rows; ++j) {
    const float* cell = walk.cells + j * walk.levels * kCoefficients;
    const bool simple = !Source && walk.levels == 2 && j < walk.rows;
    if (simple) {  // the usual case, written out: one pass over the lanes
      const float* mask = walk.masks + j * kLanes;
      const float a = cell[0], b = cell[1], c = cell[2], da = cell[6], db = cell[7], dc = cell[8];
      const float wire = walk.wire_ohms, passed = j > 0 ? 1.0f : 0.0f;
      for (std::size_t l = 0; l < kLanes; ++l) {
        moment[l] += passed * left[l];
        const float d = sag[l] - wire * moment[l], x = mask[l];
        left[l] -= (a + x * da) + d * ((b + x * db) + (c + x * dc) * d);
      }
      continue;
    }
    float c[Source ? 6 : 3][kLanes];
    blend(walk, j, c);
    for (std::size_t l = 0; l < kLanes; ++l) {
      if (j > 0) moment[l] += left[l];
      const float d = sag[l] - walk.wire_ohms * moment[l];
      float current = c[0][l] + d * (c[1][l] + c[2][l] * d);
      if constexpr (Source) {
        const float s = walk.source_ohms * moment[l];
        current += s * (c[3][l] + c[4][l] * d + c[5][l] * s);
      }
      left[l] -= current;
    }
  }
}

/// Σ of the currents at the clamp voltage.
__attribute__((always_inline)) inline void unloaded(const Walk& walk, float (&sum)[kLanes]) {
  for (float& s : sum) s = 0.0f;
  for (std::size_t j = 0; j < walk.all_rows; ++j) {
    float a[1][kLanes];
    blend(walk, j, a);
    for (std::size_t l = 0; l < kLanes; ++l) sum[l] += a[0][l];
  }
}

template <bool Source>
__attribute__((always_inline)) inline void shoot(const Walk& walk, float loading, double* out, std::size_t filled) {
  float sum[kLanes], t0[kLanes], t1[kLanes], t2[kLanes], f0[kLanes], f1[kLanes], f2[kLanes], slope[kLanes];
  unloaded(walk, sum);
  for (std::size_t l = 0; l < kLanes; ++l) {
    slope[l] = 1.0f + loading * std::fabs(sum[l]);
    t0[l] = sum[l] / slope[l];
  }
  remainder<Source>(walk, t0, f0);
  for (std::size_t l = 0; l < kLanes; ++l) t1[l] = t0[l] - f0[l] / slope[l];
  remainder<Source>(walk, t1, f1);
  for (std::size_t l = 0; l < kLanes; ++l) {
    const float step = t1[l] - t0[l];
    const float secant = (f1[l] - f0[l]) / step;
    // Two points that are nearly one tell the slope no better than the guess.
    const bool apart = std::fabs(step) > 1e-3f * std::fabs(t1[l]);
    slope[l] = apart && secant > 0.25f ? secant : slope[l];
    t2[l] = t1[l] - f1[l] / slope[l];
  }
  remainder<Source>(walk, t2, f2);
  for (std::size_t l = 0; l < filled; ++l) {
    const float left = f2[l] / slope[l], result = t2[l] - left;
    // The next correction would be about the square of this one over the current.
    const bool good = std::fabs(left) <= 1e-4f * std::fabs(result) + 1e-15f;
    out[l] = good ? static_cast<double>(result) + static_cast<double>(walk.offset)
                  : std::numeric_limits<double>::quiet_NaN();
  }
}

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void shoot_plain(const Walk& walk,
                                                                                               float loading,
                                                                                               double* out,
                                                                                               std::size_t filled) {
  shoot<false>(walk, loading, out, filled);
}
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void shoot_with_source(
    const Walk& walk, float loading, double* out, std::size_t filled) {
  shoot<true>(walk, loading, out, filled);
}

}  // namespace

LineShooting::LineShooting(const PreparedLine& line)
    : rows_(line.rows),
      all_rows_(line.all_rows()),
      inputs_(line.inputs),
      clamp_ohms_(static_cast<float>(line.clamp_ohms)),
      wire_ohms_(static_cast<float>(line.wire_ohms)),
      source_ohms_(static_cast<float>(line.source_line_ohms)),
      offset_(static_cast<float>(line.offset_amperes)),
      has_source_wire_(line.source_line_ohms > 0) {
  double steepest = 0.0, slopes = 0.0, currents = 0.0;
  cells_.reserve(all_rows_ * inputs_ * kCoefficients);
  for (std::size_t j = 0; j < all_rows_; ++j)
    for (std::size_t x = 0; x < inputs_; ++x) {
      const CellExpansion &e = line.cell(x, j), &idle = line.cell(0, j);
      const double base[kCoefficients] = {e.a, e.b, e.c, e.p, e.q, e.r};
      const double zero[kCoefficients] = {idle.a, idle.b, idle.c, idle.p, idle.q, idle.r};
      for (std::size_t k = 0; k < kCoefficients; ++k)
        cells_.push_back(static_cast<float>(x == 0 ? base[k] : base[k] - zero[k]));
      steepest = std::max({steepest, std::fabs(e.b), std::fabs(e.p)});
      slopes += std::fabs(e.b);
      currents += std::fabs(e.a);
    }
  const auto n = static_cast<double>(all_rows_);
  constexpr double kTame = 6.0;
  suits_ = n * n * (line.wire_ohms + line.source_line_ohms) * steepest < kTame;
  // How much a current lowers itself: through the clamp, and through a third of the wire if the rows share it evenly.
  const double ohms = line.clamp_ohms + (line.wire_ohms + line.source_line_ohms) * n / 3.0;
  loading_ = static_cast<float>(currents > 0.0 ? ohms * slopes / currents : 0.0);
}

void LineShooting::solve(const PackedInputs& inputs, std::span<double> current_amperes) const {
  for (std::size_t block = 0; block < inputs.blocks(); ++block) {
    const Walk walk{cells_.data(), inputs.masks(block), rows_,        all_rows_, inputs_,
                    clamp_ohms_,   wire_ohms_,          source_ohms_, offset_};
    double* out = current_amperes.data() + block * kLanes;
    (has_source_wire_ ? shoot_with_source : shoot_plain)(walk, loading_, out, inputs.filled(block));
  }
}

}  // namespace errata::behavioral
