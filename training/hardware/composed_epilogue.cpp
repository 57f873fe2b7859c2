#include "training/hardware/composed_epilogue.h"

#include <cstdint>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/composed_epilogue.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#include "training/hardware/reference_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
std::size_t add_vectors(const ConversionRows&, const std::int32_t*, const float*, std::size_t, TileWeight, SumStart,
                        const ConversionSums&) {
  return 0;
}
void noise(const float* variance, const float* normal, float* value, std::size_t count) {
  add_noise_reference({variance, count}, {normal, count}, {value, count});
}
#else
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Floats>;
using Vector = hn::Vec<Floats>;

/// Shift and variance of a lane's bin and of the next one.
struct Ends {
  Vector shift, variance, next_shift, next_variance;
};

/// They stand side by side, so that one load of four floats has them all; gathers are faster from 16 lanes on only.
#if HWY_MAX_BYTES <= 32
HWY_INLINE HWY_ATTR Ends load_ends(const float* HWY_RESTRICT rows, hn::Vec<Ints> entry) {
  const Floats f;
  const hn::Repartition<std::uint64_t, Floats> pairs;
  const hn::Full128<float> four;
  HWY_ALIGN std::int32_t at[hn::MaxLanes(Floats())];
  hn::Store(entry, Ints(), at);
  Vector v[4];
  for (std::size_t k = 0; k < 4; ++k) {
#if HWY_MAX_BYTES == 32
    v[k] = hn::Combine(f, hn::LoadU(four, rows + 2 * at[k + 4]), hn::LoadU(four, rows + 2 * at[k]));
#else
    v[k] = hn::LoadU(four, rows + 2 * at[k]);
#endif
  }
  const auto a = hn::BitCast(pairs, hn::InterleaveLower(f, v[0], v[1])),
             b = hn::BitCast(pairs, hn::InterleaveLower(f, v[2], v[3])),
             c = hn::BitCast(pairs, hn::InterleaveUpper(f, v[0], v[1])),
             d = hn::BitCast(pairs, hn::InterleaveUpper(f, v[2], v[3]));
  return {hn::BitCast(f, hn::InterleaveLower(pairs, a, b)), hn::BitCast(f, hn::InterleaveUpper(pairs, a, b)),
          hn::BitCast(f, hn::InterleaveLower(pairs, c, d)), hn::BitCast(f, hn::InterleaveUpper(pairs, c, d))};
}
#else
HWY_INLINE HWY_ATTR Ends load_ends(const float* HWY_RESTRICT rows, hn::Vec<Ints> entry) {
  const Floats f;
  const auto first = hn::ShiftLeft<1>(entry);
  return {hn::GatherIndex(f, rows, first), hn::GatherIndex(f, rows + 1, first), hn::GatherIndex(f, rows + 2, first),
          hn::GatherIndex(f, rows + 3, first)};
}
#endif

/// All whole vectors; returns how many values those are. `first_entry`[i mod conversions] is where the row of value i
/// begins, repeated once beyond the conversions by a vector's lanes.
HWY_ATTR std::size_t add_vectors(const ConversionRows& r, const std::int32_t* HWY_RESTRICT first_entry,
                                 const float* partial, std::size_t count, TileWeight weight, SumStart start,
                                 const ConversionSums& sums) {
  const Floats f;
  const Ints ints;
  const std::size_t lanes = hn::Lanes(f);
  const auto zero = hn::Zero(f), one = hn::Set(f, 1.0f), last = hn::Set(f, static_cast<float>(r.bins - 1)),
             y_low = hn::Set(f, r.y_low), per_bin = hn::Set(f, r.per_bin), width = hn::Set(f, r.bin_width),
             factor = hn::Set(f, weight.value), square = hn::Set(f, weight.value * weight.value),
             share = hn::Set(f, weight.slope);
  const auto last_bin = hn::Set(ints, static_cast<std::int32_t>(r.bins) - 2);
  const bool add = start == SumStart::kAdd, sloped = sums.slope != nullptr;
  std::size_t i = 0, column = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto at = hn::Mul(hn::Sub(hn::LoadU(f, partial + i), y_low), per_bin);
    const auto bounded = hn::Min(hn::Max(at, zero), last);
    const auto bin = hn::Min(hn::ConvertTo(ints, bounded), last_bin);
    const auto between = hn::Sub(bounded, hn::ConvertTo(f, bin));
    const Ends e = load_ends(r.rows, hn::Add(bin, hn::LoadU(ints, first_entry + column)));
    const auto rise = hn::Sub(e.next_shift, e.shift);
    const auto y = hn::Add(y_low, hn::Mul(bounded, width));
    auto value = hn::Mul(factor, hn::Add(hn::Add(y, e.shift), hn::Mul(between, rise)));
    auto variance = hn::Mul(square, hn::Add(e.variance, hn::Mul(between, hn::Sub(e.next_variance, e.variance))));
    if (add) {
      value = hn::Add(hn::LoadU(f, sums.value + i), value);
      variance = hn::Add(hn::LoadU(f, sums.variance + i), variance);
    }
    hn::StoreU(value, f, sums.value + i);
    hn::StoreU(variance, f, sums.variance + i);
    if (sloped) {
      const auto inside = hn::Mul(share, hn::Max(zero, hn::Add(one, hn::Mul(rise, per_bin))));
      auto slope = hn::IfThenElseZero(hn::Eq(bounded, at), inside);
      if (add) slope = hn::Add(hn::LoadU(f, sums.slope + i), slope);
      hn::StoreU(slope, f, sums.slope + i);
    }
    for (column += lanes; column >= r.conversions;) column -= r.conversions;
  }
  return i;
}

HWY_ATTR void noise(const float* HWY_RESTRICT variance, const float* HWY_RESTRICT normal, float* HWY_RESTRICT value,
                    std::size_t count) {
  const Floats f;
  std::size_t i = 0;
  for (; i + hn::Lanes(f) <= count; i += hn::Lanes(f)) {
    const auto error = hn::Mul(hn::Sqrt(hn::LoadU(f, variance + i)), hn::LoadU(f, normal + i));
    hn::StoreU(hn::Add(hn::LoadU(f, value + i), error), f, value + i);
  }
  add_noise_reference({variance + i, count - i}, {normal + i, count - i}, {value + i, count - i});
}
#endif
}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::training {

HWY_EXPORT(add_vectors);
HWY_EXPORT(noise);

void add_conversions(const ConversionRows& rows, const float* partial, std::size_t reads, TileWeight weight,
                     SumStart start, const ConversionSums& sums) {
  constexpr std::size_t kLanes = 16;
  std::vector<std::int32_t> first_entry(rows.conversions + kLanes);
  for (std::size_t k = 0; k < first_entry.size(); ++k)
    first_entry[k] = static_cast<std::int32_t>(k % rows.conversions * rows.bins);
  const std::size_t count = reads * rows.conversions;
  const std::size_t done =
      HWY_DYNAMIC_DISPATCH(add_vectors)(rows, first_entry.data(), partial, count, weight, start, sums);
  add_conversions_reference(rows, partial, {done, count}, weight, start, sums);
}

void add_noise(std::span<const float> variance, std::span<const float> normal, std::span<float> value) {
  HWY_DYNAMIC_DISPATCH(noise)(variance.data(), normal.data(), value.data(), value.size());
}

}  // namespace errata::training
#endif
