#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace errata {

/// What a random stream is for. The number is part of every result: never renumber, only append.
enum class StreamPurpose : std::uint64_t {
  kCellMismatch = 1,
  kColumnMismatch = 2,
  kChipVariation = 3,
  kOperandInputs = 4,
  kOperandWeights = 5,
  kDynamicRead = 6,
  kTableChip = 7,
  kTableColumn = 8,
  kTableCell = 9,
  kWeightInit = 10,
  kShuffle = 11,
  kAugmentation = 12,
  kDropout = 13,
  kTrainingRead = 14,
  kGlyphs = 15,
  kBootstrap = 16,
  kTest = 17,
  kCalibration = 18,
  kReplaySelection = 19,
  kSobolShift = 20,
  kAdc = 21,
  kTableDrift = 24,
  kTableFault = 25,
  kTableRead = 26,
  kTableSample = 27,
  kDynamicReadTail = 28,
  kTrainingReadTail = 29,
};

/// Four 64-bit words of Philox4x64-10 (Salmon et al. 2011; the generator that NumPy calls Philox).
/// A pure function of key and counter, so results depend on no thread count, batch size or order.
std::array<std::uint64_t, 4> philox_block(std::array<std::uint64_t, 4> counter, std::array<std::uint64_t, 2> key);

/// A stream of random numbers named by what it belongs to.
///
/// Counter layout (docs/formats/random-streams.md): key = {seed, purpose}, counter = {block, a, b, c}; block counts
/// from 0 and each block yields four words. `a`, `b`, `c` are the item's identifiers, for example
/// column, tile and chip. Cheap to construct. Not thread safe; give each item its own stream.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, StreamPurpose purpose, std::uint64_t a = 0, std::uint64_t b = 0,
               std::uint64_t c = 0);

  /// Next 64 random bits.
  std::uint64_t bits() {
    if (next_ == made_) make_words();
    return words_[next_++];
  }
  /// Words that bits() gives next, at least one, for loops that look at many; take() passes over as many of them.
  std::span<const std::uint64_t> ready() {
    if (next_ == made_) make_words();
    return std::span(words_).subspan(next_, made_ - next_);
  }
  void take(std::size_t count) { next_ += static_cast<unsigned>(count); }
  /// Uniform in (0, 1): unit_interval(bits()), so neither end is reached.
  double uniform();
  /// Standard normal by inversion (one word each), with + − × ÷ √ only.
  double normal();
  /// Uniform integer in [0, n); n ≥ 1. Bias below n·2⁻⁶⁴.
  std::uint64_t below(std::uint64_t n) { return below(bits(), n); }
  /// The same of a word.
  static std::uint64_t below(std::uint64_t word, std::uint64_t n) {
    __extension__ using Product = unsigned __int128;
    return static_cast<std::uint64_t>((Product{word} * n) >> 64);
  }
  /// Fisher-Yates shuffle of `items`.
  void shuffle(std::span<std::uint32_t> items);

 private:
  static constexpr unsigned kBlockWords = 4, kMostWords = 32;
  void make_words();

  std::array<std::uint64_t, 2> key_;
  std::array<std::uint64_t, 4> counter_;
  std::array<std::uint64_t, kMostWords> words_;  ///< of which [next_, made_) are to come
  unsigned next_ = 0, made_ = 0;
};

/// Streams whose names are evenly spaced: number i is RandomStream(seed, purpose, a + i·step_a, b + i·step_b, c).
struct StreamSeries {
  std::uint64_t seed = 0;
  StreamPurpose purpose = StreamPurpose::kTest;
  std::uint64_t a = 0, b = 0, c = 0;
  std::uint64_t step_a = 0, step_b = 0;
};

/// The first `each` normals of every stream of a series, [streams][each]: bit for bit what the streams give one by one.
void fill_normals(const StreamSeries& series, std::size_t each, std::span<double> out);

/// A random word as a number in (0, 1): (k + 0.5) · 2⁻⁵³ with k its upper 53 bits, rounded like any product of doubles
/// and kept at or below 1 − 2⁻⁵³ (the largest k would round up to 1).
double unit_interval(std::uint64_t bits);

/// Inverse of the standard normal distribution function, relative error about 1e-15 (Wichura 1988, AS 241), with
/// + − × ÷ √ and bit operations only, so that NumPy and every vector width agree bit for bit. Domain 0 < p < 1.
double inverse_normal(double p);

/// Natural logarithm under the same restriction; domain: positive normal doubles.
double portable_log(double x);

/// Exponential function under the same restriction, relative error below 1e-15; domain |x| ≤ 700, beyond it the value
/// at the end.
double portable_exp(double x);

}  // namespace errata
