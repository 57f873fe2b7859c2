#pragma once

#include <cstdint>
#include <vector>

namespace errata {

/// Points of a Sobol sequence in the unit cube with a random digital shift: every coordinate alone, and low-dimensional
/// projections together, are stratified. A pure function of (seed, stream, index). Direction numbers: S. Joe and
/// F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30 (2008).
class SobolSequence {
 public:
  /// Coordinates beyond this many are plain pseudo-random numbers.
  static constexpr std::size_t kMostDimensions = 21;

  /// `stream` tells sequences of one seed apart.
  SobolSequence(std::size_t dimensions, std::uint64_t seed, std::uint64_t stream);

  /// Point number `index`, every coordinate in (0, 1). Below 2³² points.
  std::vector<double> point(std::uint32_t index) const;

 private:
  std::size_t dimensions_;
  std::uint64_t seed_, stream_;
  std::vector<std::uint32_t> direction_;  ///< [dimension][32]
  std::vector<std::uint32_t> shift_;
};

}  // namespace errata
