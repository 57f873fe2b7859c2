#include "training/hardware/table_conversion.h"

#include <dnnl.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/hardware/subset_sums.h"
#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;

/// Σ of the inputs of each read. They are small integers, so that their order does not matter.
ERRATA_VECTOR_CLONES void activities(std::span<const float> inputs, std::size_t rows, std::span<float> sums) {
  constexpr std::size_t kLanes = 16;
  for (std::size_t r = 0; r < sums.size(); ++r) {
    const float* x = inputs.data() + r * rows;
    float lanes[kLanes] = {};
    std::size_t j = 0;
    for (; j + kLanes <= rows; j += kLanes)
      for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += x[j + l];
    for (std::size_t l = 0; j < rows; ++j, ++l) lanes[l] += x[j];
    float sum = 0.0f;
    for (const float lane : lanes) sum += lane;
    sums[r] = sum;
  }
}

/// Products with what each input level of each row brings, [levels][rows][columns].
class LevelProduct {
 public:
  LevelProduct(std::vector<float> weight, std::size_t rows, std::size_t columns, std::size_t levels)
      : rows_(rows), columns_(columns), levels_(levels) {
    const int bits = static_cast<int>(std::bit_width(levels));
    if (bits <= SubsetSums::kMostBits && std::has_single_bit(levels + 1))
      sums_.emplace(weight, rows, columns, bits);
    else
      weight_ = std::move(weight);
  }

  /// What run() needs of the inputs [reads][rows]; the same for all products of a tile.
  struct Prepared {
    std::vector<std::uint32_t> places;
    std::vector<float> features;
  };
  Prepared prepare(std::span<const float> inputs) const {
    if (sums_) return {sums_->places(inputs), {}};
    return {{}, one_hot(inputs, rows_, levels_)};
  }
  void run(const Prepared& inputs, std::span<float> out) const {
    if (sums_) return sums_->multiply(inputs.places, out);
    const auto terms = static_cast<dnnl_dim_t>(levels_ * rows_), n = static_cast<dnnl_dim_t>(columns_),
               m = static_cast<dnnl_dim_t>(out.size() / columns_);
    if (dnnl_sgemm('N', 'N', m, n, terms, 1.0f, inputs.features.data(), terms, weight_.data(), n, 0.0f, out.data(),
                   n) != dnnl_success)
      throw Error(ExitStatus::kBug, "E700", "matrix product failed");
  }

 private:
  std::size_t rows_, columns_, levels_;
  std::optional<SubsetSums> sums_;
  std::vector<float> weight_;
};

class TableTile final : public PreparedTile {
 public:
  TableTile(const ErrorTable& table, const Tile& tile, std::uint64_t seed, std::uint64_t chip)
      : table_(table),
        surfaces_(table),
        rows_(tile.rows),
        columns_(tile.conversions),
        tile_(tile.number),
        seed_(seed),
        chip_(chip) {
    const std::size_t levels = table.inputs - 1;
    std::vector<float> weight(levels * rows_ * columns_), drive(tile.differential() ? weight.size() : 0);
    for (std::size_t c = 0; c < columns_; ++c) {
      const auto s = draw_static_column(table, seed, chip, tile.first_column + c, tile.plus_of(c), tile.minus_of(c));
      offset_.push_back(static_cast<float>(s.offset));
      for (std::size_t k = 0; k < levels * rows_; ++k) weight[k * columns_ + c] = static_cast<float>(s.weight[k]);
      for (std::size_t k = 0; k < drive.size() / columns_; ++k)
        drive[k * columns_ + c] = static_cast<float>(static_cast<double>(k / rows_ + 1) * s.drive[k % rows_]);
    }
    weight_.emplace(std::move(weight), rows_, columns_, levels);
    if (tile.differential()) drive_.emplace(std::move(drive), rows_, columns_, levels);
  }

  void read(const TileReads& reads, std::span<float> value) const override {
    // What is read at once stays in the second-level cache from the product to the errors.
    constexpr std::size_t kValuesAtOnce = 1 << 16;
    const std::size_t at_once = std::max<std::size_t>(1, kValuesAtOnce / columns_), total = value.size() / columns_;
    std::vector<float> a, normal(std::min(at_once, total) * columns_);
    for (std::size_t first = 0; first < total; first += at_once) {
      const std::size_t count = std::min(at_once, total - first);
      const auto values = value.subspan(first * columns_, count * columns_);
      const auto inputs = reads.inputs.subspan(first * rows_, count * rows_);
      const auto prepared = weight_->prepare(inputs);
      weight_->run(prepared, values);
      a.resize(drive_ ? values.size() : count);
      if (drive_)
        drive_->run(prepared, a);
      else
        activities(inputs, rows_, a);
      draw_normals(reads, first, std::span(normal).first(values.size()));
      if (!table_.dynamic_quantiles.empty())
        for (float& n : std::span(normal).first(values.size()))
          n = static_cast<float>(table_.dynamic_error(static_cast<double>(n)));
      const ReadErrors errors{offset_.data(), normal.data(), columns_};
      if (drive_)
        add_pair_errors(surfaces_, a, errors, values);
      else
        add_read_errors(surfaces_, a, errors, values);
    }
  }

 private:
  /// Of reads from number `first` on; every image has a block of its own.
  void draw_normals(const TileReads& reads, std::size_t first, std::span<float> normal) const {
    while (!normal.empty()) {
      const std::size_t image = first / reads.reads_per_image, read = first % reads.reads_per_image;
      const std::size_t count = std::min(reads.reads_per_image - read, normal.size() / columns_);
      fill_normals_from(
          {seed_, static_cast<std::uint32_t>(StreamPurpose::kDynamicRead), tile_, reads.first_image + image, chip_},
          read * columns_, normal.first(count * columns_));
      normal = normal.subspan(count * columns_);
      first += count;
    }
  }

  const ErrorTable& table_;
  ErrorSurfaces surfaces_;
  std::size_t rows_, columns_;
  std::uint64_t tile_, seed_, chip_;
  std::vector<float> offset_;
  std::optional<LevelProduct> weight_, drive_;
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
