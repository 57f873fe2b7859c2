#include "training/hardware/composed_epilogue.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/composed_epilogue.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#include "training/hardware/reference_kernels.h"
#include "training/hardware/row_lookup-inl.h"
#include "training/hardware/short_normal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
std::size_t add_vectors(const ConversionRows&, const std::int32_t*, const float*, std::size_t, TileWeight, SumStart,
                        const ConversionSums&) {
  return 0;
}
#else
/// Places of values in the rows, in bins.
struct Places {
  Vector at, bounded;  ///< as it is, and moved into the rows
  hn::Vec<Ints> bin;   ///< the one before it
};
HWY_INLINE HWY_ATTR Places places_of(const ConversionRows& r, const float* HWY_RESTRICT partial) {
  const Floats f;
  const Ints ints;
  const auto at = hn::Mul(hn::Sub(hn::LoadU(f, partial), hn::Set(f, r.y_low)), hn::Set(f, r.per_bin));
  const auto bounded = hn::Min(hn::Max(at, hn::Zero(f)), hn::Set(f, static_cast<float>(r.bins - 1)));
  const auto last_bin = hn::Set(ints, static_cast<std::int32_t>(r.bins) - 2);
  return {at, bounded, hn::Min(hn::ConvertTo(ints, bounded), last_bin)};
}

/// Values that are looked up together: where they stand is computed for all of them first, so that the long way from a
/// value to its entry is not waited for each time.
constexpr std::size_t kChunk = 512;

/// All whole vectors; returns how many values those are. `first_entry`[i mod conversions] is where the row of value i
/// begins, repeated once beyond the conversions by a vector's lanes.
template <bool kAdd, bool kSloped>
HWY_ATTR std::size_t add_vectors(const ConversionRows& rows, const std::int32_t* HWY_RESTRICT first_entry,
                                 const float* partial, std::size_t count, TileWeight weight,
                                 const ConversionSums& sums) {
  const Floats f;
  const Ints ints;
  const std::size_t lanes = hn::Lanes(f);
  const ConversionRows r = rows;
  float *const values = sums.value, *const variances = sums.variance, *const slopes = sums.slope;
  const auto zero = hn::Zero(f), one = hn::Set(f, 1.0f), y_low = hn::Set(f, r.y_low), per_bin = hn::Set(f, r.per_bin),
             width = hn::Set(f, r.bin_width), factor = hn::Set(f, weight.value),
             square = hn::Set(f, weight.value * weight.value), share = hn::Set(f, weight.slope);
  HWY_ALIGN std::int32_t entry[kChunk];
  const std::size_t whole = count / lanes * lanes;
  std::size_t column = 0;
  for (std::size_t begin = 0; begin < whole; begin += kChunk) {
    const std::size_t end = std::min(whole, begin + kChunk);
    for (std::size_t i = begin; i < end; i += lanes) {
      const auto bin = places_of(r, partial + i).bin;
      hn::Store(hn::Add(bin, hn::LoadU(ints, first_entry + column)), ints, entry + (i - begin));
      for (column += lanes; column >= r.conversions;) column -= r.conversions;
    }
    for (std::size_t i = begin; i < end; i += lanes) {
      const Places p = places_of(r, partial + i);
      const auto between = hn::Sub(p.bounded, hn::ConvertTo(f, p.bin));
      const Ends e = load_ends(r.rows, entry + (i - begin));
      const auto rise = hn::Sub(e.next_first, e.first);
      const auto y = hn::Add(y_low, hn::Mul(p.bounded, width));
      auto value = hn::Mul(factor, hn::Add(hn::Add(y, e.first), hn::Mul(between, rise)));
      auto variance = hn::Mul(square, hn::Add(e.second, hn::Mul(between, hn::Sub(e.next_second, e.second))));
      if (kAdd) {
        value = hn::Add(hn::LoadU(f, values + i), value);
        variance = hn::Add(hn::LoadU(f, variances + i), variance);
      }
      hn::StoreU(value, f, values + i);
      hn::StoreU(variance, f, variances + i);
      if (!kSloped) continue;
      const auto inside = hn::Mul(share, hn::Max(zero, hn::Add(one, hn::Mul(rise, per_bin))));
      auto slope = hn::IfThenElseZero(hn::Eq(p.bounded, p.at), inside);
      if (kAdd) slope = hn::Add(hn::LoadU(f, slopes + i), slope);
      hn::StoreU(slope, f, slopes + i);
    }
  }
  return whole;
}

HWY_ATTR std::size_t add_vectors(const ConversionRows& rows, const std::int32_t* first_entry, const float* partial,
                                 std::size_t count, TileWeight weight, SumStart start, const ConversionSums& sums) {
  const bool add = start == SumStart::kAdd;
  if (sums.slope == nullptr)
    return add ? add_vectors<true, false>(rows, first_entry, partial, count, weight, sums)
               : add_vectors<false, false>(rows, first_entry, partial, count, weight, sums);
  return add ? add_vectors<true, true>(rows, first_entry, partial, count, weight, sums)
             : add_vectors<false, true>(rows, first_entry, partial, count, weight, sums);
}
#endif

#if !ERRATA_SHORT_VECTORS
void noise(const ReadWords& words, const ReadWords& tails, const float* variance, float* value, std::size_t count) {
  add_noise_reference(words, tails, {variance, count}, {value, count});
}
#else
HWY_ATTR void noise(const ReadWords& words, const ReadWords& tails, const float* HWY_RESTRICT variance,
                    float* HWY_RESTRICT value, std::size_t count) {
  const Floats f;
  const Ints ints;
  const hn::Rebind<std::int16_t, Floats> shorts;
  constexpr std::size_t kQuad = kQuadReads * kQuadColumns;
  const ShortNormalTables& tables = short_normal_tables();
  const auto unit = hn::Set(f, kShortNormalScale);
  HWY_ALIGN std::int16_t normal[kQuad];
  for (std::size_t first = 0; first < count; first += kQuad) {
    const std::size_t inside = HWY_MIN(kQuad, count - first), reads = (inside + kQuadColumns - 1) / kQuadColumns;
    fill_quad(tables, words, tails, static_cast<std::uint32_t>(first / kQuad * ReadWords::kQuadBlocks), reads, normal);
    std::size_t k = 0;
    for (; k + hn::Lanes(f) <= inside; k += hn::Lanes(f)) {
      const auto e = hn::Mul(unit, hn::ConvertTo(f, hn::PromoteTo(ints, hn::LoadU(shorts, normal + k))));
      const auto error = hn::Mul(hn::Sqrt(hn::LoadU(f, variance + first + k)), e);
      hn::StoreU(hn::Add(hn::LoadU(f, value + first + k), error), f, value + first + k);
    }
    for (; k < inside; ++k)
      value[first + k] += std::sqrt(variance[first + k]) * (kShortNormalScale * static_cast<float>(normal[k]));
  }
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

void add_noise(const ReadWords& words, const ReadWords& tails, std::span<const float> variance,
               std::span<float> value) {
  HWY_DYNAMIC_DISPATCH(noise)(words, tails, variance.data(), value.data(), value.size());
}

}  // namespace errata::training
#endif
