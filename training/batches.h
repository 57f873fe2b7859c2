#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "training/data_set.h"
#include "training/tensor.h"

namespace errata::training {

/// Images scaled to [0, 1] (byte / 255) with their labels.
struct Batch {
  Tensor images;
  std::vector<std::uint8_t> labels;
};

/// Which images of a set make up a batch, and how they are moved.
struct BatchRequest {
  std::span<const std::uint32_t> images;  ///< numbers within the set
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::size_t shift_pixels = 0;  ///< each image is shifted by up to so many pixels each way, zeros come in
};

/// Fills `batch`, keeping its memory. The shift of an image is drawn from RandomStream(seed, kAugmentation,
/// image, epoch).
void fill_batch(const ImageSet& set, ImageShape shape, const BatchRequest& request, Batch& batch);

/// Order of a training epoch: a permutation of 0 … count−1 drawn from RandomStream(seed, kShuffle, epoch).
std::vector<std::uint32_t> shuffled_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch);

}  // namespace errata::training
