#include "behavioral/line/row_sums.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "behavioral/line/row_sums.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::behavioral::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Rows = RowSums::Rows;

/// Terms whose sums stay in registers: with two vectors each, twelve chains of operations that do not wait.
constexpr std::size_t kTerms = 6;

template <std::size_t Terms, std::size_t N, class D>
HWY_INLINE HWY_ATTR void add_terms(D d, const Rows& rows, std::size_t first, std::size_t lane,
                                   float* HWY_RESTRICT sums) {
  hn::Vec<D> sum[Terms][N];
  for (std::size_t t = 0; t < Terms; ++t)
    for (std::size_t i = 0; i < N; ++i)
      sum[t][i] = hn::LoadU(d, sums + (first + t) * rows.lanes + lane + i * hn::Lanes(d));
  for (std::size_t k = 0; k < rows.count; ++k) {
    const float* HWY_RESTRICT mask = rows.masks + k * rows.lanes + lane;
    const float* HWY_RESTRICT add = rows.added + k * rows.terms + first;
    hn::Vec<D> x[N];
    for (std::size_t i = 0; i < N; ++i) x[i] = hn::Load(d, mask + i * hn::Lanes(d));
    for (std::size_t t = 0; t < Terms; ++t)
      for (std::size_t i = 0; i < N; ++i) sum[t][i] = hn::MulAdd(x[i], hn::Set(d, add[t]), sum[t][i]);
  }
  for (std::size_t t = 0; t < Terms; ++t)
    for (std::size_t i = 0; i < N; ++i)
      hn::StoreU(sum[t][i], d, sums + (first + t) * rows.lanes + lane + i * hn::Lanes(d));
}

template <std::size_t N, class D>
HWY_INLINE HWY_ATTR void add_lanes(D d, const Rows& rows, std::size_t lane, float* HWY_RESTRICT sums) {
  for (std::size_t first = 0; first < rows.terms; first += kTerms) switch (std::min(kTerms, rows.terms - first)) {
      case 1:
        add_terms<1, N>(d, rows, first, lane, sums);
        break;
      case 2:
        add_terms<2, N>(d, rows, first, lane, sums);
        break;
      case 3:
        add_terms<3, N>(d, rows, first, lane, sums);
        break;
      case 4:
        add_terms<4, N>(d, rows, first, lane, sums);
        break;
      case 5:
        add_terms<5, N>(d, rows, first, lane, sums);
        break;
      default:
        add_terms<kTerms, N>(d, rows, first, lane, sums);
    }
}

HWY_ATTR void add_block(const Rows& rows, std::size_t filled, float* HWY_RESTRICT sums) {
  if (rows.lanes < PackedInputs::kLanes) {
    const hn::CappedTag<float, PackedInputs::kFewLanes> d;
    for (std::size_t lane = 0; lane < rows.lanes; lane += hn::Lanes(d)) add_lanes<1>(d, rows, lane, sums);
    return;
  }
  const hn::CappedTag<float, 16> d;
  for (std::size_t lane = 0; lane < filled; lane += 2 * hn::Lanes(d)) add_lanes<2>(d, rows, lane, sums);
}

}  // namespace errata::behavioral::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::behavioral {

HWY_EXPORT(add_block);

RowSums::RowSums(std::vector<float> added, std::size_t terms) : added_(std::move(added)), terms_(terms) {}

void RowSums::add(const PackedInputs& inputs, std::size_t block, std::span<float> sums) const {
  HWY_DYNAMIC_DISPATCH(add_block)
  ({inputs.masks(block), added_.data(), added_.size() / terms_, terms_, inputs.lanes()}, inputs.filled(block),
   sums.data());
}

}  // namespace errata::behavioral
#endif
