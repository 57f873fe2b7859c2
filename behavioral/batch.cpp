#include "behavioral/batch.h"

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"

namespace errata::behavioral {

namespace {

/// Sizes that follow from a request.
struct Sizes {
  std::size_t operands, columns, reads;
};

Sizes sizes_of(const BehavioralModel& model, const BatchColumns& c, const BatchOptions& o) {
  const std::size_t per_column = model.branches * c.rows;
  if (c.rows == 0 || c.rows > model.array.rows || c.inputs.size() % c.rows != 0 || c.levels.size() % per_column != 0)
    throw Error(ExitStatus::kBug, "E700", "a batch of columns contradicts itself");
  return {c.inputs.size() / c.rows, c.levels.size() / per_column, std::max<std::size_t>(1, o.reads)};
}

/// Rows beyond the given ones at level 0.
std::vector<std::uint8_t> widened(std::span<const std::uint8_t> levels, std::size_t rows, std::size_t to) {
  std::vector<std::uint8_t> wide(levels.size() / rows * to, 0);
  for (std::size_t i = 0; i < levels.size() / rows; ++i)
    std::copy_n(levels.begin() + static_cast<std::ptrdiff_t>(i * rows), rows,
                wide.begin() + static_cast<std::ptrdiff_t>(i * to));
  return wide;
}

constexpr std::size_t kLanes = PackedInputs::kLanes;

/// sums [3][kLanes] += Σ over rows and levels of mask · added; added is [count][3].
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void add_rows(const float* masks,
                                                                                            const float* added,
                                                                                            std::size_t count,
                                                                                            float* sums) {
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t term = 0; term < 3; ++term) {
      const float* mask = masks + k * kLanes;
      const float add = added[3 * k + term];
      float* to = sums + term * kLanes;
      for (std::size_t l = 0; l < kLanes; ++l) to[l] += mask[l] * add;
    }
}

class Batch {
 public:
  Batch(const BehavioralModel& model, const BatchColumns& columns, const BatchOptions& options)
      : model_(model),
        options_(options),
        sizes_(sizes_of(model, columns, options)),
        inputs_(widened(columns.inputs, columns.rows, model.array.rows)),
        levels_(widened(columns.levels, columns.rows, model.array.rows)),
        packed_(inputs_, model.array.rows, model.array.rows, model.input_levels()) {}

  std::vector<float> run() const {
    const std::size_t per_column = sizes_.operands * sizes_.reads, all = options_.chips * sizes_.columns;
    std::vector<float> values(all * per_column);
#pragma omp parallel for schedule(dynamic) num_threads(options_.jobs)
    for (std::size_t k = 0; k < all; ++k)
      convert(k / sizes_.columns, k % sizes_.columns, std::span(values).subspan(k * per_column, per_column));
    return values;
  }

 private:
  void convert(std::size_t chip, std::size_t column, std::span<float> values) const {
    const std::size_t rows = model_.array.rows, count = sizes_.operands;
    std::vector<double> value(count, 0.0), variance(count, 0.0), output(count);
    for (std::size_t b = 0; b < model_.branches; ++b) {
      const std::uint64_t line = model_.branches * (options_.first_column + column) + b;
      const auto stored = std::span(levels_).subspan((column * model_.branches + b) * rows, rows);
      const auto prepared = model_.prepare(options_.seed, {options_.first_chip + chip, line}, stored);
      prepared->read(packed_, output);
      for (std::size_t p = 0; p < count; ++p) value[p] += b == 0 ? output[p] : -output[p];
      if (options_.reads > 0) add_variance(*prepared, output, variance);
    }
    for (std::size_t p = 0; p < count; ++p) {
      const double mac = model_.transfer.to_mac(value[p]);
      float* to = values.data() + p * sizes_.reads;
      *to = static_cast<float>(mac);
      if (options_.reads == 0) continue;
      RandomStream stream(options_.seed, StreamPurpose::kDynamicRead, options_.first_column + column, p,
                          options_.first_chip + chip);
      const double sigma = std::sqrt(variance[p]) / std::fabs(model_.transfer.unit);
      for (std::size_t r = 0; r < sizes_.reads; ++r) to[r] = static_cast<float>(mac + sigma * stream.normal());
    }
  }

  void add_variance(const Line& line, std::span<const double> output, std::span<double> variance) const {
    const std::size_t rows = model_.array.rows, top = model_.input_levels() - 1;
    std::vector<float> row;
    for (std::size_t x = 1; x <= top; ++x)
      for (std::size_t j = 0; j < rows; ++j)
        for (const double v : line.row_noise(j, x)) row.push_back(static_cast<float>(v));
    float sums[3 * kLanes];
    for (std::size_t block = 0; block < packed_.blocks(); ++block) {
      std::fill(std::begin(sums), std::end(sums), 0.0f);
      add_rows(packed_.masks(block), row.data(), top * rows, sums);
      for (std::size_t l = 0; l < packed_.filled(block); ++l) {
        const std::size_t p = block * kLanes + l;
        variance[p] += line.read_variance(output[p], {sums[l], sums[kLanes + l], sums[2 * kLanes + l]});
      }
    }
  }

  const BehavioralModel& model_;
  const BatchOptions& options_;
  Sizes sizes_;
  std::vector<std::uint8_t> inputs_, levels_;  ///< with all rows of the array
  PackedInputs packed_;
};

}  // namespace

std::vector<float> convert_batch(const BehavioralModel& model, const BatchColumns& columns,
                                 const BatchOptions& options) {
  return Batch(model, columns, options).run();
}

std::vector<double> convert_plainly(const BehavioralModel& model, const BatchColumns& columns,
                                    const BatchOptions& options) {
  const Sizes sizes = sizes_of(model, columns, options);
  const std::size_t rows = model.array.rows;
  const auto inputs = widened(columns.inputs, columns.rows, rows), levels = widened(columns.levels, columns.rows, rows);
  std::vector<double> values;
  for (std::size_t chip = 0; chip < options.chips; ++chip)
    for (std::size_t column = 0; column < sizes.columns; ++column)
      for (std::size_t p = 0; p < sizes.operands; ++p) {
        const auto x = std::span(inputs).subspan(p * rows, rows);
        double value = 0.0, variance = 0.0;
        for (std::size_t b = 0; b < model.branches; ++b) {
          const LineId id{options.first_chip + chip, model.branches * (options.first_column + column) + b};
          const auto line =
              model.prepare(options.seed, id, std::span(levels).subspan((column * model.branches + b) * rows, rows));
          double output = 0.0;
          line->read(x, rows, {&output, 1});
          value += b == 0 ? output : -output;
          for (const double v : line->noise_variances(x.data())) variance += v;
        }
        RandomStream stream(options.seed, StreamPurpose::kDynamicRead, options.first_column + column, p,
                            options.first_chip + chip);
        const double sigma = options.reads > 0 ? std::sqrt(variance) / std::fabs(model.transfer.unit) : 0.0;
        for (std::size_t r = 0; r < sizes.reads; ++r)
          values.push_back(model.transfer.to_mac(value) + (sigma > 0.0 ? sigma * stream.normal() : 0.0));
      }
  return values;
}

}  // namespace errata::behavioral
