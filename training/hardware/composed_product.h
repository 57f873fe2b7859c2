#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>
#include <vector>

#include "training/hardware/composed_chip.h"
#include "training/hardware/composed_table.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/hardware_mapping.h"
#include "training/layers/image_convolution.h"
#include "training/layers/matrix_kernel.h"

namespace errata::training {

/// Products of a layer with one tile and one input level without gathering patches: by oneDNN's convolution, of which
/// as many run at a time as there are processors while others wait, or with few outputs by ImageConvolution.
class DirectProduct {
 public:
  explicit DirectProduct(const MatrixGeometry& conversions);
  void set_weights(std::span<const float> weights);
  /// Whether a shard of so many images can be run.
  bool takes(std::size_t images) const;
  void run(std::size_t images, const float* codes, float* product);

 private:
  MatrixGeometry geometry_;
  std::optional<ImageConvolution> small_;
  std::unique_ptr<MatrixKernel> kernel_;
  std::counting_semaphore<1024> free_;
  std::vector<float> no_bias_;  ///< zeros
};

/// A tile on one chip.
struct FoldedTile {
  std::vector<float> weight;  ///< with static errors [input levels − 1][rows][conversions]
  std::vector<float> rows;    ///< of the composed table [conversions][bins][2]
};

/// A layer on one chip.
struct ComposedLayerChip {
  std::vector<FoldedTile> tiles;
  std::vector<TileDraws> draws;           ///< kept where the chip stays
  std::unique_ptr<DirectProduct> direct;  ///< where one tile holds the layer
};

/// A layer in composed mode.
struct ComposedLayer {
  HardwareOptions hardware;  ///< of this layer
  std::unique_ptr<ComposedChips> drawer;
  std::vector<Tile> tiles;              ///< where they stand; stored levels are not kept
  std::vector<ComposedTable> composed;  ///< by slice
  std::vector<ComposedLayerChip> chips;
  double slice_sum = 0.0;  ///< of the weights of all tiles
  MatrixGeometry geometry;
  std::size_t levels = 1;  ///< input levels but 0

  void make_chips(std::size_t count);
  const ComposedTable& composed_of(std::size_t tile) const { return composed[tile % composed.size()]; }
};

/// Memory of one shard at work.
struct ProductWorkspace {
  std::vector<float> patch, features, partial, value, variance, slope;
};

/// Workspaces for shards that run at the same time; which gets which does not matter.
class ProductWorkspaces {
 public:
  std::unique_ptr<ProductWorkspace> take();
  void give_back(std::unique_ptr<ProductWorkspace> one);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<ProductWorkspace>> free_;
};

/// One shard's product through a layer on one chip, in blocks of positions and for each all tiles, so that sums stay in
/// the second-level cache.
class ComposedProduct {
 public:
  /// `noise` names the shard's read noise; its `b` becomes the first position of each block.
  ComposedProduct(const ComposedLayer& layer, const ComposedLayerChip& chip, const NormalBlock& noise,
                  ProductWorkspace& work);
  /// product [n][positions][columns], and d(product)/dY in `slope`, the same shape, unless that is null.
  void run(const Tensor& codes, Tensor& product, Tensor* slope);

 private:
  /// Positions [first, first + count) of the shard.
  struct Block {
    std::size_t first, count;
  };
  /// Rows of inputs of one tile.
  struct Operand {
    const float* values;
    std::size_t stride;
  };
  void run_block(const Tensor& codes, Block block, const float* direct, Tensor& product, Tensor* slope);
  Operand operand_of(const Tile& tile, const Tensor& codes, Block block);
  const float* partial_sums(std::size_t tile, const Tensor& codes, Block block);

  const ComposedLayer& layer_;
  const ComposedLayerChip& chip_;
  NormalBlock noise_;
  ProductWorkspace& work_;
  std::size_t conversions_;
  bool own_;  ///< conversions are outputs
};

}  // namespace errata::training
