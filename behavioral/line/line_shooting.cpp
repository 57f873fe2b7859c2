#include "behavioral/line/line_shooting.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "behavioral/line/line_shooting.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::behavioral::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Walk = LineShooting::Walk;

/// Vectors side by side: chains of operations that do not wait for each other.
template <class D, std::size_t N>
struct Group {
  hn::Vec<D> v[N];
};

/// Calls with each number below N as a constant, so that what it indexes stays in registers.
template <std::size_t N, class Action>
HWY_INLINE HWY_ATTR void each(Action action) {
  static_assert(N <= 6);
  action(std::integral_constant<std::size_t, 0>());
  if constexpr (N > 1) action(std::integral_constant<std::size_t, 1>());
  if constexpr (N > 2) action(std::integral_constant<std::size_t, 2>());
  if constexpr (N > 3) action(std::integral_constant<std::size_t, 3>());
  if constexpr (N > 4) action(std::integral_constant<std::size_t, 4>());
  if constexpr (N > 5) action(std::integral_constant<std::size_t, 5>());
}

/// Coefficients of a cell: level 0, and what an input level adds.
constexpr std::size_t kCoefficients = 6;

/// One row's coefficients for a vector of lanes: those of level 0 and, by the masks, what other levels add.
template <class D, std::size_t Count>
struct Row {
  hn::Vec<D> c[Count];
};

template <std::size_t Count, bool Binary, class D>
HWY_INLINE HWY_ATTR Row<D, Count> blend(D d, const Walk& walk, std::size_t j, std::size_t lane) {
  const float* HWY_RESTRICT cell = walk.cells + j * walk.levels * kCoefficients;
  Row<D, Count> row;
  each<Count>([&](auto k) HWY_ATTR { row.c[k] = hn::Set(d, cell[k]); });
  if constexpr (Binary) {
    const auto x = hn::Load(d, walk.masks + j * walk.lanes + lane);
    each<Count>([&](auto k) HWY_ATTR { row.c[k] = hn::MulAdd(x, hn::Set(d, cell[kCoefficients + k]), row.c[k]); });
  } else {
    for (std::size_t level = 1; level < walk.levels && j < walk.rows; ++level) {
      const auto x = hn::Load(d, walk.masks + ((level - 1) * walk.rows + j) * walk.lanes + lane);
      each<Count>([&](auto k)
                      HWY_ATTR { row.c[k] = hn::MulAdd(x, hn::Set(d, cell[level * kCoefficients + k]), row.c[k]); });
    }
  }
  return row;
}

/// What is left before a row, and the row's voltages against the clamp's.
template <class D, std::size_t N>
struct State {
  Group<D, N> left, sag, rise;
};

/// Past rows first … last − 1.
template <bool Source, bool Binary, class D, std::size_t N>
HWY_INLINE HWY_ATTR void pass(D d, const Walk& walk, std::size_t lane, std::size_t first, std::size_t last,
                              State<D, N>& state) {
  const auto wire = hn::Set(d, walk.wire_ohms), source = hn::Set(d, walk.source_ohms);
  State<D, N> s = state;
  for (std::size_t j = first; j < last; ++j)
    each<N>([&](auto i) HWY_ATTR {
      const auto row = blend < Source ? 6 : 3, Binary > (d, walk, j, lane + i * hn::Lanes(d));
      const auto v = s.sag.v[i];
      auto rest = hn::Sub(s.left.v[i], row.c[0]);
      if constexpr (Source) {
        const auto r = s.rise.v[i];
        rest = hn::NegMulAdd(r, hn::MulAdd(row.c[5], r, hn::MulAdd(row.c[4], v, row.c[3])), rest);
      }
      const auto left = hn::NegMulAdd(v, hn::MulAdd(row.c[2], v, row.c[1]), rest);
      s.left.v[i] = left;
      s.sag.v[i] = hn::NegMulAdd(wire, left, v);
      if constexpr (Source) s.rise.v[i] = hn::MulAdd(source, left, s.rise.v[i]);
    });
  state = s;
}

/// What is left of the current `total` behind the last row.
template <bool Source, class D, std::size_t N>
HWY_INLINE HWY_ATTR Group<D, N> remainder(D d, const Walk& walk, std::size_t lane, const Group<D, N>& total) {
  State<D, N> state;
  each<N>([&](auto i) HWY_ATTR {
    state.left.v[i] = total.v[i];
    state.sag.v[i] = hn::Mul(hn::Set(d, -walk.clamp_ohms), hn::Add(total.v[i], hn::Set(d, walk.offset)));
    state.rise.v[i] = hn::Zero(d);
  });
  const std::size_t binary = walk.levels == 2 ? walk.rows : 0;
  pass<Source, true>(d, walk, lane, 0, binary, state);
  pass<Source, false>(d, walk, lane, binary, walk.all_rows, state);
  return state.left;
}

