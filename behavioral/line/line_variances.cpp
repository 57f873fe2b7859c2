#include "behavioral/line/line_variances.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "behavioral/line/line_variances.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::behavioral::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Walk = LineVariances::Walk;
/// A group of lanes is no wider than the smallest block of inputs.
using Doubles = hn::CappedTag<double, PackedInputs::kFewLanes / 2>;
using Vector = hn::Vec<Doubles>;

/// Vectors side by side: chains of operations that do not wait for each other.
constexpr std::size_t kTogether = 2;
constexpr std::size_t kExpansion = 6, kThermalAt = kExpansion, kCoefficients = kExpansion + 1;

struct Group {
  Vector v[kTogether];
};

/// What the way back needs of a row on the way out, for one group of lanes.
struct Visited {
  Group current, by_sag, by_rise;
};

HWY_INLINE HWY_ATTR Vector constant(double x) { return hn::Set(Doubles(), x); }

HWY_INLINE HWY_ATTR Vector mask(const Walk& walk, std::size_t level, std::size_t row, std::size_t lane) {
  const Doubles d;
  const hn::Rebind<float, Doubles> f;
  return hn::PromoteTo(d, hn::LoadU(f, walk.masks + ((level - 1) * walk.rows + row) * walk.lanes + lane));
}

/// A coefficient of a row: that of level 0 and, by the masks, what other levels add.
template <std::size_t Count>
struct Row {
  Group c[Count];
};

template <std::size_t First, std::size_t Count>
HWY_INLINE HWY_ATTR Row<Count> blend(const Walk& walk, std::size_t j, std::size_t lane) {
  const double* HWY_RESTRICT cell = walk.cells + j * walk.levels * kCoefficients + First;
  Row<Count> row;
  for (std::size_t k = 0; k < Count; ++k)
    for (std::size_t i = 0; i < kTogether; ++i) row.c[k].v[i] = constant(cell[k]);
  for (std::size_t level = 1; level < walk.levels && j < walk.rows; ++level)
    for (std::size_t i = 0; i < kTogether; ++i) {
      const Vector x = mask(walk, level, j, lane + i * hn::Lanes(Doubles()));
      for (std::size_t k = 0; k < Count; ++k)
        row.c[k].v[i] = hn::MulAdd(x, constant(cell[level * kCoefficients + k]), row.c[k].v[i]);
    }
  return row;
}

/// The current that is left behind the last row when `total` enters the first.
template <bool Source>
HWY_INLINE HWY_ATTR Group walk_out(const Walk& walk, std::size_t lane, const Group& total,
                                   Visited* HWY_RESTRICT visited) {
  const Vector wire = constant(walk.wire_ohms);
  [[maybe_unused]] const Vector source = constant(walk.source_ohms);
  Group left = total, sag, rise;
  for (std::size_t i = 0; i < kTogether; ++i) {
    sag.v[i] = hn::Mul(constant(-walk.clamp_ohms), hn::Add(total.v[i], constant(walk.offset)));
    rise.v[i] = hn::Zero(Doubles());
  }
  for (std::size_t j = 0; j < walk.all_rows; ++j) {
    const auto row = blend < 0, Source ? kExpansion : 3 > (walk, j, lane);
    Visited& at = visited[j];
    for (std::size_t i = 0; i < kTogether; ++i) {
      const Vector v = sag.v[i], c = row.c[2].v[i], bent = hn::MulAdd(c, v, row.c[1].v[i]);
      Vector current = hn::MulAdd(v, bent, row.c[0].v[i]), by_sag = hn::MulAdd(c, v, bent);
      if constexpr (Source) {
        const Vector s = rise.v[i], r = row.c[5].v[i];
        const Vector p = hn::MulAdd(r, s, hn::MulAdd(row.c[4].v[i], v, row.c[3].v[i]));
        current = hn::MulAdd(s, p, current);
        by_sag = hn::MulAdd(row.c[4].v[i], s, by_sag);
        at.by_rise.v[i] = hn::MulAdd(r, s, p);
      }
      at.current.v[i] = current;
      at.by_sag.v[i] = by_sag;
      left.v[i] = hn::Sub(left.v[i], current);
      sag.v[i] = hn::NegMulAdd(wire, left.v[i], v);
      if constexpr (Source) rise.v[i] = hn::MulAdd(source, left.v[i], rise.v[i]);
    }
  }
  return left;
}

/// Derivatives of the remainder after the state before a row.
struct Adjoint {
  Group left, sag, rise;
};

