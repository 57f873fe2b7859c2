#include "training/hardware/nonlinear_hook.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "training/network/network.h"

namespace errata::training {

namespace {

/// Weights of a tile's conversions as one matrix, [rows][conversions].
std::vector<float> matrix_of(const Tile& tile) {
  std::vector<float> weight(tile.rows * tile.conversions);
  for (std::size_t c = 0; c < tile.conversions; ++c)
    for (std::size_t j = 0; j < tile.rows; ++j) {
      const float plus = tile.plus[c * tile.rows + j];
      weight[j * tile.conversions + c] =
          tile.differential() ? plus - static_cast<float>(tile.minus[c * tile.rows + j]) : plus;
    }
  return weight;
}

/// The same of devices, which hold whole weights: a pair for each output.
std::vector<float> device_matrix_of(const MatrixLayer& layer, const Tile& tile) {
  if (tile.slice_weight > 1.0 || !tile.differential())
    throw Error(ExitStatus::kInvalidProject, "E508",
                "a curve on devices needs one cell for each weight and pairs subtracted before the ADC",
                "set training.nonlinearity.input = \"partial_sum\"");
  const auto codes = layer.weight_codes().subspan(tile.first_row * tile.columns, tile.rows * tile.columns);
  return {codes.begin(), codes.end()};
}

/// Analog values of a block of positions: [count · digits][conversions].
struct TileReader {
  const MatrixLayer& layer;
  const HardwareOptions& hardware;
  const Tile& tile;
  const std::vector<float>& weight;
  std::vector<float> patch = {}, digits = {}, value = {};

  std::span<float> read(const Tensor& codes, std::size_t first, std::size_t count) {
    const std::size_t reads = count * hardware.digits();
    patch.resize(count * tile.rows);
    value.resize(reads * tile.conversions);
    im2col_rows(layer.geometry(), codes, first, count, tile.first_row, tile.rows, patch.data());
    const float* inputs = patch.data();
    if (hardware.digits() > 1) {
      digits.resize(reads * tile.rows);
      split_digits(patch, tile.rows, hardware, digits);
      inputs = digits.data();
    }
    const auto m = static_cast<dnnl_dim_t>(reads), n = static_cast<dnnl_dim_t>(tile.conversions),
               k = static_cast<dnnl_dim_t>(tile.rows);
    if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, inputs, k, weight.data(), n, 0.0f, value.data(), n) != dnnl_success)
      throw Error(ExitStatus::kBug, "E700", "matrix product failed");
    return value;
  }
};

/// Values of the conversions of an ideal run; the first shard speaks for all.
class RangeCollector final : public ProductHook {
 public:
  explicit RangeCollector(const HardwareOptions& hardware) : hardware_(hardware) {}
  std::vector<std::vector<double>> values;  ///< by layer

  void begin_batch(Network& network, const BatchContext&) override {
    values.assign(network.matrix_layers().size(), {});
  }
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext&, const Tensor& codes, Tensor& product,
               Tensor* slope) override {
    if (slope != nullptr) slope->fill(1.0f);
    layer.ideal_product(codes, product);
    if (shard != 0) return;
    std::size_t next_tile = 0;
    std::uint64_t next_column = 0;
    const HardwareOptions own = hardware_.of(layer);
    const auto tiles = map_layer(layer, own, next_tile, next_column);
    // A quantile of 1e-3 of 2e5 values is known to 7 % of that share.
    constexpr std::size_t kValues = 200'000, kBlock = 64;
    const std::size_t positions = codes.images() * layer.geometry().positions();
    const std::size_t each = own.digits() * tiles.size() * tiles.front().conversions;
    const std::size_t stride = std::max<std::size_t>(1, positions * each / kValues / kBlock) * kBlock;
    for (const Tile& tile : tiles) {
      const std::vector<float> weight = matrix_of(tile);
      TileReader reader{layer, own, tile, weight};
      for (std::size_t first = 0; first < positions; first += stride) {
        const auto read = reader.read(codes, first, std::min(kBlock, positions - first));
        values[layer.index()].insert(values[layer.index()].end(), read.begin(), read.end());
      }
    }
  }

 private:
  HardwareOptions hardware_;
};

class NonlinearTile final : public PreparedTile {
 public:
  NonlinearTile(std::unique_ptr<PreparedTile> inner, NonlinearCurve curve, double full_scale)
      : inner_(std::move(inner)), curve_(curve), full_scale_(full_scale) {}
  void read(const TileReads& reads, std::span<float> value) const override {
    inner_->read(reads, value);
    for (float& v : value) v = static_cast<float>(full_scale_ * curve_.value(static_cast<double>(v) / full_scale_));
  }

