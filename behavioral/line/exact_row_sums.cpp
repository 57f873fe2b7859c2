#include "behavioral/line/exact_row_sums.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "behavioral/line/exact_row_sums.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::behavioral::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Doubles = hn::CappedTag<double, PackedInputs::kFewLanes / 2>;

/// Vectors side by side, and terms whose sums stay in registers with them.
constexpr std::size_t kTogether = 2, kTerms = 5;

template <std::size_t Terms>
HWY_INLINE HWY_ATTR void add_terms(const ExactRows& rows, std::size_t first, std::size_t lane,
                                   double* HWY_RESTRICT sums) {
  const Doubles d;
  const hn::Rebind<float, Doubles> f;
  const std::size_t width = hn::Lanes(d);
  hn::Vec<Doubles> sum[Terms][kTogether];
  for (std::size_t t = 0; t < Terms; ++t)
    for (std::size_t i = 0; i < kTogether; ++i)
      sum[t][i] = hn::LoadU(d, sums + (first + t) * PackedInputs::kFewLanes + lane + i * width);
  for (std::size_t k = 0; k < rows.count; ++k) {
    const float* HWY_RESTRICT mask = rows.masks + k * rows.lanes + lane;
    const double* HWY_RESTRICT add = rows.added + k * rows.terms + first;
    hn::Vec<Doubles> x[kTogether];
    for (std::size_t i = 0; i < kTogether; ++i) x[i] = hn::PromoteTo(d, hn::LoadU(f, mask + i * width));
    for (std::size_t t = 0; t < Terms; ++t)
      for (std::size_t i = 0; i < kTogether; ++i) sum[t][i] = hn::MulAdd(x[i], hn::Set(d, add[t]), sum[t][i]);
  }
  for (std::size_t t = 0; t < Terms; ++t)
    for (std::size_t i = 0; i < kTogether; ++i)
      hn::StoreU(sum[t][i], d, sums + (first + t) * PackedInputs::kFewLanes + lane + i * width);
}

HWY_ATTR void add_exactly(const ExactRows& rows, double* HWY_RESTRICT sums) {
  for (std::size_t lane = 0; lane < PackedInputs::kFewLanes; lane += kTogether * hn::Lanes(Doubles()))
    for (std::size_t first = 0; first < rows.terms; first += kTerms) switch (std::min(kTerms, rows.terms - first)) {
        case 1:
          add_terms<1>(rows, first, lane, sums);
          break;
        case 2:
          add_terms<2>(rows, first, lane, sums);
          break;
        case 3:
          add_terms<3>(rows, first, lane, sums);
          break;
        case 4:
          add_terms<4>(rows, first, lane, sums);
          break;
        default:
          add_terms<kTerms>(rows, first, lane, sums);
      }
}

}  // namespace errata::behavioral::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::behavioral {

HWY_EXPORT(add_exactly);

void add_rows_exactly(const PackedInputs& inputs, std::size_t first, std::span<const double> added, std::size_t terms,
                      std::span<double> sums) {
  const std::size_t lanes = inputs.lanes();
  HWY_DYNAMIC_DISPATCH(add_exactly)
  ({inputs.masks(first / lanes) + first % lanes, added.data(), added.size() / terms, terms, lanes}, sums.data());
}

}  // namespace errata::behavioral
#endif
