#include "errormodel/table/table_algebra.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace errata::errormodel {

namespace {

/// A surface of one table at the nodes of another's axes, y being divided by `gain` on the way.
std::vector<double> resampled(const SurfaceAxes& from, std::span<const double> nodes, const SurfaceAxes& to,
                              double gain) {
  std::vector<double> values;
  values.reserve(to.size());
  for (std::size_t i = 0; i < to.y_points; ++i)
    for (std::size_t j = 0; j < to.a_points; ++j)
      values.push_back(surface_value(from, nodes, to.y_at(i) / gain, to.a_at(j)));
  return values;
}

/// The same for a density of observations: as many in all, none beyond the axes.
std::vector<double> resampled_count(const SurfaceAxes& from, std::span<const double> nodes, const SurfaceAxes& to,
                                    double gain) {
  std::vector<double> values = resampled(from, nodes, to, gain);
  const auto pitch = [](double low, double high, std::size_t points) {
    return (high - low) / static_cast<double>(points - 1);
  };
  const double scale = pitch(to.y_low, to.y_high, to.y_points) / gain / pitch(from.y_low, from.y_high, from.y_points) *
                       pitch(to.a_low, to.a_high, to.a_points) / pitch(from.a_low, from.a_high, from.a_points);
  for (std::size_t i = 0; i < to.y_points; ++i)
    for (std::size_t j = 0; j < to.a_points; ++j) {
      const bool inside = locate(from, to.y_at(i) / gain, to.a_at(j)).inside;
      double& v = values[i * to.a_points + j];
      v = inside ? v * scale : 0.0;
    }
  return values;
}

bool same_axes(const SurfaceAxes& a, const SurfaceAxes& b) {
  return a.y_low == b.y_low && a.y_high == b.y_high && a.a_low == b.a_low && a.a_high == b.a_high &&
         a.y_points == b.y_points && a.a_points == b.a_points;
}

/// All surfaces over the static state (scaled by `gain`) and over the ideal y (not scaled) on new axes.
void move_surfaces(ErrorTable& t, const SurfaceAxes& to, double gain) {
  const SurfaceAxes from = t.axes;
  for (auto* surface : {&t.mu, &t.slope, &t.dynamic_sigma, &t.support_error})
    *surface = resampled(from, *surface, to, gain);
  t.support_count = resampled_count(from, t.support_count, to, gain);
  for (auto* surface : {&t.marginal_shift, &t.marginal_cell_variance})
    if (!surface->empty()) *surface = resampled(from, *surface, to, 1.0);
  std::vector<double> sources;
  for (std::size_t s = 0; s < t.source_names.size(); ++s) {
    const auto one = resampled(from, std::span(t.source_variance).subspan(s * from.size(), from.size()), to, gain);
    sources.insert(sources.end(), one.begin(), one.end());
  }
  // Bilinear values of variances and of σ differ between nodes: σ follows the sources, which must add up to it.
  if (!t.source_names.empty())
    for (std::size_t n = 0; n < to.size(); ++n) {
      double sum = 0.0;
      for (std::size_t s = 0; s < t.source_names.size(); ++s) sum += sources[s * to.size() + n];
      const double square = t.dynamic_sigma[n] * t.dynamic_sigma[n];
      for (std::size_t s = 0; s < t.source_names.size() && sum > 0.0; ++s) sources[s * to.size() + n] *= square / sum;
    }
  t.source_variance = std::move(sources);
  t.axes = to;
}

}  // namespace

std::string hardware_difference(const ErrorTable& a, const ErrorTable& b) {
  const auto differ = [](const char* what, const auto& p, const auto& q) {
    return fmt::format("{}: {} and {}", what, p, q);
  };
  if (a.rows != b.rows) return differ("rows", a.rows, b.rows);
  if (a.levels != b.levels) return differ("stored levels", a.levels, b.levels);
  if (a.inputs != b.inputs) return differ("input levels", a.inputs, b.inputs);
  if (a.signed_scheme != b.signed_scheme) return differ("signed scheme", a.signed_scheme, b.signed_scheme);
  const AdcOptions &p = a.adc, &q = b.adc;
  if (p.bits != q.bits) return differ("ADC bits", p.bits, q.bits);
  if (p.range != q.range) return differ("ADC range", p.range, q.range);
  if (p.kind != q.kind || p.offset_sigma != q.offset_sigma || p.gain_sigma != q.gain_sigma ||
      p.element_sigma != q.element_sigma || p.noise_sigma != q.noise_sigma)
    return "the ADC's static errors or noise";
  return {};
}

std::string joining_difference(const ErrorTable& a, const ErrorTable& b) {
  if (const std::string what = hardware_difference(a, b); !what.empty()) return what;
  if (a.output_unit != b.output_unit) return fmt::format("unit of the output: {} and {}", a.output_unit, b.output_unit);
  if (a.source_names != b.source_names)
    return fmt::format("sources of noise: {} and {}", fmt::join(a.source_names, ", "), fmt::join(b.source_names, ", "));
  return {};
}

