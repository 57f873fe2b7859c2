#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/support/synthetic_truth.h"
#include "training/hardware/conversion_model.h"
#include "training/hardware/fast_normal.h"

namespace errata::testing {

/// A synthetic truth under a network, bit-true: what tables are to predict. Its columns are those of
/// synthetic_column().
class TruthConversion final : public training::ConversionModel {
 public:
  /// The truth must outlive it.
  explicit TruthConversion(const SyntheticTruth& truth) : truth_(truth) {}
  std::unique_ptr<training::PreparedTile> prepare(const training::Tile& tile, std::uint64_t seed,
                                                  std::uint64_t chip) const override;

 private:
  const SyntheticTruth& truth_;
};

/// One tile of one chip: static errors folded into the rows, one-bit inputs.
class TruthTile final : public training::PreparedTile {
 public:
  TruthTile(const SyntheticTruth& t, const training::Tile& tile, std::uint64_t seed, std::uint64_t chip)
      : truth_(t), rows_(tile.rows), columns_(tile.conversions), number_(tile.number), seed_(seed), chip_(chip) {
    offset_.resize(columns_);
    weight_.resize(rows_ * columns_);
    drive_.resize(rows_ * columns_);
    for (std::size_t i = 0; i < columns_; ++i) draw(tile, i);
  }

  void read(const training::TileReads& reads, std::span<float> value) const override {
    std::vector<float> normal(reads.reads_per_image * columns_), a(columns_);
    for (std::size_t image = 0; image < reads.images; ++image) {
      training::fill_normals(
          {seed_, static_cast<std::uint32_t>(StreamPurpose::kDynamicRead), number_, reads.first_image + image, chip_},
          normal);
      for (std::size_t r = 0; r < reads.reads_per_image; ++r) {
        const std::size_t at = image * reads.reads_per_image + r;
        const float* x = reads.inputs.data() + at * rows_;
        float* v = value.data() + at * columns_;
        std::copy(offset_.begin(), offset_.end(), v);
        std::fill(a.begin(), a.end(), 0.0f);
        for (std::size_t j = 0; j < rows_; ++j) {
          if (x[j] == 0.0f) continue;
          const float *w = weight_.data() + j * columns_, *d = drive_.data() + j * columns_;
          for (std::size_t i = 0; i < columns_; ++i) v[i] += w[i], a[i] += d[i];
        }
        for (std::size_t i = 0; i < columns_; ++i)
          v[i] +=
              static_cast<float>(truth_.mean(v[i], a[i]) + truth_.read_sigma(v[i], a[i]) * normal[r * columns_ + i]);
      }
    }
  }

 private:
  void draw(const training::Tile& tile, std::size_t i) {
    const std::uint64_t column = tile.first_column + i;
    RandomStream at_chip(seed_, StreamPurpose::kTest, 1, 0, chip_), at(seed_, StreamPurpose::kTest, 2, column, chip_);
    const auto c = synthetic::three_normals(at_chip, truth_.chip), k = synthetic::three_normals(at, truth_.column);
    double on[3] = {0, 0, 0};  // C + K on 1, y and a
    for (std::size_t f = 0; f < 3; ++f)
      for (std::size_t g = 0; g < 3; ++g) on[g] += (c[f] + k[f]) * truth_.basis[3 * f + g];
    offset_[i] = static_cast<float>(on[0]);
    const auto plus = tile.plus_of(i), minus = tile.minus_of(i);
    for (std::size_t j = 0; j < rows_; ++j) {
      const double w = double{1} * plus[j] - minus[j], a = plus[j] + minus[j] + 2 * truth_.minimum_conductance;
      const double zp = synthetic::cell_draw(at, truth_.cell_tail), zm = synthetic::cell_draw(at, truth_.cell_tail);
      const std::size_t p = truth_.kind(1, plus[j]), m = truth_.kind(1, minus[j]);
      const double cells = truth_.level[p] + truth_.cell[p] * zp - truth_.level[m] - truth_.cell[m] * zm;
      weight_[j * columns_ + i] = static_cast<float>(cells + on[1] * w + on[2] * a +
                                                     truth_.position_gain * position_weight(j, truth_.rows) * w);
      drive_[j * columns_ + i] = static_cast<float>(a);
    }
  }

  const SyntheticTruth& truth_;
  std::size_t rows_, columns_;
  std::uint64_t number_, seed_, chip_;
  std::vector<float> offset_, weight_, drive_;
};

inline std::unique_ptr<training::PreparedTile> TruthConversion::prepare(const training::Tile& tile, std::uint64_t seed,
                                                                        std::uint64_t chip) const {
  return std::make_unique<TruthTile>(truth_, tile, seed, chip);
}

}  // namespace errata::testing
