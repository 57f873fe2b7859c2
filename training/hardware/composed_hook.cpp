#include "training/hardware/composed_hook.h"

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/composed_product.h"
#include "training/hardware/operand_collector.h"
#include "training/network/network.h"

namespace errata::training {

using errormodel::ErrorTable;

ComposedHook::ComposedHook(const ErrorTable& table, ComposedOptions options)
    : table_(table), options_(options), workspaces_(std::make_unique<ProductWorkspaces>()) {}
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
    ComposedLayer& state = layers_[layer->index()];
    state.hardware = options_.hardware.of(*layer);
    state.drawer = std::make_unique<ComposedChips>(table_, state.hardware, options_.seed);
    const ComposeOptions compose_options{state.hardware.adc, state.drawer->offset_sigma(),
                                         state.drawer->adc_examples()};
    for (const auto& operands : collector.operands()[layer->index()])
      state.composed.push_back(operands.empty() ? ComposedTable{} : compose(table_, operands, compose_options));
    state.tiles = place_layer(*layer, options_.hardware, next_tile, next_column);
    for (const Tile& tile : state.tiles) state.slice_sum += tile.slice_weight;
    state.geometry = layer->geometry();
    state.levels = table_.inputs - 1;
    state.make_chips(options_.chips_per_batch);
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
    const ComposedLayer& from = layers_[l];
    if (from.tiles.empty()) continue;
    ComposedLayer& to = hook->layers_[l];
    to.hardware = from.hardware;
    to.drawer = std::make_unique<ComposedChips>(table_, to.hardware, options_.seed);
    to.tiles = from.tiles;
    to.composed = from.composed;
    to.slice_sum = from.slice_sum;
    to.geometry = from.geometry;
    to.levels = from.levels;
    to.make_chips(1);
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

void ComposedHook::draw_chip(const MatrixLayer& layer, ComposedLayer& state, std::size_t number, std::uint64_t chip) {
  auto& into = state.chips[number];
  const bool fixed = options_.schedule == ChipSchedule::kFixed;
  for (std::size_t t = 0; t < state.tiles.size(); ++t) {
    const Tile& tile = state.tiles[t];
    TileDraws& draws = into.draws[t];
    if (!fixed || draws.on.empty())
      draws = state.drawer->draw(tile, chip, fixed ? ComposedChips::Draws::kEvaluation : ComposedChips::Draws::kFresh,
                                 std::move(draws));
    const ComposedTable& composed = state.composed_of(t);
    FoldedTile& folded = into.tiles[t];
    folded.weight = state.drawer->fold(tile, layer.weight_levels(), draws, composed.pass, std::move(folded.weight));
    folded.rows = state.drawer->column_rows(tile, draws, composed, std::move(folded.rows));
  }
  if (into.direct) into.direct->set_weights(into.tiles[0].weight);
}

void ComposedHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context,
                           const Tensor& codes, Tensor& product, Tensor* slope) {
  const ComposedLayer& state = layers_[layer.index()];
  const std::size_t number = shard % state.chips.size();
  const bool sloped = options_.gradient == HardwareGradient::kTableSlope;
  if (slope != nullptr && !sloped) slope->fill(1.0f);
  auto work = workspaces_->take();
  const NormalBlock noise{options_.seed, static_cast<std::uint32_t>(StreamPurpose::kTrainingRead),
                          layer.index() * 65536 + shard, 0, chip_of(context, number)};
  ComposedProduct(state, state.chips[number], noise, *work).run(codes, product, sloped ? slope : nullptr);
  workspaces_->give_back(std::move(work));
}

}  // namespace errata::training
