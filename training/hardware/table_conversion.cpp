#include "training/hardware/table_conversion.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;

/// The surfaces in fp32, laid out for bilinear lookup.
class TableTile final : public PreparedTile {
 public:
  TableTile(const ErrorTable& table, const Tile& tile, std::uint64_t seed, std::uint64_t chip)
      : axes_(table.axes),
        rows_(tile.rows),
        columns_(tile.conversions),
        levels_(table.inputs - 1),
        tile_(tile.number),
        seed_(seed),
        chip_(chip) {
    mu_.assign(table.mu.begin(), table.mu.end());
    sigma_.assign(table.dynamic_sigma.begin(), table.dynamic_sigma.end());
    weight_.resize(levels_ * rows_ * columns_);
    drive_.resize(rows_ * columns_);
    for (std::size_t c = 0; c < columns_; ++c) {
      const auto s = draw_static_column(table, seed, chip, tile.first_column + c, tile.plus_of(c), tile.minus_of(c));
      offset_.push_back(static_cast<float>(s.offset));
      for (std::size_t k = 0; k < levels_ * rows_; ++k) weight_[k * columns_ + c] = static_cast<float>(s.weight[k]);
      for (std::size_t j = 0; j < rows_; ++j) drive_[j * columns_ + c] = static_cast<float>(s.drive[j]);
    }
  }

  void read(const TileReads& reads, std::span<float> value) const override {
    const std::size_t count = reads.images * reads.reads_per_image;
    std::vector<float> drive(count * columns_), normal(reads.reads_per_image * columns_);
    multiply(count, rows_, reads.inputs.data(), drive_.data(), drive.data());
    if (levels_ == 1) {
      multiply(count, rows_, reads.inputs.data(), weight_.data(), value.data());
    } else {
      const auto features = one_hot(reads.inputs, rows_, levels_);
      multiply(count, levels_ * rows_, features.data(), weight_.data(), value.data());
    }
    const std::size_t per_image = reads.reads_per_image * columns_;
    for (std::size_t image = 0; image < reads.images; ++image) {
      fill_normals(
          {seed_, static_cast<std::uint32_t>(StreamPurpose::kDynamicRead), tile_, reads.first_image + image, chip_},
          normal);
      add_errors(reads.reads_per_image, value.data() + image * per_image, drive.data() + image * per_image,
                 normal.data());
    }
  }

 private:
  void multiply(std::size_t count, std::size_t terms, const float* inputs, const float* matrix, float* out) const {
    const auto m = static_cast<dnnl_dim_t>(count), n = static_cast<dnnl_dim_t>(columns_),
               k = static_cast<dnnl_dim_t>(terms);
    if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, inputs, k, matrix, n, 0.0f, out, n) != dnnl_success)
      throw Error(ExitStatus::kBug, "E700", "matrix product failed");
  }

  /// value += offset, then μ and σ_D·ε looked up at the state so far.
  void add_errors(std::size_t reads, float* value, const float* drive, const float* normal) const {
    const auto ny = static_cast<float>(axes_.y_points - 1), na = static_cast<float>(axes_.a_points - 1);
    const float y_scale = ny / static_cast<float>(axes_.y_high - axes_.y_low);
    const float a_scale = na / static_cast<float>(axes_.a_high - axes_.a_low);
    const auto y_low = static_cast<float>(axes_.y_low), a_low = static_cast<float>(axes_.a_low);
    const int stride = static_cast<int>(axes_.a_points);
    for (std::size_t r = 0; r < reads; ++r)
      for (std::size_t c = 0; c < columns_; ++c) {
        const std::size_t k = r * columns_ + c;
        const float ys = value[k] + offset_[c];
        const float ty = std::clamp((ys - y_low) * y_scale, 0.0f, ny),
                    ta = std::clamp((drive[k] - a_low) * a_scale, 0.0f, na);
        const int i = std::min(static_cast<int>(ty), static_cast<int>(ny) - 1);
        const int j = std::min(static_cast<int>(ta), static_cast<int>(na) - 1);
        const float fy = ty - static_cast<float>(i), fa = ta - static_cast<float>(j);
        const float w00 = (1 - fy) * (1 - fa), w01 = (1 - fy) * fa, w10 = fy * (1 - fa), w11 = fy * fa;
        const int n = i * stride + j;
        const float mu = w00 * mu_[n] + w01 * mu_[n + 1] + w10 * mu_[n + stride] + w11 * mu_[n + stride + 1];
        const float sigma =
            w00 * sigma_[n] + w01 * sigma_[n + 1] + w10 * sigma_[n + stride] + w11 * sigma_[n + stride + 1];
        value[k] = ys + mu + sigma * normal[k];
      }
  }

  errormodel::SurfaceAxes axes_;
  std::size_t rows_, columns_, levels_;
  std::uint64_t tile_, seed_, chip_;
  std::vector<float> mu_, sigma_, weight_, drive_, offset_;
};

}  // namespace

