#include "training/hardware/read_errors.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/read_errors.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#include "training/hardware/reference_kernels.h"
#include "training/hardware/row_lookup-inl.h"

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
void row_errors(const ErrorSurfaces& s, const float* row, const ReadErrors& e, std::size_t first, float* values) {
  row_errors_reference(s, row, e, first, 0, values);
}
void pair_errors(const ErrorSurfaces& s, const float* a, const ReadErrors& e, std::size_t first, float* values) {
  pair_errors_reference(s, a, e, first, 0, values);
}
void codes(const AdcOptions& adc, float* values, std::size_t count) { to_codes_reference(adc, {values, count}); }
#else
/// Points and the way between them along one axis.
struct Place {
  Vector between;
  hn::Vec<Ints> point;
};

HWY_INLINE HWY_ATTR Place place_of(Vector x, float low, float scale, std::size_t points) {
  const Floats f;
  const Ints ints;
  const auto at = hn::Mul(hn::Sub(x, hn::Set(f, low)), hn::Set(f, scale));
  const auto bounded = hn::Min(hn::Max(at, hn::Zero(f)), hn::Set(f, static_cast<float>(points - 1)));
  const auto point = hn::Min(hn::ConvertTo(ints, bounded), hn::Set(ints, static_cast<std::int32_t>(points) - 2));
  return {hn::Sub(bounded, hn::ConvertTo(f, point)), point};
}

/// Whole vectors of one read; `first` is the number of its first value.
HWY_ATTR void row_errors(const ErrorSurfaces& s, const float* HWY_RESTRICT row, const ReadErrors& e, std::size_t first,
                         float* HWY_RESTRICT values) {
  const Floats f;
  const float* HWY_RESTRICT normal = e.normal + first;
  const float* HWY_RESTRICT offset = e.offset;
  std::size_t c = 0;
  for (; c + hn::Lanes(f) <= e.columns; c += hn::Lanes(f)) {
    const auto y = hn::Add(hn::LoadU(f, values + c), hn::LoadU(f, offset + c));
    const Place p = place_of(y, s.y_low, s.y_scale, s.y_points);
    const Ends n = load_ends(row, p.point);
    const auto mu = hn::Add(n.first, hn::Mul(p.between, hn::Sub(n.next_first, n.first)));
    const auto sigma = hn::Add(n.second, hn::Mul(p.between, hn::Sub(n.next_second, n.second)));
    hn::StoreU(hn::Add(hn::Add(y, mu), hn::Mul(sigma, hn::LoadU(f, normal + c))), f, values + c);
  }
  row_errors_reference(s, row, e, first, c, values);
}

HWY_ATTR void pair_errors(const ErrorSurfaces& s, const float* HWY_RESTRICT a, const ReadErrors& e, std::size_t first,
                          float* HWY_RESTRICT values) {
  const Floats f;
  const Ints ints;
  const float* HWY_RESTRICT normal = e.normal + first;
  const float* HWY_RESTRICT nodes = s.nodes.data();
  const auto stride = hn::Set(ints, static_cast<std::int32_t>(s.y_points));
  std::size_t c = 0;
  for (; c + hn::Lanes(f) <= e.columns; c += hn::Lanes(f)) {
    const auto y = hn::Add(hn::LoadU(f, values + c), hn::LoadU(f, e.offset + c));
    const Place p = place_of(y, s.y_low, s.y_scale, s.y_points),
                q = place_of(hn::LoadU(f, a + c), s.a_low, s.a_scale, s.a_points);
    const auto node = hn::Add(hn::Mul(q.point, stride), p.point);
    const Ends low = load_ends(nodes, node), high = load_ends(nodes, hn::Add(node, stride));
    const auto mu_low = hn::Add(low.first, hn::Mul(p.between, hn::Sub(low.next_first, low.first)));
    const auto mu_high = hn::Add(high.first, hn::Mul(p.between, hn::Sub(high.next_first, high.first)));
    const auto sigma_low = hn::Add(low.second, hn::Mul(p.between, hn::Sub(low.next_second, low.second)));
    const auto sigma_high = hn::Add(high.second, hn::Mul(p.between, hn::Sub(high.next_second, high.second)));
    const auto mu = hn::Add(mu_low, hn::Mul(q.between, hn::Sub(mu_high, mu_low)));
    const auto sigma = hn::Add(sigma_low, hn::Mul(q.between, hn::Sub(sigma_high, sigma_low)));
    hn::StoreU(hn::Add(hn::Add(y, mu), hn::Mul(sigma, hn::LoadU(f, normal + c))), f, values + c);
  }
  pair_errors_reference(s, a, e, first, c, values);
}