ErrorTable on_axes(const ErrorTable& table, const SurfaceAxes& axes) {
  ErrorTable t = table;
  if (!same_axes(t.axes, axes)) move_surfaces(t, axes, 1.0);
  return t;
}

ErrorTable in_transfer_of(const ErrorTable& table, const ErrorTable& reference) {
  // offset + unit·v = reference.offset + reference.unit·v', so v' = gain·v + shift; and so for y_s, while the shift is
  // deterministic and goes into μ.
  const double gain = table.unit / reference.unit, shift = (table.offset - reference.offset) / reference.unit;
  if (!(gain > 0.0))
    throw Error(ExitStatus::kArtifact, "E407", "the outputs of the two tables rise in opposite directions");
  if (gain == 1.0 && shift == 0.0) return on_axes(table, reference.axes);
  ErrorTable t = table;
  move_surfaces(t, reference.axes, gain);
  for (double& g : t.level) g *= gain;
  for (double& m : t.mu) m = gain * m + shift;
  for (auto* values : {&t.cell_sigma, &t.dynamic_sigma, &t.support_error})
    for (double& v : *values) v *= gain;
  const double square = gain * gain;
  for (auto* matrix : {&t.chip, &t.column})
    for (double& v : *matrix) v *= square;
  for (auto* values : {&t.source_variance, &t.marginal_cell_variance})
    for (double& v : *values) v *= square;
  for (auto* intervals : {&t.chip_interval, &t.column_interval, &t.cell_interval})
    for (Interval& i : *intervals) i = {square * i.estimate, square * i.low, square * i.high};
  for (std::size_t n = 0; n < t.marginal_shift.size(); ++n) {
    const double y = t.axes.y_at(n / t.axes.a_points);  // ideal, the same in any unit
    t.marginal_shift[n] = gain * (y + t.marginal_shift[n]) - y;
  }
  t.residual_sigma *= gain;
  for (Interval& i : t.record.level) i = {gain * i.estimate, gain * i.low, gain * i.high};
  const Interval& read = t.record.read_sigma;
  t.record.read_sigma = {gain * read.estimate, gain * read.low, gain * read.high};
  for (double& v : t.record.memory.variogram) v *= square;
  t.offset = reference.offset;
  t.unit = reference.unit;
  t.adc = reference.adc;
  t.code_pmf.clear();
  return t;
}

ErrorTable in_basis(const ErrorTable& table, const Covariance& basis) {
  if (table.basis == basis) return table;
  BasisChange change = change_of_basis(table.basis, basis);
  ErrorTable t = table;
  t.basis = change.exists ? basis : kPlainBasis;
  if (!change.exists) change = change_of_basis(table.basis, kPlainBasis);
  const auto moved = [&](const std::vector<Interval>& intervals) {
    std::vector<Interval> result(6);
    for (std::size_t k = 0; k < 6; ++k) {
      // Entry (i, j) of M C Mᵀ is linear in the six entries: its coefficients by unit matrices.
      double estimate = 0.0, variance = 0.0;
      for (std::size_t l = 0; l < 6; ++l) {
        std::array<double, 6> unit{};
        unit[l] = 1.0;
        const double c =
            transformed(change.matrix, symmetric(unit))[static_cast<std::size_t>(3 * kEntryRow[k] + kEntryColumn[k])];
        const double half = 0.5 * (intervals[l].high - intervals[l].low);
        estimate += c * intervals[l].estimate;
        variance += c * c * half * half;
      }
      const double half = std::sqrt(variance);
      result[k] = {estimate, estimate - half, estimate + half};
    }
    return result;
  };
  t.chip = transformed(change.matrix, table.chip);
  t.column = transformed(change.matrix, table.column);
  t.chip_interval = moved(table.chip_interval);
  t.column_interval = moved(table.column_interval);
  return t;
}

Covariance common_basis(std::span<const ErrorTable> tables) {
  for (const auto& t : tables)
    if (!change_of_basis(t.basis, tables[0].basis).exists) return kPlainBasis;
  return tables[0].basis;
}

void standardise_quantiles(ErrorTable& t) {
  if (t.dynamic_quantiles.empty()) return;
  double mass = 0, mean = 0, square = 0;
  constexpr int kSteps = 4000;
  for (int k = 0; k < kSteps; ++k) {
    const double z = 16.0 * ((k + 0.5) / kSteps - 0.5), p = std::exp(-0.5 * z * z), e = t.dynamic_error(z);
    mass += p;
    mean += p * e;
    square += p * e * e;
  }
  mean /= mass;
  const double sigma = std::sqrt(std::max(1e-300, square / mass - mean * mean));
  for (double& q : t.dynamic_quantiles) q = (q - mean) / sigma;
}

}  // namespace errata::errormodel