std::unique_ptr<PreparedTile> TableConversion::prepare(const Tile& tile, std::uint64_t seed, std::uint64_t chip) const {
  return std::make_unique<TableTile>(table_, tile, seed, chip);
}

std::vector<float> one_hot(std::span<const float> inputs, std::size_t rows, std::size_t levels) {
  const std::size_t count = inputs.size() / rows;
  std::vector<float> out(count * levels * rows, 0.0f);
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t j = 0; j < rows; ++j) {
      const auto x = static_cast<std::size_t>(inputs[k * rows + j]);
      if (x > 0) out[(k * levels + x - 1) * rows + j] = 1.0f;
    }
  return out;
}

errormodel::ErrorTable ideal_table(const errormodel::ErrorTable& like) {
  errormodel::ErrorTable t = like;
  for (std::size_t x = 1; x < t.inputs; ++x)
    for (std::size_t w = 0; w < t.levels; ++w) t.level[t.kind(x, w)] = static_cast<double>(x * w);
  std::fill(t.mu.begin(), t.mu.end(), 0.0);
  std::fill(t.slope.begin(), t.slope.end(), 0.0);
  t.chip.fill(0.0);
  t.column.fill(0.0);
  std::fill(t.cell_sigma.begin(), t.cell_sigma.end(), 0.0);
  std::fill(t.dynamic_sigma.begin(), t.dynamic_sigma.end(), 0.0);
  std::fill(t.source_variance.begin(), t.source_variance.end(), 0.0);
  return t;
}

errormodel::ErrorTable matched_gaussian(const errormodel::ErrorTable& table) {
  // Mean over the support of φᵀ(Σ_C + Σ_K)φ + Σ s² + σ_D² + μ²; the number of active cells follows from a: on average
  // over kinds, a cell adds w·x (or, single-ended, x) to it.
  double sum = 0.0, weight = 0.0, squares = 0.0, shares = 0.0;
  for (std::size_t x = 1; x < table.inputs; ++x)
    for (std::size_t w = table.differential() ? 1 : 0; w < table.levels; ++w) {
      const double s = table.cell_sigma[table.kind(x, w)];
      squares += s * s;
      shares += static_cast<double>(table.differential() ? w * x : x);
    }
  const double cell = squares / shares;
  for (std::size_t i = 0; i < table.axes.y_points; ++i)
    for (std::size_t j = 0; j < table.axes.a_points; ++j) {
      const std::size_t n = i * table.axes.a_points + j;
      const double y = table.axes.y_at(i), a = table.axes.a_at(j);
      const auto phi = table.phi(y, a);
      double variance = table.dynamic_sigma[n] * table.dynamic_sigma[n] + table.mu[n] * table.mu[n] + cell * a;
      for (int p = 0; p < 3; ++p)
        for (int q = 0; q < 3; ++q) variance += phi[p] * phi[q] * (table.chip[3 * p + q] + table.column[3 * p + q]);
      sum += table.support_count[n] * variance;
      weight += table.support_count[n];
    }
  errormodel::ErrorTable t = ideal_table(table);
  std::fill(t.dynamic_sigma.begin(), t.dynamic_sigma.end(), std::sqrt(sum / std::max(weight, 1e-300)));
  return t;
}

}  // namespace errata::training
