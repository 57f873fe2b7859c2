#include "errormodel/table/marginal.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/mismatch.h"
#include "core/statistics.h"

namespace errata::errormodel {

namespace {

/// Σ s² over the active cells of an operand.
double cell_variance(const ErrorTable& t, const ColumnOperands& d, std::size_t p) {
  const std::uint8_t* x = d.input(p);
  const auto square = [&](std::size_t row, const std::vector<std::uint8_t>& stored) {
    const double s = t.cell_sigma[t.kind(x[row], stored[row])];
    return s * s;
  };
  double sum = 0.0;
  for (std::size_t j = 0; j < d.rows; ++j) {
    if (x[j] == 0) continue;
    sum += square(j, d.plus);
    if (d.differential()) sum += square(j, d.minus);
  }
  return sum;
}

/// φᵀ(Σ_C + Σ_K)φ at an ideal y and a.
double frozen_variance(const ErrorTable& t, double y, double a) {
  const auto p = t.phi(y, a);
  return quadratic_form(t.chip, p) + quadratic_form(t.column, p);
}

double square(double x) { return x * x; }

}  // namespace

std::vector<ColumnOperands> stratified_operands(const ErrorTable& t, std::size_t columns) {
  constexpr std::size_t kOperands = 32;
  const OperandDesign design{.rows = t.rows,
                             .levels = t.levels,
                             .operands = kOperands,
                             .mac_limit = t.axes.y_high,
                             .input_levels = t.inputs,
                             .differential = t.differential()};
  std::vector<ColumnOperands> all;
  for (std::size_t c = 0; c < columns; ++c) all.push_back(make_operands(design, 1, chips::kTable, c));
  return all;
}

void fill_marginal_terms(ErrorTable& t, std::span<const ColumnOperands> operands) {
  SurfaceSamples shift, variance;
  for (std::size_t c = 0; c < operands.size(); ++c) {
    const ColumnOperands& d = operands[c];
    for (std::size_t p = 0; p < d.count(); ++p) {
      const double y = d.mac(p);
      if (y < t.axes.y_low || y > t.axes.y_high) continue;
      shift.y.push_back(y);
      shift.a.push_back(d.second_axis(p, t.minimum_conductance));
      shift.group.push_back(static_cast<std::uint32_t>(c));
      shift.value.push_back(t.static_sum(d, p) - y);
      variance.value.push_back(cell_variance(t, d, p));
    }
  }
  variance.y = shift.y;
  variance.a = shift.a;
  variance.group = shift.group;
  t.marginal_shift = fit_surface(t.axes, shift).nodes;
  t.marginal_cell_variance = fit_surface(t.axes, variance).nodes;
  for (double& v : t.marginal_cell_variance) v = std::max(0.0, v);
}

void fill_code_view(ErrorTable& t, std::span<const ColumnOperands> operands) {
  t.code_pmf.clear();
  if (t.adc.bits > kMostCodeBits) return;
  const auto codes = static_cast<std::size_t>(t.adc.codes());
  t.code_pmf.assign(codes * codes, 0.0);
  std::vector<double> rows(codes, 0.0);
  for (const ColumnOperands& d : operands)
    for (std::size_t p = 0; p < d.count(); ++p) {
      const double y = d.mac(p), a = d.second_axis(p, t.minimum_conductance), ya = t.static_sum(d, p);
      const double gain = 1.0 + surface_value(t.axes, t.slope, ya, a);
      const double sigma = std::sqrt(std::max(
          1e-18, square(gain) * (frozen_variance(t, y, a) + cell_variance(t, d, p)) + square(t.read_sigma(ya, a))));
      const double center = ya + t.mean_shift(ya, a);
      const auto row = static_cast<std::size_t>(adc_code(t.adc, y) - t.adc.lowest_code());
      rows[row] += 1.0;
      double below = 0.0;
      for (std::size_t code = 0; code < codes; ++code) {
        const double edge = (t.adc.lowest_code() + static_cast<double>(code) + 0.5) * t.adc.step();
        const double up_to = code + 1 == codes ? 1.0 : normal_cdf((edge - center) / sigma);
        t.code_pmf[row * codes + code] += up_to - below;
        below = up_to;
      }
    }
  for (std::size_t row = 0; row < codes; ++row)
    for (std::size_t code = 0; code < codes; ++code) {
      double& p = t.code_pmf[row * codes + code];
      p = rows[row] > 0.0 ? p / rows[row] : 1.0 / static_cast<double>(codes);
    }
}

void fill_marginal_view(ErrorTable& t) {
  constexpr std::size_t kColumns = 240;
  const auto operands = stratified_operands(t, kColumns);
  fill_marginal_terms(t, operands);
  fill_code_view(t, operands);
}

std::vector<OutputMoments> output_moments(const ErrorTable& t, int low, int high) {
  if (t.marginal_shift.size() != t.axes.size())
    throw Error(ExitStatus::kArtifact, "E406", "the table has no marginal view", "compile the table again");
  std::vector<OutputMoments> all;
  for (int output = low; output <= high; ++output) {
    const double y = output;
    OutputMoments m{.output = y};
    double mass = 0, mean = 0, second = 0, frozen = 0;
    for (std::size_t j = 0; j < t.axes.a_points; ++j) {
      const double a = t.axes.a_at(j), count = surface_value(t.axes, t.support_count, y, a);
      m.support += count;
      const double w = count + 1e-6;  // without any observation every a counts alike
      const double ys = y + surface_value(t.axes, t.marginal_shift, y, a);
      const double gain = 1.0 + surface_value(t.axes, t.slope, ys, a), value = ys + t.mean_shift(ys, a);
      const double fixed =
          square(gain) * (frozen_variance(t, y, a) + surface_value(t.axes, t.marginal_cell_variance, y, a));
      mass += w;
      mean += w * value;
      second += w * (square(value) + fixed + square(t.read_sigma(ys, a)));
      frozen += w * fixed;
    }
    m.mean = mean / mass;
    const double variance = std::max(0.0, second / mass - square(m.mean));
    m.sigma = std::sqrt(variance);
    m.static_share = variance > 0.0 ? std::min(1.0, frozen / mass / variance) : 0.0;
    all.push_back(m);
  }
  return all;
}

}  // namespace errata::errormodel
