#include "behavioral/batch.h"

#include <algorithm>
#include <cmath>

#include "behavioral/line/row_sums.h"
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
    for (std::size_t p = 0; p < count; ++p) value[p] = model_.transfer.to_mac(value[p]);
    if (options_.reads == 0)
      std::ranges::transform(value, values.begin(), [](double mac) { return static_cast<float>(mac); });
    else
      add_noise(chip, column, value, variance, values);
  }

  void add_variance(const Line& line, std::span<const double> output, std::span<double> variance) const {
    const std::size_t rows = model_.array.rows, top = model_.input_levels() - 1, lanes = packed_.lanes();
    std::vector<float> row;
    row.reserve(3 * top * rows);
    for (std::size_t x = 1; x <= top; ++x)
      for (std::size_t j = 0; j < rows; ++j)
        for (const double v : line.row_noise(j, x)) row.push_back(static_cast<float>(v));
    const RowSums row_sums(std::move(row), 3);
    float sums[3 * PackedInputs::kLanes];
    for (std::size_t block = 0; block < packed_.blocks(); ++block) {
      std::fill_n(sums, 3 * lanes, 0.0f);
      row_sums.add(packed_, block, {sums, 3 * lanes});
      const std::size_t filled = packed_.filled(block), first = block * lanes;
      line.add_read_variances(output.subspan(first, filled), {sums, 3 * lanes}, lanes, variance.subspan(first, filled));
    }
  }

  /// Values [operands][reads] from means and variances of the operands.
  void add_noise(std::size_t chip, std::size_t column, std::span<const double> mac, std::span<const double> variance,
                 std::span<float> values) const {
    constexpr std::size_t kTogether = 1024;  // normals that stay in the cache
    const std::size_t reads = sizes_.reads, step = std::max<std::size_t>(1, kTogether / reads);
    const double per_unit = 1.0 / std::fabs(model_.transfer.unit);
    std::vector<double> normal;
    for (std::size_t first = 0; first < mac.size(); first += step) {
      const std::size_t count = std::min(step, mac.size() - first);
      normal.resize(count * reads);
      fill_normals({.seed = options_.seed,
                    .purpose = StreamPurpose::kDynamicRead,
                    .a = options_.first_column + column,
                    .b = first,
                    .c = options_.first_chip + chip,
                    .step_b = 1},
                   reads, normal);
      for (std::size_t i = 0; i < count; ++i) {
        const double sigma = std::sqrt(variance[first + i]) * per_unit;
        for (std::size_t r = 0; r < reads; ++r)
          values[(first + i) * reads + r] = static_cast<float>(mac[first + i] + sigma * normal[i * reads + r]);
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
