// Linear lookup in rows of pairs of values, in vectors of the instruction set being compiled; included by kernels after
// foreach_target.h.

// Once for each instruction set, as Highway's own -inl.h headers do it.
#if defined(ERRATA_ROW_LOOKUP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ERRATA_ROW_LOOKUP_INL_H
#undef ERRATA_ROW_LOOKUP_INL_H
#else
#define ERRATA_ROW_LOOKUP_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#if HWY_TARGET != HWY_SCALAR  // whose kernels are the plain loops
HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using Ints = hn::RebindToSigned<Floats>;
using Vector = hn::Vec<Floats>;

/// The two values of a lane's point and of the next one.
struct Ends {
  Vector first, second, next_first, next_second;
};

/// They stand side by side, so that one load of four floats has them all; gathers are faster from 16 lanes on only.
#if HWY_MAX_BYTES <= 32
HWY_INLINE HWY_ATTR Ends load_ends(const float* HWY_RESTRICT rows, const std::int32_t* HWY_RESTRICT entry) {
  const Floats f;
  const hn::Repartition<std::uint64_t, Floats> pairs;
  const hn::Full128<float> four;
  const auto at = [entry](std::size_t lane) {
    return 2 * static_cast<std::size_t>(static_cast<std::uint32_t>(entry[lane]));
  };
  Vector v[4];
  for (std::size_t k = 0; k < 4; ++k) {
#if HWY_MAX_BYTES == 32
    v[k] = hn::Combine(f, hn::LoadU(four, rows + at(k + 4)), hn::LoadU(four, rows + at(k)));
#else
    v[k] = hn::LoadU(four, rows + at(k));
#endif
  }
  const auto a = hn::BitCast(pairs, hn::InterleaveLower(f, v[0], v[1])),
             b = hn::BitCast(pairs, hn::InterleaveLower(f, v[2], v[3])),
             c = hn::BitCast(pairs, hn::InterleaveUpper(f, v[0], v[1])),
             d = hn::BitCast(pairs, hn::InterleaveUpper(f, v[2], v[3]));
  return {hn::BitCast(f, hn::InterleaveLower(pairs, a, b)), hn::BitCast(f, hn::InterleaveUpper(pairs, a, b)),
          hn::BitCast(f, hn::InterleaveLower(pairs, c, d)), hn::BitCast(f, hn::InterleaveUpper(pairs, c, d))};
}
HWY_INLINE HWY_ATTR Ends load_ends(const float* HWY_RESTRICT rows, hn::Vec<Ints> entry) {
  HWY_ALIGN std::int32_t at[hn::MaxLanes(Floats())];
  hn::Store(entry, Ints(), at);
  return load_ends(rows, at);
}
#else
HWY_INLINE HWY_ATTR Ends load_ends(const float* HWY_RESTRICT rows, hn::Vec<Ints> entry) {
  const Floats f;
  const auto at = hn::ShiftLeft<1>(entry);
  return {hn::GatherIndex(f, rows, at), hn::GatherIndex(f, rows + 1, at), hn::GatherIndex(f, rows + 2, at),
          hn::GatherIndex(f, rows + 3, at)};
}
HWY_INLINE HWY_ATTR Ends load_ends(const float* HWY_RESTRICT rows, const std::int32_t* HWY_RESTRICT entry) {
  return load_ends(rows, hn::LoadU(Ints(), entry));
}
#endif

}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
#endif
