#include "behavioral/line/balance_lanes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "behavioral/line/balance_lanes.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::behavioral::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 8>;
using Vector = hn::Vec<Floats>;

/// A piece of each lane's spline.
struct Pieces {
  Vector x0, h, y0, y1, d0, d1, before;
};

HWY_INLINE HWY_ATTR Vector slope_at(const BalanceNodes& line, std::size_t node, const float* drawn, std::size_t lanes) {
  const Floats f;
  const float* weight = line.derivative + node * line.count;
  Vector sum = hn::Zero(f);
  for (std::size_t m = 0; m < line.count; ++m)
    sum = hn::MulAdd(hn::Set(f, weight[m]), hn::LoadU(f, drawn + m * lanes), sum);
  return sum;
}

/// The last piece whose lower end still misses charge.
HWY_INLINE HWY_ATTR Pieces find_pieces(const BalanceNodes& line, const float* drawn, std::size_t lanes) {
  const Floats f;
  Vector low = hn::LoadU(f, drawn), slope = slope_at(line, 0, drawn, lanes);
  Pieces p{};
  for (std::size_t k = 0; k + 1 < line.count; ++k) {
    const Vector high = hn::LoadU(f, drawn + (k + 1) * lanes), next = slope_at(line, k + 1, drawn, lanes);
    const Vector before = hn::Add(hn::Set(f, line.base[k]), low);
    const Vector x = hn::Set(f, line.nodes[k]), width = hn::Set(f, line.nodes[k + 1] - line.nodes[k]);
    if (k == 0) {
      p = {x, width, low, high, slope, next, before};
    } else {
      const auto here = hn::Lt(before, hn::Zero(f));
      p = {hn::IfThenElse(here, x, p.x0),         hn::IfThenElse(here, width, p.h),  hn::IfThenElse(here, low, p.y0),
           hn::IfThenElse(here, high, p.y1),      hn::IfThenElse(here, slope, p.d0), hn::IfThenElse(here, next, p.d1),
           hn::IfThenElse(here, before, p.before)};
    }
    low = high;
    slope = next;
  }
  return p;
}

/// Newton inside the piece, in units of it; outside of the nodes the tangent of the nearer end goes on.
HWY_INLINE HWY_ATTR Vector end_of(const Pieces& p, Vector farads) {
  const Floats f;
  const Vector zero = hn::Zero(f), one = hn::Set(f, 1.0f), two = hn::Set(f, 2.0f), three = hn::Set(f, 3.0f);
  const Vector drop = hn::Sub(p.y1, p.y0), rise = hn::MulAdd(farads, p.h, drop), after = hn::Add(p.before, rise);
  const Vector steep_ends = hn::Mul(p.h, hn::Add(p.d0, p.d1));
  const Vector c3 = hn::NegMulAdd(two, drop, steep_ends);
  const Vector c2 = hn::Sub(hn::Sub(drop, hn::Mul(p.h, p.d0)), c3);
  const Vector c1 = hn::Mul(p.h, hn::Add(farads, p.d0));
  Vector t = hn::IfThenElse(hn::Gt(rise, zero), hn::Div(hn::Neg(p.before), rise), zero);
  for (int step = 0; step < 4; ++step) {
    const Vector value = hn::MulAdd(t, hn::MulAdd(t, hn::MulAdd(t, c3, c2), c1), p.before);
    const Vector steep = hn::MulAdd(t, hn::MulAdd(hn::Mul(three, t), c3, hn::Mul(two, c2)), c1);
    t = hn::Min(hn::Max(hn::Sub(t, hn::Div(value, steep)), zero), one);
  }
  const Vector below = hn::Div(hn::Neg(p.before), hn::Add(farads, p.d0));
  const Vector beyond = hn::Sub(p.h, hn::Div(after, hn::Add(farads, p.d1)));
  const Vector inside = hn::IfThenElse(hn::Le(after, zero), beyond, hn::Mul(t, p.h));
  return hn::Add(p.x0, hn::IfThenElse(hn::Ge(p.before, zero), below, inside));
}

HWY_ATTR void balance(const BalanceNodes& line, const float* HWY_RESTRICT drawn, std::size_t lanes, std::size_t filled,
                      float* HWY_RESTRICT volts) {
  const Floats f;
  const Vector farads = hn::Set(f, line.farads);
  for (std::size_t l = 0; l < filled; l += hn::Lanes(f))
    hn::StoreU(end_of(find_pieces(line, drawn + l, lanes), farads), f, volts + l);
}

}  // namespace errata::behavioral::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::behavioral {

HWY_EXPORT(balance);

void balance_lanes(const BalanceNodes& line, std::span<const float> drawn, std::size_t lanes, std::size_t filled,
                   std::span<float> volts) {
  HWY_DYNAMIC_DISPATCH(balance)(line, drawn.data(), lanes, filled, volts.data());
}

}  // namespace errata::behavioral
#endif
