#include "verification/behavioral_conversion.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"

namespace errata::verification {

namespace {

std::vector<std::uint8_t> padded(const std::vector<std::uint8_t>& levels, std::size_t column, std::size_t rows,
                                 std::size_t to) {
  std::vector<std::uint8_t> out(to, 0);
  std::copy_n(levels.begin() + static_cast<std::ptrdiff_t>(column * rows), rows, out.begin());
  return out;
}

/// Reads with the same inputs have the same noise-free currents: each distinct input is solved once.
struct DistinctInputs {
  std::vector<std::uint8_t> inputs;    ///< [distinct][rows of the array]
  std::vector<float> active;           ///< the same for the rows of the tile
  std::vector<std::uint32_t> of_read;  ///< which distinct input a read has
  std::size_t count = 0;
};

DistinctInputs distinct_inputs(std::span<const float> reads, std::size_t rows, std::size_t array_rows) {
  DistinctInputs d;
  std::unordered_map<std::string, std::uint32_t> known;
  std::string key((rows + 7) / 8, '\0');
  for (std::size_t r = 0; r < reads.size() / rows; ++r) {
    const float* x = reads.data() + r * rows;
    std::fill(key.begin(), key.end(), '\0');
    for (std::size_t j = 0; j < rows; ++j)
      if (x[j] != 0.0f) key[j / 8] = static_cast<char>(key[j / 8] | (1 << (j % 8)));
    const auto [at, added] = known.try_emplace(key, static_cast<std::uint32_t>(d.count));
    d.of_read.push_back(at->second);
    if (!added) continue;
    ++d.count;
    for (std::size_t j = 0; j < array_rows; ++j) d.inputs.push_back(j < rows && x[j] != 0.0f ? 1 : 0);
    d.active.insert(d.active.end(), x, x + rows);
  }
  return d;
}

class BehavioralTile final : public training::PreparedTile {
 public:
  BehavioralTile(const behavioral::BehavioralModel& model, const training::Tile& tile, std::uint64_t seed,
                 std::uint64_t chip)
      : model_(model), tile_(tile.number), seed_(seed), chip_(chip), rows_(tile.rows), columns_(tile.columns) {
    const std::size_t lines = 2 * columns_;
    sums_.resize(rows_ * 3 * lines);
    for (std::size_t l = 0; l < lines; ++l) {
      const auto& levels = l % 2 == 0 ? tile.plus : tile.minus;
      lines_.push_back(
          model.prepare(seed, {chip, 2 * tile.first_column + l}, padded(levels, l / 2, rows_, model.array.rows)));
      for (std::size_t j = 0; j < rows_; ++j) {
        const auto row = lines_.back()->row_noise(j);
        std::ranges::copy(row, sums_.begin() + static_cast<std::ptrdiff_t>(j * 3 * lines + 3 * l));
      }
    }
  }

  void read(const training::TileReads& reads, std::span<float> value) const override {
    const DistinctInputs d = distinct_inputs(reads.inputs, rows_, model_.array.rows);
    const std::size_t lines = 2 * columns_;
    std::vector<float> sums(d.count * 3 * lines), mean(d.count * columns_), sigma(d.count * columns_);
    const auto m = static_cast<dnnl_dim_t>(d.count), n = static_cast<dnnl_dim_t>(3 * lines),
               k = static_cast<dnnl_dim_t>(rows_);
    if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, d.active.data(), k, sums_.data(), n, 0.0f, sums.data(), n) != dnnl_success)
      throw Error(ExitStatus::kBug, "E700", "matrix product failed");
    std::vector<double> plus(d.count), minus(d.count);
    for (std::size_t c = 0; c < columns_; ++c) {
      lines_[2 * c]->read(d.inputs, model_.array.rows, plus);
      lines_[2 * c + 1]->read(d.inputs, model_.array.rows, minus);
      for (std::size_t i = 0; i < d.count; ++i) {
        const float* s = sums.data() + i * 3 * lines + 6 * c;
        mean[i * columns_ + c] = static_cast<float>(model_.transfer.to_mac(plus[i] - minus[i]));
        sigma[i * columns_ + c] =
            static_cast<float>(std::sqrt(variance(2 * c, plus[i], s) + variance(2 * c + 1, minus[i], s + 3)));
      }
    }
    add_noise(reads, d, mean, sigma, value);
  }

 private:
  /// In MAC units squared.
  double variance(std::size_t line, double output, const float* sums) const {
    const double unit = model_.transfer.unit;
    return lines_[line]->read_variance(output, {sums[0], sums[1], sums[2]}) / (unit * unit);
  }

  void add_noise(const training::TileReads& reads, const DistinctInputs& d, std::span<const float> mean,
                 std::span<const float> sigma, std::span<float> value) const {
    std::vector<float> normal(reads.reads_per_image * columns_);
    for (std::size_t image = 0; image < reads.images; ++image) {
      training::fill_normals(
          {seed_, static_cast<std::uint32_t>(StreamPurpose::kDynamicRead), tile_, reads.first_image + image, chip_},
          normal);
      for (std::size_t r = 0; r < reads.reads_per_image; ++r) {
        const std::size_t at = image * reads.reads_per_image + r, from = d.of_read[at] * columns_;
        for (std::size_t c = 0; c < columns_; ++c)
          value[at * columns_ + c] = mean[from + c] + sigma[from + c] * normal[r * columns_ + c];
      }
    }
  }

  const behavioral::BehavioralModel& model_;
  std::uint64_t tile_, seed_, chip_;
  std::size_t rows_, columns_;
  std::vector<std::unique_ptr<behavioral::Line>> lines_;
  std::vector<float> sums_;  ///< [rows][lines][behavioral::NoiseSums]
};

}  // namespace

std::unique_ptr<training::PreparedTile> BehavioralConversion::prepare(const training::Tile& tile, std::uint64_t seed,
                                                                      std::uint64_t chip) const {
  return std::make_unique<BehavioralTile>(model_, tile, seed, chip);
}

}  // namespace errata::verification
