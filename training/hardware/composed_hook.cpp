#include "training/hardware/composed_hook.h"

#include <dnnl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"
#include "training/network.h"
#include "training/shards.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;

/// Gathers operands of every layer from an ideal run; the first shard speaks for all.
class OperandCollector final : public ProductHook {
 public:
  OperandCollector(const ErrorTable& table, const HardwareOptions& hardware, std::uint64_t seed)
      : table_(table), hardware_(hardware), seed_(seed) {}

  /// Operands by layer and slice.
  std::vector<std::vector<std::vector<PlaneOperand>>> operands;

  void begin_batch(Network& network, const BatchContext&) override {
    operands.clear();
    for (const MatrixLayer* layer : network.matrix_layers()) operands.emplace_back(weight_slices(hardware_.of(*layer)));
  }

  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext&, const Tensor& codes, Tensor& product,
               Tensor* slope) override {
    if (slope != nullptr) slope->fill(1.0f);
    layer.ideal_product(codes, product);
    if (shard != 0) return;
    std::size_t next_tile = 0;
    std::uint64_t next_column = 0;
    const auto tiles = map_layer(layer, hardware_, next_tile, next_column);
    constexpr std::size_t kOperands = 3000;  // for each slice: σ of a bin of 1/64 of them is known to 10 %
    const HardwareOptions own = hardware_.of(layer);
    const std::size_t slices = weight_slices(own), each = kOperands * slices / tiles.size() + 1;
    for (std::size_t t = 0; t < tiles.size(); ++t) {
      RandomStream stream(seed_, StreamPurpose::kCalibration, t, layer.index(), 1);
      for (std::size_t k = 0; k < each; ++k)
        operands[layer.index()][t % slices].push_back(draw(layer, own, tiles[t], codes, stream));
    }
  }

 private:
  PlaneOperand draw(const MatrixLayer& layer, const HardwareOptions& hardware, const Tile& tile, const Tensor& codes,
                    RandomStream& stream) const {
    const std::size_t position = stream.below(codes.images() * layer.geometry().positions());
    const std::size_t column = stream.below(tile.conversions);
    std::vector<float> x(tile.rows);
    im2col_rows(layer.geometry(), codes, position, 1, tile.first_row, tile.rows, x.data());
    const std::size_t digits = hardware.digits();
    PlaneOperand o;
    o.digit_base = static_cast<double>(hardware.input_levels());
    o.y.assign(digits, 0.0f);
    o.a.assign(digits, 0.0f);
    for (std::size_t j = 0; j < tile.rows; ++j) {
      const auto code = static_cast<std::uint32_t>(x[j]);
      const int plus = tile.plus[column * tile.rows + j],
                minus = tile.differential() ? tile.minus[column * tile.rows + j] : 0;
      const double drive = tile.differential() ? plus + minus + 2 * table_.minimum_conductance : 1.0;
      for (std::size_t d = 0; d < digits; ++d) {
        const int level = input_digit(code, hardware.dac_bits, static_cast<int>(d));
        o.y[d] += static_cast<float>(level * (plus - minus));
        o.a[d] += static_cast<float>(level * drive);
      }
    }
    return o;
  }

  const ErrorTable& table_;
  HardwareOptions hardware_;
  std::uint64_t seed_;
};

/// value → value + shift + σ·ε by linear lookup in each column's row of bins; slope = 1 + d(shift)/dY.
struct Epilogue {
  std::size_t reads, columns, bins;
  float y_low, per_bin, bin_width;
  const float *shift, *sigma;  ///< [columns][bins]
};

/// `out` may be `partial`.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void add_errors(
    const Epilogue& e, const float* partial, const float* normal, float* out, float* slope) {
  const float last = static_cast<float>(e.bins - 1);
  for (std::size_t r = 0; r < e.reads; ++r) {
    const float* p = partial + r * e.columns;
    const float* n = normal + r * e.columns;
    float* o = out + r * e.columns;
    float* s = slope == nullptr ? nullptr : slope + r * e.columns;
    for (std::size_t c = 0; c < e.columns; ++c) {
      const float at = (p[c] - e.y_low) * e.per_bin;
      const float bounded = std::min(std::max(at, 0.0f), last);
      const int bin = std::min(static_cast<int>(bounded), static_cast<int>(e.bins) - 2);
      const float f = bounded - static_cast<float>(bin);
      const std::size_t k = c * e.bins + static_cast<std::size_t>(bin);
      const float d = e.shift[k + 1] - e.shift[k];
      const float sigma = e.sigma[k] + f * (e.sigma[k + 1] - e.sigma[k]);
      const float y = e.y_low + bounded * e.bin_width;  // beyond the layer's range the ADC of some digit has clipped
      if (s != nullptr) s[c] = bounded == at ? std::max(0.0f, 1.0f + d * e.per_bin) : 0.0f;
      o[c] = y + e.shift[k] + f * d + sigma * n[c];
    }
  }
}

