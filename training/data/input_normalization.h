#pragma once

#include <cstddef>
#include <vector>

#include "training/data/data_set.h"

namespace errata::training {

/// Affine map of a network's input: (byte / 255 − mean) / deviation for each channel. Empty: byte / 255 as it is.
struct InputNormalization {
  std::vector<float> mean;
  std::vector<float> deviation;  ///< > 0

  bool empty() const { return deviation.empty(); }
  bool operator==(const InputNormalization&) const = default;
};

/// Mean and standard deviation of each channel over all images. The sums are integers, so the result is the same on
/// every machine. A channel of one value throughout has deviation 1.
InputNormalization standard_normalization(const ImageSet& set, std::size_t channels);

/// The same with means of 0. Inputs stay at or above 0, which the unsigned input codes of the hardware need; the mean
/// that is left adds a constant to each product, and the bias takes it up.
InputNormalization scale_normalization(const ImageSet& set, std::size_t channels);

}  // namespace errata::training
