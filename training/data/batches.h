#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "training/data/data_set.h"
#include "training/data/input_normalization.h"
#include "training/layers/tensor.h"

namespace errata::training {

/// Images with their labels, as a network takes them.
struct Batch {
  Tensor images;
  std::vector<std::uint8_t> labels;
};

/// How training images are varied from epoch to epoch.
struct Augmentation {
  /// Random crop of the image padded by so many black pixels on each side; in other words, a shift by up to so many
  /// pixels each way.
  std::size_t shift_pixels = 0;
  bool flip = false;  ///< mirrors left and right, one time in two

  bool operator==(const Augmentation&) const = default;
};

/// Which images of a set make up a batch, and what is done to them.
struct BatchRequest {
  std::span<const std::uint32_t> images;  ///< numbers within the set
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  Augmentation augmentation = {};
  InputNormalization normalization = {};
};

/// Fills `batch`, keeping its memory. A value is byte / 255, normalised if asked for; what comes in from beyond the
/// image is black (byte 0) under the same normalisation. Shift and flip of an image are drawn from RandomStream(seed,
/// kAugmentation, image, epoch): words 0 and 1 give the shift down and right, the top bit of word 2 the flip, which
/// comes first.
void fill_batch(const ImageSet& set, ImageShape shape, const BatchRequest& request, Batch& batch);

/// Order of a training epoch: a permutation of 0 … count−1 drawn from RandomStream(seed, kShuffle, epoch).
std::vector<std::uint32_t> shuffled_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch);

}  // namespace errata::training
