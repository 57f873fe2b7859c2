#include "training/hardware/operand_collector.h"

#include <limits>

#include "core/random_stream.h"
#include "training/network/network.h"

namespace errata::training {

namespace {

/// For each slice: a bin of 1/64 of them has its variance to 20 %.
constexpr std::size_t kOperands = 3000;
/// Operands of one tile on one drawn chip.
constexpr std::size_t kOperandsPerChip = 64;
/// First chip that operands are drawn on; training counts up from 10⁹ and never gets there.
constexpr std::uint64_t kFirstChip = std::numeric_limits<std::uint64_t>::max() / 2;

}  // namespace

OperandCollector::OperandCollector(const errormodel::ErrorTable& table, const HardwareOptions& hardware,
                                   std::uint64_t seed)
    : table_(table), hardware_(hardware), seed_(seed) {}

void OperandCollector::begin_batch(Network& network, const BatchContext&) {
  operands_.clear();
  for (const MatrixLayer* layer : network.matrix_layers()) operands_.emplace_back(weight_slices(hardware_.of(*layer)));
}

void OperandCollector::product(const MatrixLayer& layer, std::size_t shard, const BatchContext&, const Tensor& codes,
                               Tensor& product, Tensor* slope) {
  if (slope != nullptr) slope->fill(1.0f);
  layer.ideal_product(codes, product);
  if (shard != 0) return;
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  const auto tiles = map_layer(layer, hardware_, next_tile, next_column);
  const HardwareOptions own = hardware_.of(layer);
  const ComposedChips chips(table_, own, seed_);
  const std::size_t slices = weight_slices(own), each = kOperands * slices / tiles.size() + 1;
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    RandomStream stream(seed_, StreamPurpose::kCalibration, t, layer.index(), 1);
    std::vector<float> weight;  // on the present chip; offsets have an axis of their own in the composed table
    for (std::size_t k = 0; k < each; ++k) {
      if (k % kOperandsPerChip == 0) {
        const std::uint64_t number = kFirstChip + (layer.index() << 32) + k / kOperandsPerChip;
        weight = chips.fold(tiles[t], layer.weight_levels(), chips.draw(tiles[t], number, ComposedChips::Draws::kFresh),
                            1.0f);
      }
      const std::size_t position = stream.below(codes.images() * layer.geometry().positions());
      const std::size_t conversion = stream.below(tiles[t].conversions);
      std::vector<float> patch(tiles[t].rows);
      im2col_rows(layer.geometry(), codes, position, 1, tiles[t].first_row, tiles[t].rows, patch.data());
      operands_[layer.index()][t % slices].push_back(operand_of(own, tiles[t], weight, conversion, patch));
    }
  }
}

PlaneOperand OperandCollector::operand_of(const HardwareOptions& hardware, const Tile& tile,
                                          std::span<const float> weight, std::size_t conversion,
                                          std::span<const float> patch) const {
  const std::size_t digits = hardware.digits();
  PlaneOperand o{std::vector<float>(digits), std::vector<float>(digits), std::vector<float>(digits),
                 static_cast<double>(hardware.input_levels())};
  for (std::size_t j = 0; j < tile.rows; ++j) {
    const auto code = static_cast<std::uint32_t>(patch[j]);
    const std::size_t cell = conversion * tile.rows + j;
    const int plus = tile.plus[cell], minus = tile.differential() ? tile.minus[cell] : 0;
    const double drive = tile.differential() ? plus + minus + 2 * table_.minimum_conductance : 1.0;
    for (std::size_t d = 0; d < digits; ++d) {
      const int level = input_digit(code, hardware.dac_bits, static_cast<int>(d));
      if (level == 0) continue;
      const auto ideal = static_cast<float>(level * (plus - minus));
      const std::size_t at = ((static_cast<std::size_t>(level) - 1) * tile.rows + j) * tile.conversions + conversion;
      o.y[d] += ideal;
      o.a[d] += static_cast<float>(level * drive);
      o.error[d] += weight[at] - ideal;
    }
  }
  return o;
}

}  // namespace errata::training