/// What each input level contributes to a multi-bit sum: Σ over digits of base^d where the digit has that level,
/// [count][levels][rows].
void digit_features(std::span<const float> codes, std::size_t rows, const HardwareOptions& hardware, std::size_t count,
                    std::span<float> features) {
  const std::size_t levels = hardware.input_levels() - 1;
  std::ranges::fill(features, 0.0f);
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t j = 0; j < rows; ++j) {
      const auto code = static_cast<std::uint32_t>(codes[k * rows + j]);
      for (std::size_t d = 0; d < hardware.digits(); ++d) {
        const int level = input_digit(code, hardware.dac_bits, static_cast<int>(d));
        if (level > 0)
          features[(k * levels + static_cast<std::size_t>(level) - 1) * rows + j] +=
              std::ldexp(1.0f, static_cast<int>(d) * hardware.dac_bits);
      }
    }
}

}  // namespace

ComposedHook::ComposedHook(const ErrorTable& table, ComposedOptions options)
    : table_(table),
      options_(options),
      chip_factor_(ErrorTable::factor(table.chip)),
      column_factor_(ErrorTable::factor(table.column)) {
  // Constant part of (C + K)·φ: variance of the coefficient that multiplies 1.
  double variance = 0.0;
  for (int p = 0; p < 3; ++p)
    for (int q = 0; q < 3; ++q)
      variance += table.basis[3 * p] * table.basis[3 * q] * (table.chip[3 * p + q] + table.column[3 * p + q]);
  constexpr double kReach = 4.5;
  offset_reach_ = kReach * std::sqrt(std::max(0.0, variance));
}

void ComposedHook::calibrate(Network& network, const Tensor& images) {
  OperandCollector collector(table_, options_.hardware, options_.seed);
  network.forward(images, {.context = {.training = false, .seed = options_.seed}, .hook = &collector, .threads = 1});
  layers_.clear();
  layers_.resize(network.matrix_layers().size());
  ErrorTable table = table_;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].hardware = options_.hardware.of(*network.matrix_layers()[l]);
    table.adc = layers_[l].hardware.adc;
    for (const auto& operands : collector.operands[l])
      layers_[l].composed.push_back(operands.empty() ? ComposedTable{} : compose(table, operands, offset_reach_));
  }
}

void ComposedHook::begin_batch(Network& network, const BatchContext& context) {
  if (layers_.empty()) throw Error(ExitStatus::kBug, "E700", "a composed hook must be calibrated first");
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  for (const MatrixLayer* layer : network.matrix_layers()) {
    if (!layer->is_quantized()) continue;
    LayerState& state = layers_[layer->index()];
    state.tiles.clear();
    for (Tile& tile : map_layer(*layer, options_.hardware, next_tile, next_column))
      state.tiles.push_back({std::move(tile), {}, {}, {}});
    draw_chip(state, options_.first_chip + context.step);
  }
}

void ComposedHook::draw_chip(LayerState& state, std::uint64_t chip) const {
  float chip_terms[3];
  fill_normals({options_.seed, static_cast<std::uint32_t>(StreamPurpose::kTableChip), 0, 0, chip}, chip_terms);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t t = 0; t < state.tiles.size(); ++t)
    draw_tile(state.tiles[t], state.composed[t % state.composed.size()], chip, chip_terms);
}

void ComposedHook::draw_tile(MappedTile& mapped, const ComposedTable& composed, std::uint64_t chip,
                             const float* chip_terms) const {
  const Tile& tile = mapped.tile;
  const std::size_t rows = tile.rows, columns = tile.conversions, bins = composed.bins, inputs = table_.inputs - 1;
  std::vector<float> cell(2 * rows * columns), column_terms(3 * columns);
  const auto block = [&](StreamPurpose purpose) {
    return NormalBlock{options_.seed, static_cast<std::uint32_t>(purpose), tile.number, 1, chip};
  };
  fill_normals(block(StreamPurpose::kTableCell), cell);
  fill_normals(block(StreamPurpose::kTableColumn), column_terms);
  mapped.weight.resize(inputs * rows * columns);
  mapped.shift.resize(columns * bins);
  mapped.sigma.resize(columns * bins);
  std::vector<float> level(table_.level.begin(), table_.level.end()),
      spread(table_.cell_sigma.begin(), table_.cell_sigma.end());
  const auto g_min = static_cast<float>(2 * table_.minimum_conductance);
  for (std::size_t c = 0; c < columns; ++c) {
    double theta[3] = {0, 0, 0};
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j <= i; ++j)
        theta[i] += chip_factor_[3 * i + j] * chip_terms[j] + column_factor_[3 * i + j] * column_terms[3 * c + j];
    float on[3] = {0, 0, 0};
    for (int k = 0; k < 3; ++k)
      for (int i = 0; i < 3; ++i) on[k] += static_cast<float>(theta[i] * table_.basis[3 * i + k]);
    composed.of_column(on[0], std::span(mapped.shift).subspan(c * bins, bins),
                       std::span(mapped.sigma).subspan(c * bins, bins));
    const float* z = cell.data() + 2 * c * rows;
    for (std::size_t j = 0; j < rows; ++j) {
      const bool pair = tile.differential();
      const std::size_t p = tile.plus[c * rows + j], m = pair ? tile.minus[c * rows + j] : 0;
      const float drive = pair ? static_cast<float>(p + m) + g_min : 1.0f;
      const float gain = on[1] * (static_cast<float>(p) - static_cast<float>(m)) + on[2] * drive;
      for (std::size_t x = 1; x <= inputs; ++x) {
        const std::size_t kp = table_.kind(x, p), km = table_.kind(x, m);
        float weight = level[kp] + spread[kp] * z[2 * j] + static_cast<float>(x) * gain;
        if (pair) weight -= level[km] + spread[km] * z[2 * j + 1];
        mapped.weight[((x - 1) * rows + j) * columns + c] = weight;
      }
    }
  }
}

void ComposedHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context,
                           const Tensor& codes, Tensor& product, Tensor* slope) {
  const LayerState& state = layers_[layer.index()];
  product.fill(0.0f);
  const bool table_slope = options_.gradient == HardwareGradient::kTableSlope;
  if (slope != nullptr) slope->fill(table_slope ? 0.0f : 1.0f);
  Tensor* wanted = table_slope ? slope : nullptr;
  for (std::size_t t = 0; t < state.tiles.size(); ++t)
    add_tile(layer, state.tiles[t], state.composed[t % state.composed.size()], shard, context, codes, product, wanted);
}

void ComposedHook::add_tile(const MatrixLayer& layer, const MappedTile& mapped, const ComposedTable& composed,
                            std::size_t shard, const BatchContext& context, const Tensor& codes, Tensor& product,
                            Tensor* slope) const {
  const Tile& tile = mapped.tile;
  const std::size_t total = codes.images() * layer.geometry().positions(), columns = tile.conversions,
                    inputs = table_.inputs - 1, terms = inputs * tile.rows;
  constexpr std::size_t kBlock =
      256;  // positions at once: patch, partial sums and normals stay in the second-level cache
  const std::size_t largest = std::min(kBlock, total);
  std::vector<float> patch(largest * tile.rows), features(inputs > 1 ? largest * terms : 0), partial(largest * columns),
      normal(partial.size()), slopes(slope != nullptr ? partial.size() : 0);
  // A slope belongs to the tiles that add up to one output, in proportion to their slices' weights.
  double slice_sum = 0.0;
  for (const auto& other : layers_[layer.index()].tiles) slice_sum += other.tile.slice_weight;
  for (std::size_t first = 0; first < total; first += kBlock) {
    const std::size_t count = std::min(kBlock, total - first);
    im2col_rows(layer.geometry(), codes, first, count, tile.first_row, tile.rows, patch.data());
    if (inputs > 1) digit_features(patch, tile.rows, layers_[layer.index()].hardware, count, features);
    const auto m = static_cast<dnnl_dim_t>(count), n = static_cast<dnnl_dim_t>(columns),
               k = static_cast<dnnl_dim_t>(terms);
    const float* operand = inputs > 1 ? features.data() : patch.data();
    if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, operand, k, mapped.weight.data(), n, 0.0f, partial.data(), n) !=
        dnnl_success)
      throw Error(ExitStatus::kBug, "E700", "matrix product failed");
    fill_normals({options_.seed, static_cast<std::uint32_t>(StreamPurpose::kTrainingRead), tile.number * 65536 + shard,
                  first / kBlock, options_.first_chip + context.step},
                 std::span(normal).first(count * columns));
    const float per_bin = static_cast<float>(composed.bins - 1) / (composed.y_high - composed.y_low);
    const Epilogue e{count,   columns,        composed.bins,       composed.y_low,
                     per_bin, 1.0f / per_bin, mapped.shift.data(), mapped.sigma.data()};
    add_errors(e, partial.data(), normal.data(), partial.data(), slope != nullptr ? slopes.data() : nullptr);
    for (std::size_t r = 0; r < count; ++r) {
      const auto at = (first + r) * tile.columns;
      add_outputs(tile, std::span(partial).subspan(r * columns, columns), static_cast<float>(tile.slice_weight),
                  product.data() + at);
      if (slope != nullptr)
        add_slopes(tile, std::span(slopes).subspan(r * columns, columns),
                   static_cast<float>(tile.slice_weight / slice_sum), slope->data() + at);
    }
  }
}

}  // namespace errata::training
