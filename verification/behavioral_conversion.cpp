#include "verification/behavioral_conversion.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"

namespace errata::verification {

namespace {

std::vector<std::uint8_t> padded(std::span<const std::uint8_t> levels, std::size_t to) {
  std::vector<std::uint8_t> out(levels.begin(), levels.end());
  out.resize(to, 0);
  return out;
}

/// Reads with the same inputs have the same noise-free outputs: each distinct input is solved once.
struct DistinctInputs {
  std::vector<std::uint8_t> inputs;    ///< [distinct][rows of the array]
  std::vector<std::uint32_t> of_read;  ///< which distinct input a read has
  std::size_t count = 0;
};

DistinctInputs distinct_inputs(std::span<const float> reads, std::size_t rows, std::size_t array_rows) {
  DistinctInputs d;
  std::unordered_map<std::string_view, std::uint32_t> known;
  std::string levels(reads.size(), '\0');
  std::ranges::transform(reads, levels.begin(),
                         [](float x) { return static_cast<char>(static_cast<std::uint8_t>(x)); });
  known.reserve(reads.size() / rows);
  for (std::size_t r = 0; r < reads.size() / rows; ++r) {
    const std::string_view key = std::string_view(levels).substr(r * rows, rows);
    const auto [at, added] = known.try_emplace(key, static_cast<std::uint32_t>(d.count));
    d.of_read.push_back(at->second);
    if (!added) continue;
    ++d.count;
    d.inputs.insert(d.inputs.end(), key.begin(), key.end());
    d.inputs.resize(d.count * array_rows, 0);
  }
  return d;
}

class BehavioralTile final : public training::PreparedTile {
 public:
  BehavioralTile(const behavioral::BehavioralModel& model, const training::Tile& tile, std::uint64_t seed,
                 std::uint64_t chip)
      : model_(model),
        tile_(tile.number),
        seed_(seed),
        chip_(chip),
        rows_(tile.rows),
        columns_(tile.conversions),
        branches_(tile.differential() ? 2 : 1) {
    const std::size_t lines = branches_ * columns_, levels = model.input_levels() - 1;
    sums_.resize(levels * rows_ * 3 * lines);
    for (std::size_t l = 0; l < lines; ++l) {
      const auto stored = l % branches_ == 0 ? tile.plus_of(l / branches_) : tile.minus_of(l / branches_);
      lines_.push_back(
          model.prepare(seed, {chip, branches_ * tile.first_column + l}, padded(stored, model.array.rows)));
      for (std::size_t x = 1; x <= levels; ++x)
        for (std::size_t j = 0; j < rows_; ++j) {
          const auto row = lines_.back()->row_noise(j, x);
          std::ranges::copy(row,
                            sums_.begin() + static_cast<std::ptrdiff_t>(((x - 1) * rows_ + j) * 3 * lines + 3 * l));
        }
    }
  }

  void read(const training::TileReads& reads, std::span<float> value) const override {
    const DistinctInputs d = distinct_inputs(reads.inputs, rows_, model_.array.rows);
    const behavioral::PackedInputs packed(d.inputs, model_.array.rows, model_.array.rows, model_.input_levels());
    const std::vector<float> sums = noise_sums(d);
    std::vector<float> mean(d.count * columns_), sigma(d.count * columns_);
    std::vector<double> output(d.count), other(d.count);
    for (std::size_t c = 0; c < columns_; ++c) {
      lines_[branches_ * c]->read(packed, output);
      if (branches_ == 2) lines_[2 * c + 1]->read(packed, other);
      for (std::size_t i = 0; i < d.count; ++i) {
        const float* s = sums.data() + (i * columns_ + c) * branches_ * 3;
        double square = variance(branches_ * c, output[i], s), difference = output[i];
        if (branches_ == 2) {
          square += variance(2 * c + 1, other[i], s + 3);
          difference -= other[i];
        }
        mean[i * columns_ + c] = static_cast<float>(model_.transfer.to_mac(difference));
        sigma[i * columns_ + c] = static_cast<float>(std::sqrt(square));
      }
    }
    add_noise(reads, d, mean, sigma, value);
  }

 private:
  /// What the active rows of each distinct input add to the noise of every line: [distinct][lines][3].
  std::vector<float> noise_sums(const DistinctInputs& d) const {
    const std::size_t terms = (model_.input_levels() - 1) * rows_, lines = branches_ * columns_;
    std::vector<float> active(d.count * terms, 0.0f), sums(d.count * 3 * lines);
    for (std::size_t i = 0; i < d.count; ++i)
      for (std::size_t j = 0; j < rows_; ++j)
        if (const std::size_t x = d.inputs[i * model_.array.rows + j]; x > 0)
          active[i * terms + (x - 1) * rows_ + j] = 1.0f;
    const auto m = static_cast<dnnl_dim_t>(d.count), n = static_cast<dnnl_dim_t>(3 * lines),
               k = static_cast<dnnl_dim_t>(terms);
    if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, active.data(), k, sums_.data(), n, 0.0f, sums.data(), n) != dnnl_success)
      throw Error(ExitStatus::kBug, "E700", "matrix product failed");
    return sums;
  }

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
  std::size_t rows_, columns_, branches_;
  std::vector<std::unique_ptr<behavioral::Line>> lines_;
  std::vector<float> sums_;  ///< [input levels − 1][rows][lines][behavioral::NoiseSums]
};

}  // namespace

std::unique_ptr<training::PreparedTile> BehavioralConversion::prepare(const training::Tile& tile, std::uint64_t seed,
                                                                      std::uint64_t chip) const {
  return std::make_unique<BehavioralTile>(model_, tile, seed, chip);
}

}  // namespace errata::verification
