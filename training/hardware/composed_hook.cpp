#include "training/hardware/composed_hook.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <semaphore>
#include <thread>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/composed_epilogue.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/operand_collector.h"
#include "training/network.h"
#include "training/shards.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;

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

/// Products of a layer with one tile and one input level by oneDNN's convolution, without gathering patches. As many
/// run at a time as there are processors; others wait.
class DirectProduct {
 public:
  explicit DirectProduct(MatrixGeometry geometry) : kernel_(geometry), free_(processors()) {
    kernel_.prepare(kShardImages, processors());
  }
  void set_weights(std::span<const float> weights) { kernel_.set_weights(weights, MatrixKernel::Use::kForward); }
  void run(std::size_t images, const float* codes, const float* bias, float* product) {
    free_.acquire();
    kernel_.forward(images, codes, bias, product);
    free_.release();
  }

 private:
  static int processors() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u)); }
  MatrixKernel kernel_;
  std::counting_semaphore<1024> free_;
};

}  // namespace

/// A tile on one chip.
struct FoldedTile {
  std::vector<float> weight;  ///< with static errors [input levels − 1][rows][conversions]
  std::vector<float> rows;    ///< of the composed table [conversions][bins][2]
};

struct ComposedHook::LayerState {
  struct Chip {
    std::vector<FoldedTile> tiles;
    std::vector<TileDraws> draws;           ///< kept where the chip stays
    std::unique_ptr<DirectProduct> direct;  ///< where one tile holds the layer
  };
  HardwareOptions hardware;  ///< of this layer
  std::unique_ptr<ComposedChips> drawer;
  std::vector<Tile> tiles;              ///< where they stand; stored levels are not kept
  std::vector<ComposedTable> composed;  ///< by slice
  std::vector<Chip> chips;
  double slice_sum = 0.0;      ///< of the weights of all tiles
  std::vector<float> no_bias;  ///< zeros
  MatrixGeometry geometry;

  void make_chips(std::size_t count, std::size_t input_levels) {
    chips.resize(count);
    for (auto& chip : chips) {
      chip.tiles.resize(tiles.size());
      chip.draws.resize(tiles.size());
      if (tiles.size() > 1 || input_levels > 2 || geometry.is_linear()) continue;
      MatrixGeometry conversions = geometry;
      conversions.out_c = tiles[0].conversions;
      no_bias.assign(conversions.out_c, 0.0f);
      chip.direct = std::make_unique<DirectProduct>(conversions);
    }
  }
  const ComposedTable& composed_of(std::size_t tile) const { return composed[tile % composed.size()]; }
};

/// Memory of one shard at work.
struct ComposedHook::Workspace {
  std::vector<float> patch, features, partial, value, variance, slope, normal;

  static float* at_least(std::vector<float>& values, std::size_t count) {
    if (values.size() < count) values.resize(count);
    return values.data();
  }
};

/// Workspaces for shards that run at the same time; which gets which does not matter.
class ComposedHook::Workspaces {
 public:
  std::unique_ptr<Workspace> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Workspace>();
    auto one = std::move(free_.back());
    free_.pop_back();
    return one;
  }
  void give_back(std::unique_ptr<Workspace> one) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(one));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

ComposedHook::ComposedHook(const ErrorTable& table, ComposedOptions options)
    : table_(table), options_(options), workspaces_(std::make_unique<Workspaces>()) {}
ComposedHook::~ComposedHook() = default;

const std::vector<ComposedTable>& ComposedHook::composed(std::size_t layer) const { return layers_[layer].composed; }