template <bool Source>
HWY_INLINE HWY_ATTR void step_back(const Walk& walk, const Visited& at, Adjoint& a) {
  for (std::size_t i = 0; i < kTogether; ++i) {
    Vector g = hn::NegMulAdd(constant(walk.wire_ohms), a.sag.v[i], a.left.v[i]);
    if constexpr (Source) g = hn::MulAdd(constant(walk.source_ohms), a.rise.v[i], g);
    a.left.v[i] = g;
    a.sag.v[i] = hn::NegMulAdd(g, at.by_sag.v[i], a.sag.v[i]);
    if constexpr (Source) a.rise.v[i] = hn::NegMulAdd(g, at.by_rise.v[i], a.rise.v[i]);
  }
}

HWY_INLINE HWY_ATTR Adjoint behind_last_row() {
  Adjoint a;
  for (std::size_t i = 0; i < kTogether; ++i) {
    a.left.v[i] = constant(1.0);
    a.sag.v[i] = a.rise.v[i] = hn::Zero(Doubles());
  }
  return a;
}

/// Derivative of the remainder after the total current.
HWY_INLINE HWY_ATTR Vector slope(const Walk& walk, const Adjoint& a, std::size_t i) {
  return hn::NegMulAdd(constant(walk.clamp_ohms), a.sag.v[i], a.left.v[i]);
}

/// The way back with Σ g² · thermal; leaves (g · current)² of the active rows in place of their currents.
template <bool Source>
HWY_INLINE HWY_ATTR Adjoint walk_back(const Walk& walk, std::size_t lane, Visited* HWY_RESTRICT visited,
                                      Group& thermal) {
  Adjoint a = behind_last_row();
  for (std::size_t i = 0; i < kTogether; ++i) thermal.v[i] = hn::Zero(Doubles());
  for (std::size_t j = walk.all_rows; j-- > 0;) {
    Visited& at = visited[j];
    step_back<Source>(walk, at, a);
    const auto row = blend<kThermalAt, 1>(walk, j, lane);
    for (std::size_t i = 0; i < kTogether; ++i) {
      const Vector g = a.left.v[i], moved = hn::Mul(g, at.current.v[i]);
      thermal.v[i] = hn::MulAdd(hn::Mul(g, g), row.c[0].v[i], thermal.v[i]);
      Vector active = hn::Zero(Doubles());
      for (std::size_t level = 1; level < walk.levels && j < walk.rows; ++level)
        active = hn::Add(active, mask(walk, level, j, lane + i * hn::Lanes(Doubles())));
      at.current.v[i] = hn::Mul(active, hn::Mul(moved, moved));
    }
  }
  return a;
}

/// One Newton step on the total current: lanes whose step is small stay where they are, whatever their neighbours do.
struct Step {
  Group total, stays;  ///< stays: 1 or 0
  bool all_stay;
};

HWY_INLINE HWY_ATTR Step newton_step(const Walk& walk, const Group& total, const Group& left, const Adjoint& a) {
  Step next;
  auto all = hn::Eq(constant(0.0), constant(0.0));
  for (std::size_t i = 0; i < kTogether; ++i) {
    const Vector delta = hn::Div(left.v[i], slope(walk, a, i));
    const auto stays = hn::Le(hn::Abs(delta), hn::MulAdd(constant(1e-9), hn::Abs(total.v[i]), constant(1e-18)));
    next.total.v[i] = hn::IfThenElse(stays, total.v[i], hn::Sub(total.v[i], delta));
    next.stays.v[i] = hn::IfThenElse(stays, constant(1.0), constant(0.0));
    all = hn::And(all, stays);
  }
  next.all_stay = hn::AllTrue(Doubles(), all);
  return next;
}

