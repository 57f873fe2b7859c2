#include "training/hardware/composed_product.h"

#include <dnnl.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/hardware/composed_epilogue.h"
#include "training/shards.h"

namespace errata::training {

namespace {

int processors() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u)); }

float* at_least(std::vector<float>& values, std::size_t count) {
  if (values.size() < count) values.resize(count);
  return values.data();
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

DirectProduct::DirectProduct(const MatrixGeometry& conversions)
    : geometry_(conversions), free_(processors()), no_bias_(conversions.out_c) {
  if (conversions.out_c <= ImageConvolution::kMostStored) return;
  kernel_ = std::make_unique<MatrixKernel>(conversions);
  kernel_->prepare(kShardImages, processors());
}

void DirectProduct::set_weights(std::span<const float> weights) {
  if (kernel_ == nullptr)
    small_.emplace(geometry_, weights);
  else
    kernel_->set_weights(weights, MatrixKernel::Use::kForward);
}

bool DirectProduct::takes(std::size_t images) const { return kernel_ == nullptr || images == kShardImages; }

void DirectProduct::run(std::size_t images, const float* codes, float* product) {
  if (kernel_ == nullptr) return small_->product(images, codes, product);
  free_.acquire();
  kernel_->forward(images, codes, no_bias_.data(), product);
  free_.release();
}

void ComposedLayer::make_chips(std::size_t count) {
  chips.resize(count);
  for (auto& chip : chips) {
    chip.tiles.resize(tiles.size());
    chip.draws.resize(tiles.size());
    if (tiles.size() > 1 || levels > 1 || geometry.is_linear()) continue;
    MatrixGeometry conversions = geometry;
    conversions.out_c = tiles[0].conversions;
    chip.direct = std::make_unique<DirectProduct>(conversions);
  }
}

std::unique_ptr<ProductWorkspace> ProductWorkspaces::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<ProductWorkspace>();
  auto one = std::move(free_.back());
  free_.pop_back();
  return one;
}

void ProductWorkspaces::give_back(std::unique_ptr<ProductWorkspace> one) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(one));
}

ComposedProduct::ComposedProduct(const ComposedLayer& layer, const ComposedLayerChip& chip, const NormalBlock& noise,
                                 ProductWorkspace& work)
    : layer_(layer),
      chip_(chip),
      noise_(noise),
      work_(work),
      conversions_(layer.tiles[0].conversions),
      own_(layer.tiles[0].scheme == SignedScheme::kDifferentialBeforeAdc) {}

void ComposedProduct::run(const Tensor& codes, Tensor& product, Tensor* slope) {
  if (!own_) {
    product.fill(0.0f);
    if (slope != nullptr) slope->fill(0.0f);
  }
  const std::size_t total = codes.images() * layer_.geometry.positions();
  float* direct = nullptr;
  if (chip_.direct != nullptr && chip_.direct->takes(codes.images())) {
    direct = own_ ? product.data() : at_least(work_.partial, total * conversions_);
    chip_.direct->run(codes.images(), codes.data(), direct);
  }
  constexpr std::size_t kBlockValues = 1 << 14;
  const std::size_t block = std::clamp<std::size_t>(kBlockValues / conversions_ / 16 * 16, 16, 512);
  for (std::size_t first = 0; first < total; first += block)
    run_block(codes, {first, std::min(block, total - first)},
              direct == nullptr ? nullptr : direct + first * conversions_, product, slope);
}

void ComposedProduct::run_block(const Tensor& codes, Block block, const float* direct, Tensor& product, Tensor* slope) {
  const std::size_t values = block.count * conversions_, columns = layer_.tiles[0].columns;
  ConversionSums sums{nullptr, at_least(work_.variance, values), nullptr};
  sums.value = own_ ? product.data() + block.first * columns : at_least(work_.value, values);
  if (slope != nullptr) sums.slope = own_ ? slope->data() + block.first * columns : at_least(work_.slope, values);
  for (std::size_t t = 0; t < layer_.tiles.size(); ++t) {
    const ComposedTable& c = layer_.composed_of(t);
    const float per_bin = static_cast<float>(c.bins - 1) / (c.y_high - c.y_low);
    // A slope belongs to the tiles that add up to one output, in proportion to their slices' weights.
    const double weight = layer_.tiles[t].slice_weight;
    add_conversions({chip_.tiles[t].rows.data(), conversions_, c.bins, c.y_low, per_bin, 1.0f / per_bin},
                    direct != nullptr ? direct : partial_sums(t, codes, block), block.count,
                    {static_cast<float>(weight), static_cast<float>(weight / layer_.slice_sum)},
                    t == 0 ? SumStart::kStart : SumStart::kAdd, sums);
  }
  NormalBlock noise = noise_;
  noise.b = block.first;
  NormalBlock tail = noise;
  tail.purpose = static_cast<std::uint32_t>(StreamPurpose::kTrainingReadTail);
  add_noise(ReadWords(noise), ReadWords(tail), {sums.variance, values}, {sums.value, values});
  for (std::size_t r = 0; !own_ && r < block.count; ++r) {
    const std::size_t from = r * conversions_, to = (block.first + r) * columns;
    add_outputs(layer_.tiles[0], {sums.value + from, conversions_}, 1.0f, product.data() + to);
    if (slope != nullptr) add_slopes(layer_.tiles[0], {sums.slope + from, conversions_}, 1.0f, slope->data() + to);
  }
}

ComposedProduct::Operand ComposedProduct::operand_of(const Tile& tile, const Tensor& codes, Block block) {
  const MatrixGeometry& geometry = layer_.geometry;
  if (geometry.is_linear() && layer_.levels == 1)
    return {codes.data() + block.first * geometry.in_c + tile.first_row, geometry.in_c};
  float* patch = at_least(work_.patch, block.count * tile.rows);
  im2col_rows(geometry, codes, block.first, block.count, tile.first_row, tile.rows, patch);
  if (layer_.levels == 1) return {patch, tile.rows};
  const std::size_t stride = layer_.levels * tile.rows;
  float* features = at_least(work_.features, block.count * stride);
  digit_features({patch, block.count * tile.rows}, tile.rows, layer_.hardware, block.count,
                 {features, block.count * stride});
  return {features, stride};
}

const float* ComposedProduct::partial_sums(std::size_t tile, const Tensor& codes, Block block) {
  const Operand operand = operand_of(layer_.tiles[tile], codes, block);
  float* into = at_least(work_.partial, block.count * conversions_);
  const auto m = static_cast<dnnl_dim_t>(block.count), n = static_cast<dnnl_dim_t>(conversions_),
             k = static_cast<dnnl_dim_t>(layer_.levels * layer_.tiles[tile].rows);
  if (dnnl_sgemm('N', 'N', m, n, k, 1.0f, operand.values, static_cast<dnnl_dim_t>(operand.stride),
                 chip_.tiles[tile].weight.data(), n, 0.0f, into, n) != dnnl_success)
    throw Error(ExitStatus::kBug, "E700", "matrix product failed");
  return into;
}

}  // namespace errata::training