void ComposedHook::calibrate(Network& network, const Tensor& images) {
  OperandCollector collector(table_, options_.hardware, options_.seed);
  network.forward(images, {.context = {.training = false, .seed = options_.seed}, .hook = &collector, .threads = 1});
  layers_.clear();
  layers_.resize(network.matrix_layers().size());
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  for (const MatrixLayer* layer : network.matrix_layers()) {
    if (!layer->is_quantized()) continue;
    LayerState& state = layers_[layer->index()];
    state.hardware = options_.hardware.of(*layer);
    state.drawer = std::make_unique<ComposedChips>(table_, state.hardware, options_.seed);
    const ComposeOptions compose_options{state.hardware.adc, state.drawer->offset_sigma(),
                                         state.drawer->adc_examples()};
    for (const auto& operands : collector.operands()[layer->index()])
      state.composed.push_back(operands.empty() ? ComposedTable{} : compose(table_, operands, compose_options));
    state.tiles = place_layer(*layer, options_.hardware, next_tile, next_column);
    for (const Tile& tile : state.tiles) state.slice_sum += tile.slice_weight;
    state.geometry = layer->geometry();
    state.make_chips(options_.chips_per_batch, table_.inputs);
  }
}

std::unique_ptr<ComposedHook> ComposedHook::for_chip(std::uint64_t chip) const {
  ComposedOptions options = options_;
  options.schedule = ChipSchedule::kFixed;
  options.chips_per_batch = 1;
  options.first_chip = chip;
  auto hook = std::make_unique<ComposedHook>(table_, std::move(options));
  hook->layers_.resize(layers_.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const LayerState& from = layers_[l];
    if (from.tiles.empty()) continue;
    LayerState& to = hook->layers_[l];
    to.hardware = from.hardware;
    to.drawer = std::make_unique<ComposedChips>(table_, to.hardware, options_.seed);
    to.tiles = from.tiles;
    to.composed = from.composed;
    to.slice_sum = from.slice_sum;
    to.geometry = from.geometry;
    to.make_chips(1, table_.inputs);
  }
  return hook;
}

std::uint64_t ComposedHook::chip_of(const BatchContext& context, std::size_t number) const {
  const std::uint64_t passed = options_.schedule == ChipSchedule::kFixed ? 0 : context.step * options_.chips_per_batch;
  return options_.first_chip + passed + number;
}

void ComposedHook::begin_batch(Network& network, const BatchContext& context) {
  if (layers_.empty()) throw Error(ExitStatus::kBug, "E700", "a composed hook must be calibrated first");
  for (const MatrixLayer* layer : network.matrix_layers())
    for (std::size_t n = 0; layer->is_quantized() && n < options_.chips_per_batch; ++n)
      draw_chip(*layer, layers_[layer->index()], n, chip_of(context, n));
}

void ComposedHook::draw_chip(const MatrixLayer& layer, LayerState& state, std::size_t number, std::uint64_t chip) {
  auto& into = state.chips[number];
  const bool fixed = options_.schedule == ChipSchedule::kFixed;
  for (std::size_t t = 0; t < state.tiles.size(); ++t) {
    const Tile& tile = state.tiles[t];
    TileDraws& draws = into.draws[t];
    if (!fixed || draws.on.empty())
      draws = state.drawer->draw(tile, chip, fixed ? ComposedChips::Draws::kEvaluation : ComposedChips::Draws::kFresh);
    const ComposedTable& composed = state.composed_of(t);
    into.tiles[t] = {state.drawer->fold(tile, layer.weight_levels(), draws, composed.pass),
                     state.drawer->column_rows(tile, draws, composed)};
  }
  if (into.direct) into.direct->set_weights(into.tiles[0].weight);
}

