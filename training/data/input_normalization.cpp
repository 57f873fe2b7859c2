#include "training/data/input_normalization.h"

#include <cmath>
#include <cstdint>

namespace errata::training {

InputNormalization standard_normalization(const ImageSet& set, std::size_t channels) {
  std::vector<std::uint64_t> sums(channels), squares(channels);  // 2⁶⁴ / 255² is more bytes than a set can have
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = c; i < set.pixels.size(); i += channels) {
      const std::uint64_t byte = set.pixels[i];
      sums[c] += byte;
      squares[c] += byte * byte;
    }
  const double count = static_cast<double>(set.pixels.size() / channels);
  InputNormalization normalization;
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = count > 0.0 ? static_cast<double>(sums[c]) / count : 0.0;
    const double variance = count > 0.0 ? static_cast<double>(squares[c]) / count - mean * mean : 0.0;
    // Below this the difference of the two terms is rounding: the channel has one value.
    constexpr double kSmallest = 1e-6;
    normalization.mean.push_back(static_cast<float>(mean / 255.0));
    normalization.deviation.push_back(variance > kSmallest ? static_cast<float>(std::sqrt(variance) / 255.0) : 1.0f);
  }
  return normalization;
}

InputNormalization scale_normalization(const ImageSet& set, std::size_t channels) {
  InputNormalization normalization = standard_normalization(set, channels);
  for (float& mean : normalization.mean) mean = 0.0f;
  return normalization;
}

}  // namespace errata::training