/// Lanes [lane, lane + kTogether vectors) of the sums [kSums + sources][lanes].
template <bool Source>
HWY_INLINE HWY_ATTR void solve_group(const Walk& walk, std::size_t lane, const double* HWY_RESTRICT totals,
                                     Visited* HWY_RESTRICT visited, double* HWY_RESTRICT sums) {
  const Doubles d;
  const std::size_t width = hn::Lanes(d);
  Group total, thermal;
  for (std::size_t i = 0; i < kTogether; ++i) total.v[i] = hn::LoadU(d, totals + lane + i * width);
  Group left = walk_out<Source>(walk, lane, total, visited);
  Adjoint a = behind_last_row();
  for (std::size_t j = walk.all_rows; j-- > 0;) step_back<Source>(walk, visited[j], a);
  Step next = newton_step(walk, total, left, a);
  constexpr int kMostSteps = 6;
  for (int step = 0; step < kMostSteps; ++step) {
    total = next.total;
    left = walk_out<Source>(walk, lane, total, visited);
    a = walk_back<Source>(walk, lane, visited, thermal);
    next = newton_step(walk, total, left, a);
    if (next.all_stay) break;
  }
  for (std::size_t i = 0; i < kTogether; ++i) {
    const Vector gain = hn::IfThenElse(hn::Gt(next.stays.v[i], hn::Zero(d)), hn::Div(constant(1.0), slope(walk, a, i)),
                                       constant(std::numeric_limits<double>::quiet_NaN()));
    const Vector square = hn::Mul(gain, gain);
    double* to = sums + lane + i * width;
    hn::StoreU(hn::Mul(hn::Neg(a.sag.v[i]), gain), d, to + LineVariances::kConductance * walk.lanes);
    hn::StoreU(hn::Mul(thermal.v[i], square), d, to + LineVariances::kThermal * walk.lanes);
    for (std::size_t n = 0; n < walk.sources; ++n) {
      Vector sum = hn::Zero(d);
      for (std::size_t j = 0; j < walk.rows; ++j)
        sum = hn::MulAdd(constant(walk.square_sigma[n * walk.all_rows + j]), visited[j].current.v[i], sum);
      hn::StoreU(hn::Mul(sum, square), d, to + (LineVariances::kSums + n) * walk.lanes);
    }
  }
}

/// A block of lanes, of which the first `filled` are needed.
HWY_ATTR void solve_block(const Walk& walk, std::size_t filled, const double* HWY_RESTRICT totals,
                          double* HWY_RESTRICT sums) {
  const auto visited = hwy::MakeUniqueAlignedArray<Visited>(walk.all_rows);
  for (std::size_t lane = 0; lane < filled; lane += kTogether * hn::Lanes(Doubles()))
    if (walk.source_ohms > 0)
      solve_group<true>(walk, lane, totals, visited.get(), sums);
    else
      solve_group<false>(walk, lane, totals, visited.get(), sums);
}

}  // namespace errata::behavioral::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::behavioral {

HWY_EXPORT(solve_block);

LineVariances::LineVariances(const PreparedLine& line, std::span<const double> thermal,
                             std::span<const double> relative_sigma) {
  const std::size_t rows = line.all_rows();
  cells_.reserve(rows * line.inputs * 7);
  for (std::size_t j = 0; j < rows; ++j)
    for (std::size_t x = 0; x < line.inputs; ++x) {
      const CellExpansion &e = line.cell(x, j), zero = x == 0 ? CellExpansion{} : line.cell(0, j);
      cells_.insert(cells_.end(), {e.a - zero.a, e.b - zero.b, e.c - zero.c, e.p - zero.p, e.q - zero.q, e.r - zero.r,
                                   thermal[x * rows + j] - (x == 0 ? 0.0 : thermal[j])});
    }
  for (const double sigma : relative_sigma) square_sigma_.push_back(sigma * sigma);
  walk_ = {.rows = line.rows,
           .all_rows = rows,
           .levels = line.inputs,
           .sources = rows == 0 ? 0 : relative_sigma.size() / rows,
           .clamp_ohms = line.clamp_ohms,
           .wire_ohms = line.wire_ohms,
           .source_ohms = line.source_line_ohms,
           .offset = line.offset_amperes};
}

std::vector<double> LineVariances::sums(const PackedInputs& inputs, std::span<const double> amperes) const {
  const std::size_t lanes = inputs.lanes(), count = inputs.count(), kinds = kSums + walk_.sources;
  std::vector<double> all(kinds * count), block_sums(kinds * lanes);
  double totals[PackedInputs::kLanes];
  Walk walk = walk_;
  walk.cells = cells_.data();
  walk.square_sigma = square_sigma_.data();
  walk.lanes = lanes;
  for (std::size_t block = 0; block < inputs.blocks(); ++block) {
    const std::size_t first = block * lanes, filled = inputs.filled(block);
    walk.masks = inputs.masks(block);
    for (std::size_t l = 0; l < lanes; ++l) totals[l] = amperes[first + std::min(l, filled - 1)] - walk.offset;
    HWY_DYNAMIC_DISPATCH(solve_block)(walk, filled, totals, block_sums.data());
    for (std::size_t k = 0; k < kinds; ++k)
      std::copy_n(block_sums.data() + k * lanes, filled, all.data() + k * count + first);
  }
  return all;
}

}  // namespace errata::behavioral
#endif