HWY_ATTR void codes(const AdcOptions& adc, float* HWY_RESTRICT values, std::size_t count) {
  const Floats f;
  const Ints ints;
  const auto step = hn::Set(f, static_cast<float>(adc.step())), low = hn::Set(f, static_cast<float>(adc.lowest_code())),
             high = hn::Set(f, static_cast<float>(adc.highest_code())), half = hn::Set(f, 0.5f);
  const auto sign = hn::Set(ints, std::int32_t{-0x7fffffff - 1});
  std::size_t i = 0;
  for (; i + hn::Lanes(f) <= count; i += hn::Lanes(f)) {
    const auto bounded = hn::Min(hn::Max(hn::Div(hn::LoadU(f, values + i), step), low), high);
    const auto away = hn::Or(half, hn::BitCast(f, hn::And(hn::BitCast(ints, bounded), sign)));
    hn::StoreU(hn::ConvertTo(f, hn::ConvertTo(ints, hn::Add(bounded, away))), f, values + i);
  }
  to_codes_reference(adc, {values + i, count - i});
}
#endif
}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::training {

HWY_EXPORT(row_errors);
HWY_EXPORT(pair_errors);
HWY_EXPORT(codes);

ErrorSurfaces::ErrorSurfaces(const errormodel::ErrorTable& table)
    : y_low(static_cast<float>(table.axes.y_low)),
      a_low(static_cast<float>(table.axes.a_low)),
      y_points(table.axes.y_points),
      a_points(table.axes.a_points) {
  y_scale = static_cast<float>(static_cast<double>(y_points - 1) / (table.axes.y_high - table.axes.y_low));
  a_scale = static_cast<float>(static_cast<double>(a_points - 1) / (table.axes.a_high - table.axes.a_low));
  for (std::size_t j = 0; j < a_points; ++j)
    for (std::size_t i = 0; i < y_points; ++i) {
      nodes.push_back(static_cast<float>(table.mu[i * a_points + j]));
      nodes.push_back(static_cast<float>(table.dynamic_sigma[i * a_points + j]));
    }
}

std::vector<float> ErrorSurfaces::at(float a) const {
  const float place = std::clamp((a - a_low) * a_scale, 0.0f, static_cast<float>(a_points - 1));
  const std::size_t j = std::min(static_cast<std::size_t>(place), a_points - 2);
  const float between = place - static_cast<float>(j);
  const float *low = nodes.data() + 2 * y_points * j, *high = low + 2 * y_points;
  std::vector<float> row(2 * y_points);
  for (std::size_t k = 0; k < row.size(); ++k) row[k] = low[k] + between * (high[k] - low[k]);
  return row;
}

void add_read_errors(const ErrorSurfaces& surfaces, std::span<const float> a_of_read, const ReadErrors& errors,
                     std::span<float> values) {
  std::vector<float> row;
  for (std::size_t r = 0; r < a_of_read.size(); ++r) {
    if (r == 0 || a_of_read[r] != a_of_read[r - 1]) row = surfaces.at(a_of_read[r]);
    const std::size_t first = r * errors.columns;
    HWY_DYNAMIC_DISPATCH(row_errors)(surfaces, row.data(), errors, first, values.data() + first);
  }
}

void add_pair_errors(const ErrorSurfaces& surfaces, std::span<const float> a_of_value, const ReadErrors& errors,
                     std::span<float> values) {
  for (std::size_t first = 0; first < values.size(); first += errors.columns)
    HWY_DYNAMIC_DISPATCH(pair_errors)(surfaces, a_of_value.data() + first, errors, first, values.data() + first);
}

void to_codes(const AdcOptions& adc, std::span<float> values) {
  HWY_DYNAMIC_DISPATCH(codes)(adc, values.data(), values.size());
}

}  // namespace errata::training
#endif