/// Σ of the currents at the clamp voltage.
template <class D, std::size_t N>
HWY_INLINE HWY_ATTR Group<D, N> unloaded(D d, const Walk& walk, std::size_t lane) {
  Group<D, N> sum;
  each<N>([&](auto i) HWY_ATTR { sum.v[i] = hn::Zero(d); });
  const std::size_t binary = walk.levels == 2 ? walk.rows : 0;
  for (std::size_t j = 0; j < binary; ++j)
    each<N>([&](auto i)
                HWY_ATTR { sum.v[i] = hn::Add(sum.v[i], blend<1, true>(d, walk, j, lane + i * hn::Lanes(d)).c[0]); });
  for (std::size_t j = binary; j < walk.all_rows; ++j)
    each<N>([&](auto i)
                HWY_ATTR { sum.v[i] = hn::Add(sum.v[i], blend<1, false>(d, walk, j, lane + i * hn::Lanes(d)).c[0]); });
  return sum;
}

/// Currents of the lanes [lane, lane + N vectors), without the offset.
template <bool Source, std::size_t N, class D>
HWY_INLINE HWY_ATTR void shoot(D d, const Walk& walk, std::size_t lane, float* HWY_RESTRICT out) {
  using V = hn::Vec<D>;
  const auto constant = [&](float x) HWY_ATTR { return hn::Set(d, x); };
  const Group<D, N> sum = unloaded<D, N>(d, walk, lane);
  Group<D, N> slope, t0, t1, t2;
  for (std::size_t i = 0; i < N; ++i) {
    slope.v[i] = hn::MulAdd(constant(walk.loading), hn::Abs(sum.v[i]), constant(1.0f));
    t0.v[i] = hn::Div(sum.v[i], slope.v[i]);
  }
  const Group<D, N> f0 = remainder<Source>(d, walk, lane, t0);
  for (std::size_t i = 0; i < N; ++i) t1.v[i] = hn::Sub(t0.v[i], hn::Div(f0.v[i], slope.v[i]));
  const Group<D, N> f1 = remainder<Source>(d, walk, lane, t1);
  auto enough = hn::Eq(t0.v[0], t0.v[0]);
  Group<D, N> is_enough;
  for (std::size_t i = 0; i < N; ++i) {
    const V step = hn::Sub(t1.v[i], t0.v[i]), secant = hn::Div(hn::Sub(f1.v[i], f0.v[i]), step);
    // Two points that are nearly one tell the slope no better than the guess.
    const auto apart = hn::Gt(hn::Abs(step), hn::Mul(constant(1e-5f), hn::Abs(t1.v[i])));
    const auto sane = hn::And(apart, hn::Gt(secant, constant(0.25f)));
    slope.v[i] = hn::IfThenElse(sane, secant, slope.v[i]);
    const V correction = hn::Div(f1.v[i], slope.v[i]);
    t2.v[i] = hn::Sub(t1.v[i], correction);
    // What a secant leaves is the product of its two points' errors times the curvature; a guessed slope, a part of
    // the correction.
    const V size = hn::Abs(t2.v[i]), bend = hn::Mul(constant(walk.curvature), hn::Mul(size, hn::Abs(step)));
    const V relative = hn::IfThenElse(sane, bend, constant(0.3f));
    const auto good =
        hn::Le(hn::Mul(relative, hn::Abs(correction)), hn::MulAdd(constant(1e-6f), size, constant(1e-15f)));
    enough = hn::And(enough, good);
    is_enough.v[i] = hn::IfThenElse(good, constant(1.0f), hn::Zero(d));
  }
  if (!hn::AllTrue(d, enough)) {
    const Group<D, N> f2 = remainder<Source>(d, walk, lane, t2);
    for (std::size_t i = 0; i < N; ++i) {
      const V correction = hn::Div(f2.v[i], slope.v[i]), t3 = hn::Sub(t2.v[i], correction);
      // The next correction would be about the square of this one over the current.
      const auto good = hn::Le(hn::Abs(correction), hn::MulAdd(constant(1e-4f), hn::Abs(t3), constant(1e-15f)));
      const V third = hn::IfThenElse(good, t3, constant(std::numeric_limits<float>::quiet_NaN()));
      t2.v[i] = hn::IfThenElse(hn::Gt(is_enough.v[i], hn::Zero(d)), t2.v[i], third);
    }
  }
  for (std::size_t i = 0; i < N; ++i) hn::StoreU(t2.v[i], d, out + lane + i * hn::Lanes(d));
}