/// One shard's product: blocks of positions, and for each all tiles, so that sums stay in the second-level cache.
void ComposedHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context,
                           const Tensor& codes, Tensor& product, Tensor* slope) {
  const LayerState& state = layers_[layer.index()];
  const std::size_t number = shard % state.chips.size();
  const LayerState::Chip& chip = state.chips[number];
  const MatrixGeometry& geometry = layer.geometry();
  const std::size_t total = codes.images() * geometry.positions(), conversions = state.tiles[0].conversions,
                    columns = state.tiles[0].columns, levels = table_.inputs - 1;
  const bool own = state.tiles[0].scheme == SignedScheme::kDifferentialBeforeAdc;  // conversions are outputs
  const bool sloped = slope != nullptr && options_.gradient == HardwareGradient::kTableSlope;
  if (slope != nullptr && !sloped) slope->fill(1.0f);
  if (!own) {
    product.fill(0.0f);
    if (sloped) slope->fill(0.0f);
  }
  auto work = workspaces_->take();
  const bool direct = chip.direct != nullptr && codes.images() == kShardImages;
  float* all = !direct ? nullptr : own ? product.data() : Workspace::at_least(work->partial, total * conversions);
  if (direct) chip.direct->run(codes.images(), codes.data(), state.no_bias.data(), all);

  constexpr std::size_t kBlockValues = 1 << 14;
  const std::size_t block = std::clamp<std::size_t>(kBlockValues / conversions / 16 * 16, 16, 512);
  for (std::size_t first = 0; first < total; first += block) {
    const std::size_t count = std::min(block, total - first), values = count * conversions;
    const ConversionSums sums{own ? product.data() + first * conversions : Workspace::at_least(work->value, values),
                              Workspace::at_least(work->variance, values),
                              !sloped ? nullptr
                              : own   ? slope->data() + first * conversions
                                      : Workspace::at_least(work->slope, values)};
    for (std::size_t t = 0; t < state.tiles.size(); ++t) {
      const Tile& tile = state.tiles[t];
      const float* partial = direct ? all + first * conversions : nullptr;
      if (!direct) {
        const float* operand = codes.data() + first * geometry.in_c + tile.first_row;
        std::size_t stride = geometry.in_c;
        if (!geometry.is_linear() || levels > 1) {
          float* patch = Workspace::at_least(work->patch, count * tile.rows);
          im2col_rows(geometry, codes, first, count, tile.first_row, tile.rows, patch);
          operand = patch;
          stride = tile.rows;
          if (levels > 1) {
            stride = levels * tile.rows;
            float* features = Workspace::at_least(work->features, count * stride);
            digit_features({patch, count * tile.rows}, tile.rows, state.hardware, count, {features, count * stride});
            operand = features;
          }
        }
        float* into = Workspace::at_least(work->partial, values);
        const auto m = static_cast<dnnl_dim_t>(count), n = static_cast<dnnl_dim_t>(conversions),
                   k = static_cast<dnnl_dim_t>(levels * tile.rows);
        if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, operand, static_cast<dnnl_dim_t>(stride), chip.tiles[t].weight.data(),
                       n, 0.0f, into, n) != dnnl_success)
          throw Error(ExitStatus::kBug, "E700", "matrix product failed");
        partial = into;
      }
      const ComposedTable& c = state.composed_of(t);
      const float per_bin = static_cast<float>(c.bins - 1) / (c.y_high - c.y_low);
      // A slope belongs to the tiles that add up to one output, in proportion to their slices' weights.
      add_conversions({chip.tiles[t].rows.data(), conversions, c.bins, c.y_low, per_bin, 1.0f / per_bin}, partial,
                      count,
                      {static_cast<float>(tile.slice_weight), static_cast<float>(tile.slice_weight / state.slice_sum)},
                      t == 0 ? SumStart::kStart : SumStart::kAdd, sums);
    }
    std::span normal(Workspace::at_least(work->normal, values), values);
    fill_normals({options_.seed, static_cast<std::uint32_t>(StreamPurpose::kTrainingRead),
                  layer.index() * 65536 + shard, first, chip_of(context, number)},
                 normal);
    add_noise({sums.variance, values}, normal, {sums.value, values});
    for (std::size_t r = 0; !own && r < count; ++r) {
      add_outputs(state.tiles[0], {sums.value + r * conversions, conversions}, 1.0f,
                  product.data() + (first + r) * columns);
      if (sloped)
        add_slopes(state.tiles[0], {sums.slope + r * conversions, conversions}, 1.0f,
                   slope->data() + (first + r) * columns);
    }
  }
  workspaces_->give_back(std::move(work));
}

}  // namespace errata::training
