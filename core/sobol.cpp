#include "core/sobol.h"

#include <algorithm>

#include "core/random_stream.h"

namespace errata {

namespace {

constexpr int kBits = 32;

/// Primitive polynomial (degree and inner coefficients) and first direction numbers of a dimension from the second on.
struct Dimension {
  int degree;
  std::uint32_t coefficients;
  std::uint32_t first[7];
};

constexpr Dimension kDimensions[SobolSequence::kMostDimensions - 1] = {
    {1, 0, {1}},
    {2, 1, {1, 3}},
    {3, 1, {1, 3, 1}},
    {3, 2, {1, 1, 1}},
    {4, 1, {1, 1, 3, 3}},
    {4, 4, {1, 3, 5, 13}},
    {5, 2, {1, 1, 5, 5, 17}},
    {5, 4, {1, 1, 5, 5, 5}},
    {5, 7, {1, 1, 7, 11, 19}},
    {5, 11, {1, 1, 5, 1, 1}},
    {5, 13, {1, 1, 1, 3, 11}},
    {5, 14, {1, 3, 5, 5, 31}},
    {6, 1, {1, 3, 3, 9, 7, 49}},
    {6, 13, {1, 1, 1, 15, 21, 21}},
    {6, 16, {1, 3, 1, 13, 27, 49}},
    {6, 19, {1, 1, 1, 15, 7, 5}},
    {6, 22, {1, 3, 1, 15, 13, 25}},
    {6, 25, {1, 1, 5, 5, 19, 61}},
    {7, 1, {1, 3, 7, 11, 23, 15, 103}},
    {7, 4, {1, 3, 7, 13, 13, 15, 69}},
};

void fill_directions(std::size_t dimension, std::uint32_t* v) {
  if (dimension == 0) {
    for (int i = 0; i < kBits; ++i) v[i] = 1u << (kBits - 1 - i);
    return;
  }
  const Dimension& d = kDimensions[dimension - 1];
  for (int i = 0; i < kBits; ++i) {
    if (i < d.degree) {
      v[i] = d.first[i] << (kBits - 1 - i);
      continue;
    }
    v[i] = v[i - d.degree] ^ (v[i - d.degree] >> d.degree);
    for (int k = 1; k < d.degree; ++k)
      if ((d.coefficients >> (d.degree - 1 - k)) & 1u) v[i] ^= v[i - k];
  }
}

}  // namespace

SobolSequence::SobolSequence(std::size_t dimensions, std::uint64_t seed, std::uint64_t stream)
    : dimensions_(dimensions), seed_(seed), stream_(stream) {
  const std::size_t sobol = std::min(dimensions, kMostDimensions);
  direction_.resize(sobol * kBits);
  for (std::size_t d = 0; d < sobol; ++d) fill_directions(d, direction_.data() + d * kBits);
  RandomStream random(seed, StreamPurpose::kSobolShift, stream);
  for (std::size_t d = 0; d < sobol; ++d) shift_.push_back(static_cast<std::uint32_t>(random.bits() >> 32));
}

std::vector<double> SobolSequence::point(std::uint32_t index) const {
  std::vector<double> x(dimensions_);
  const std::uint32_t gray = index ^ (index >> 1);
  for (std::size_t d = 0; d < shift_.size(); ++d) {
    std::uint32_t word = shift_[d];
    for (int i = 0; i < kBits; ++i)
      if ((gray >> i) & 1u) word ^= direction_[d * kBits + static_cast<std::size_t>(i)];
    x[d] = (static_cast<double>(word) + 0.5) * 0x1.0p-32;
  }
  if (dimensions_ > shift_.size()) {
    RandomStream random(seed_, StreamPurpose::kSobolShift, stream_, index, 1);
    for (std::size_t d = shift_.size(); d < dimensions_; ++d) x[d] = random.uniform();
  }
  return x;
}

}  // namespace errata