 private:
  std::unique_ptr<PreparedTile> inner_;
  NonlinearCurve curve_;
  double full_scale_;
};

}  // namespace

HardwareOptions hardware_of(const NonlinearOptions& options) {
  HardwareOptions hardware = options.hardware;
  if (options.input == CurveInput::kConversion) return hardware;
  hardware.dac_bits = 16;  // one digit, whatever the inputs' bits
  hardware.cell_levels = 256;
  return hardware;
}

NonlinearHook::NonlinearHook(NonlinearOptions options) : options_(std::move(options)) {
  options_.hardware = hardware_of(options_);
}

void NonlinearHook::begin_batch(Network& network, const BatchContext&) {
  layers_.resize(network.matrix_layers().size());
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  for (const MatrixLayer* layer : network.matrix_layers()) {
    if (!layer->is_quantized()) continue;
    LayerState& state = layers_[layer->index()];
    state.hardware = options_.hardware.of(*layer);
    const AdcOptions& adc = state.hardware.adc;
    state.quantizer = {options_.curve, adc.range, adc.bits, adc.bipolar};
    state.tiles.clear();
    double slices = 0.0, digits = 0.0;
    for (Tile& tile : map_layer(*layer, options_.hardware, next_tile, next_column)) {
      slices += tile.slice_weight;
      std::vector<float> weight = layer->has_device() ? device_matrix_of(*layer, tile) : matrix_of(tile);
      state.tiles.push_back({std::move(tile), std::move(weight)});
    }
    for (std::size_t d = 0; d < state.hardware.digits(); ++d)
      digits += std::ldexp(1.0, static_cast<int>(d) * state.hardware.dac_bits);
    state.weight_sum = static_cast<float>(slices * digits);
  }
}

void NonlinearHook::product(const MatrixLayer& layer, std::size_t, const BatchContext&, const Tensor& codes,
                            Tensor& product, Tensor* slope) {
  product.fill(0.0f);
  if (slope != nullptr) slope->fill(0.0f);
  const LayerState& state = layers_[layer.index()];
  for (const MappedTile& mapped : state.tiles) add_tile(state, mapped, layer, codes, product, slope);
}

void NonlinearHook::add_tile(const LayerState& state, const MappedTile& mapped, const MatrixLayer& layer,
                             const Tensor& codes, Tensor& product, Tensor* slope) const {
  constexpr std::size_t kBlock = 256;  // positions at once stay in the second-level cache
  const Tile& tile = mapped.tile;
  const std::size_t total = codes.images() * layer.geometry().positions(), digits = state.hardware.digits();
  TileReader reader{layer, state.hardware, tile, mapped.weight};
  std::vector<float> slopes;
  for (std::size_t first = 0; first < total; first += kBlock) {
    const std::size_t count = std::min(kBlock, total - first);
    const std::span<float> value = reader.read(codes, first, count);
    slopes.resize(slope != nullptr ? value.size() : 0);
    apply(state.quantizer, value, slopes);
    for (std::size_t k = 0; k < count * digits; ++k) {
      const auto weight = static_cast<float>(tile.slice_weight *
                                             std::ldexp(1.0, static_cast<int>(k % digits) * state.hardware.dac_bits));
      const std::size_t at = (first + k / digits) * tile.columns;
      const std::span<const float> row(value.data() + k * tile.conversions, tile.conversions);
      add_outputs(tile, row, weight, product.data() + at);
      if (slope != nullptr)
        add_slopes(tile, std::span(slopes).subspan(k * tile.conversions, tile.conversions), weight / state.weight_sum,
                   slope->data() + at);
    }
  }
}

std::unique_ptr<PreparedTile> NonlinearConversion::prepare(const Tile& tile, std::uint64_t seed,
                                                           std::uint64_t chip) const {
  return std::make_unique<NonlinearTile>(inner_.prepare(tile, seed, chip), curve_, full_scale_.at(tile.layer));
}

std::vector<LayerHardware> calibrate_ranges(Network& network, const Tensor& images, const HardwareOptions& hardware,
                                            double clipped) {
  RangeCollector collector(hardware);
  network.forward(images, {.context = {}, .hook = &collector, .threads = 1});
  std::vector<LayerHardware> ranges;
  for (const MatrixLayer* layer : network.matrix_layers()) {
    if (!layer->is_quantized()) continue;
    LayerHardware range;
    range.layer = layer->name();
    range.adc_range = calibrated_range(collector.values[layer->index()], clipped);
    ranges.push_back(range);
  }
  return ranges;
}

}  // namespace errata::training