/// A block of lanes, of which the first `filled` are needed. Each lane's result is the same in both widths.
template <bool Source>
HWY_INLINE HWY_ATTR void shoot_lanes(const Walk& walk, std::size_t filled, float* HWY_RESTRICT out) {
  if (walk.lanes < PackedInputs::kLanes) {
    const hn::CappedTag<float, PackedInputs::kFewLanes> d;
    for (std::size_t lane = 0; lane < walk.lanes; lane += hn::Lanes(d)) shoot<Source, 1>(d, walk, lane, out);
    return;
  }
  const hn::CappedTag<float, 16> d;
  constexpr std::size_t kTogether = 4;
  for (std::size_t lane = 0; lane < filled; lane += kTogether * hn::Lanes(d))
    shoot<Source, kTogether>(d, walk, lane, out);
}

HWY_ATTR void shoot_block(const Walk& walk, std::size_t filled, float* HWY_RESTRICT out) {
  if (walk.source_ohms > 0)
    shoot_lanes<true>(walk, filled, out);
  else
    shoot_lanes<false>(walk, filled, out);
}

}  // namespace errata::behavioral::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::behavioral {

HWY_EXPORT(shoot_block);

LineShooting::LineShooting(const PreparedLine& line) {
  constexpr std::size_t kCoefficients = 6;  // of each level in Walk::cells
  const std::size_t rows = line.all_rows();
  double steepest = 0.0, slopes = 0.0, bends = 0.0, currents = 0.0;
  cells_.resize(rows * line.inputs * kCoefficients);
  float* to = cells_.data();
  for (std::size_t j = 0; j < rows; ++j) {
    const CellExpansion& idle = line.cell(0, j);
    const double zero[kCoefficients] = {idle.a, idle.b, idle.c, idle.p, idle.q, idle.r};
    for (std::size_t x = 0; x < line.inputs; ++x) {
      const CellExpansion& e = line.cell(x, j);
      const double at[kCoefficients] = {e.a, e.b, e.c, e.p, e.q, e.r};
      for (std::size_t k = 0; k < kCoefficients; ++k) *to++ = static_cast<float>(x == 0 ? at[k] : at[k] - zero[k]);
      steepest = std::max({steepest, std::fabs(e.b), std::fabs(e.p)});
      slopes += std::fabs(e.b);
      bends += std::fabs(e.c) + std::fabs(e.q) + std::fabs(e.r);
      currents += std::fabs(e.a);
    }
  }
  const auto n = static_cast<double>(rows);
  const double wire_ohms = line.wire_ohms + line.source_line_ohms;
  constexpr double kTame = 6.0;
  suits_ = n * n * wire_ohms * steepest < kTame;
  // How much a current lowers itself: through the clamp, and through a third of the wire if the rows share it evenly.
  const double ohms = line.clamp_ohms + wire_ohms * n / 3.0;
  // Of the far end, which no row exceeds; doubled for cells that bend more than the average.
  const double far = line.clamp_ohms + wire_ohms * n;
  walk_ = {.rows = line.rows,
           .all_rows = rows,
           .levels = line.inputs,
           .clamp_ohms = static_cast<float>(line.clamp_ohms),
           .wire_ohms = static_cast<float>(line.wire_ohms),
           .source_ohms = static_cast<float>(line.source_line_ohms),
           .offset = static_cast<float>(line.offset_amperes),
           .loading = static_cast<float>(currents > 0.0 ? ohms * slopes / currents : 0.0),
           .curvature = static_cast<float>(currents > 0.0 ? 2.0 * far * far * bends / currents : 0.0)};
}

void LineShooting::solve(const PackedInputs& inputs, std::span<double> current_amperes) const {
  float current[PackedInputs::kLanes];
  Walk walk = walk_;
  walk.cells = cells_.data();
  walk.lanes = inputs.lanes();
  for (std::size_t block = 0; block < inputs.blocks(); ++block) {
    walk.masks = inputs.masks(block);
    HWY_DYNAMIC_DISPATCH(shoot_block)(walk, inputs.filled(block), current);
    for (std::size_t l = 0; l < inputs.filled(block); ++l)
      current_amperes[block * inputs.lanes() + l] = static_cast<double>(current[l]) + static_cast<double>(walk.offset);
  }
}

}  // namespace errata::behavioral
#endif
