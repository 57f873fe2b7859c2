#include "behavioral/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "behavioral/fitting/curve_fit.h"
#include "core/quantity.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

/// RMS of grouped squares, worst group first.
double worst_rms(const std::map<std::size_t, std::pair<double, std::size_t>>& groups) {
  double worst = 0.0;
  for (const auto& [key, sum] : groups) worst = std::max(worst, std::sqrt(sum.first / static_cast<double>(sum.second)));
  return worst;
}

/// What the ADC would convert, from line outputs in the shape of the measurements'.
std::vector<double> differences(const circuit::ColumnMeasurements& m, std::span<const double> output, std::size_t chip,
                                std::size_t column) {
  const auto line = [&](std::size_t b) {
    return output.subspan(((chip * m.columns + column) * m.branches + b) * m.operands, m.operands);
  };
  std::vector<double> difference(line(0).begin(), line(0).end());
  for (std::size_t o = 0; m.branches == 2 && o < m.operands; ++o) difference[o] -= line(1)[o];
  return difference;
}

/// `held_out_output` is FamilyFit's.
void validate_columns(const circuit::Characterization& data, const std::vector<double>& held_out_output,
                      BehavioralModel& model) {
  const auto& m = data.columns;
  auto& v = model.validation;
  std::map<std::size_t, std::pair<double, std::size_t>> by_chip, by_operand;
  std::vector<std::vector<double>> residual_of_chip(m.chips);
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t column = 0; column < m.columns; ++column) {
      const ColumnOperands& design = m.design(chip, column);
      const auto predicted =
          held_out_output.empty()
              ? model.read_column(data.provenance.seed, chips::kCharacterization + chip, column, design)
              : differences(m, held_out_output, chip, column);
      for (std::size_t o = 0; o < m.operands; ++o) {
        const double measured = m.difference(chip, column, o);
        if (!std::isfinite(measured)) continue;
        const double y = design.mac(o);
        const double circuit_error = model.transfer.to_mac(measured) - y;
        const double model_error = model.transfer.to_mac(predicted[o]) - y;
        v.mac.push_back(y);
        v.circuit_error.push_back(circuit_error);
        v.model_error.push_back(model_error);
        const double r = model_error - circuit_error;
        v.residual.push_back(r);
        residual_of_chip[chip].push_back(r);
        for (auto* group : {&by_chip[chip], &by_operand[o]}) {
          group->first += r * r;
          ++group->second;
        }
        v.full_scale = std::max(v.full_scale, std::fabs(y));
        v.maximum = std::max(v.maximum, std::fabs(r));
      }
    }
  const Interval rms = bootstrap_interval(
      m.chips,
      [&](std::span<const std::uint32_t> chosen) {
        double sum = 0.0;
        std::size_t n = 0;
        for (const auto chip : chosen)
          for (const double r : residual_of_chip[chip]) sum += r * r, ++n;
        return std::sqrt(sum / static_cast<double>(n));
      },
      0.95, 1000, data.provenance.seed);
  v.rms = rms.estimate;
  v.rms_low = rms.low;
  v.rms_high = rms.high;
  v.bias = mean(v.residual);
  v.total_sigma = standard_deviation(v.circuit_error);
  v.r_squared = 1.0 - v.rms * v.rms / variance(v.circuit_error);
  v.worst_chip_rms = worst_rms(by_chip);
  v.worst_operand_rms = worst_rms(by_operand);
  v.unit = std::fabs(model.transfer.unit);
}

/// Model's thermal σ against ngspice's .noise of whole columns. Lines that hardly conduct, with a σ below a thousandth
/// of the largest, say nothing.
void validate_noise(const circuit::Characterization& data, BehavioralModel& model) {
  const auto& m = data.columns;
  double largest = 0.0;
  for (const double square : m.noise_square)
    if (std::isfinite(square)) largest = std::max(largest, square);
  double sum = 0.0;
  std::size_t n = 0, at = 0;
  for (std::size_t chip = 0; chip < m.noise_chips; ++chip)
    for (std::size_t line = 0; line < m.branches * m.columns; ++line) {
      const ColumnOperands& design = m.design(chip, line / m.branches);
      const auto prepared = model.prepare(data.provenance.seed, {chips::kCharacterization + chip, line},
                                          design.branch(line % m.branches));
      for (std::size_t o = 0; o < m.noise_operands; ++o, ++at) {
        const double measured = m.noise_square[at];
        if (!std::isfinite(measured) || measured <= 1e-6 * largest) continue;
        sum += prepared->noise_variances(design.input(o))[0] / measured;
        ++n;
      }
    }
  model.validation.noise_ratio = n > 0 ? std::sqrt(sum / static_cast<double>(n)) : std::nan("");
}

}  // namespace

Transfer nominal_transfer(const BehavioralModel& model, double mac_limit, std::uint64_t seed) {
  const OperandDesign design{.rows = model.array.rows,
                             .levels = model.levels(),
                             .operands = 64,
                             .mac_limit = mac_limit,
                             .input_levels = model.input_levels(),
                             .differential = model.branches == 2};
  constexpr std::size_t kColumns = 64, kBins = 33;
  std::vector<double> y, i;
  std::vector<std::size_t> bin;
  std::vector<std::size_t> filled(kBins, 0);
  for (std::size_t c = 0; c < kColumns; ++c) {
    const ColumnOperands operands = make_operands(design, seed, chips::kTable - 1, c);
    const auto output = model.read_nominal_column(operands);
    for (std::size_t o = 0; o < operands.count(); ++o) {
      const double mac = operands.mac(o);
      if (std::fabs(mac) > mac_limit) continue;
      y.push_back(mac);
      i.push_back(output[o]);
      bin.push_back(
          std::min<std::size_t>(kBins - 1, static_cast<std::size_t>((mac + mac_limit) / (2 * mac_limit) * kBins)));
      ++filled[bin.back()];
    }
  }
  double sw = 0, sy = 0, si = 0, syy = 0, syi = 0;
  for (std::size_t k = 0; k < y.size(); ++k) {
    const double w = 1.0 / static_cast<double>(filled[bin[k]]);  // uniform weight over y, not over operands
    sw += w;
    sy += w * y[k];
    si += w * i[k];
    syy += w * y[k] * y[k];
    syi += w * y[k] * i[k];
  }
  const double spread = sw * syy - sy * sy;
  if (!(spread > 0))
    throw Error(
        ExitStatus::kComputation, "E504",
        fmt::format("the design holds no two different y with |y| <= {}, so MAC units are undefined", mac_limit),
        "raise hardware.adc_range");
  const double slope = (sw * syi - sy * si) / spread;
  return {(si - slope * sy) / sw, slope};
}

namespace {
/// What one row of level 0 at the highest input level adds to an otherwise idle nominal line, in units of one level of
/// weight and input.
double minimum_conductance(const BehavioralModel& model) {
  const std::size_t rows = model.array.rows;
  const std::vector<std::uint8_t> levels(rows, 0);
  std::vector<std::uint8_t> inputs(2 * rows, 0);
  const auto top = static_cast<std::uint8_t>(model.input_levels() - 1);
  inputs[rows] = top;
  std::vector<double> output(2);
  model.prepare_nominal(levels)->read(inputs, rows, output);
  return (output[1] - output[0]) / model.transfer.unit / top;
}
}  // namespace

std::vector<std::size_t> cell_terms_of(const circuit::Characterization& data) {
  if (data.has_cell()) return data.cell.cell_terms;
  std::vector<std::size_t> terms;
  for (std::size_t t = 0; t < data.mismatch.size(); ++t)
    if (!data.mismatch[t].in_periphery()) terms.push_back(t);
  return terms;
}

const FamilyEntry& project_family(const Settings& settings, Measured measured) {
  const std::string& name = settings.text("behavioral.model");
  const FamilyEntry* entry = find_family(name, measured);
  if (entry != nullptr && entry->fits(measured)) return *entry;
  std::vector<std::string> fitting;
  for (const FamilyEntry& other : families())
    if (other.fits(measured)) fitting.push_back(other.name);
  throw ProjectError({Diagnostic{
      .code = "E107",
      .position = settings.value("behavioral.model").position,
      .message = entry == nullptr ? fmt::format("no column model is called '{}'", name)
                                  : fmt::format("the column model '{}' does not fit what was measured", name),
      .hint = fmt::format("automatic, or one of {}", fmt::join(fitting, ", "))}});
}

BehavioralModel fit_model(const circuit::Characterization& data, const Settings& settings,
                          const Provenance& provenance) {
  BehavioralModel model;
  model.provenance = provenance;
  model.array = data.array;
  model.mismatch = data.mismatch;
  model.noise = data.noise;
  model.cell_terms = cell_terms_of(data);
  model.branches = data.columns.branches;
  if (std::ranges::any_of(data.cell.noise_square_amperes, [](double v) { return !std::isfinite(v); }))
    throw Error(ExitStatus::kComputation, "E504",
                "a noise simulation of the cell gave no number, so its noise is unknown",
                "run characterize again; `errata check` simulates one operating point");
  const Measured measured{data.array.read, data.has_cell()};
  const FamilyFit fit = project_family(settings, measured).fit(data);
  model.family = fit.family;
  model.chosen = fit.chosen;
  for (const auto& q : fit.tried)
    model.fit_quality.insert(model.fit_quality.end(),
                             {static_cast<double>(q.degree), q.rms, q.maximum, q.held_out_rms, q.held_out_maximum,
                              q.condition_number, q.widest_parameter_half_width});
  for (const auto& q : fit.tried) model.fit_labels.push_back(q.label);
  model.parameters = fit.parameters;
  model.transfer = nominal_transfer(model, settings.number("hardware.adc_range"), provenance.seed);
  model.minimum_conductance = minimum_conductance(model);
  validate_columns(data, fit.held_out_output, model);
  validate_noise(data, model);
  auto& v = model.validation;
  std::vector<double> output = v.circuit_error;
  for (std::size_t k = 0; k < output.size(); ++k) output[k] += v.mac[k];
  model.curves = fit_curves(v.mac, output, settings.number("hardware.adc_range"));
  const double allowed = std::max(settings.number("behavioral.maximum_rms"), 0.1 * v.total_sigma);
  v.passed = v.rms_high <= allowed && v.rms <= settings.number("behavioral.maximum_rms_full_scale") * v.full_scale;
  return model;
}

namespace {

/// Condition and worst parameter of each regression, then the parameters: all of a small fit, else the widest.
std::string parameter_report(const std::vector<FittedParameter>& parameters) {
  if (parameters.empty()) return {};
  constexpr std::size_t kMost = 24, kWidest = 8;
  const auto half = [](const FittedParameter* p) { return p->interval.high - p->interval.estimate; };
  std::vector<const FittedParameter*> shown;
  double condition = 0.0;
  std::size_t regressions = 0, blurred = 0;
  const std::string* last = nullptr;
  for (const FittedParameter& p : parameters) {
    shown.push_back(&p);
    condition = std::max(condition, p.condition_number);
    blurred += p.identifiable ? 0 : 1;
    regressions += last == nullptr || *last != p.regression ? 1 : 0;
    last = &p.regression;
  }
  std::string text = fmt::format(
      "parameters: {} of {} regressions, largest condition number {:.2g}, {}\n", parameters.size(), regressions,
      condition,
      blurred == 0 ? std::string("the data determine all") : fmt::format("{} NOT determined by the data", blurred));
  if (shown.size() > kMost) {
    std::ranges::stable_sort(shown, [&](const auto* a, const auto* b) { return half(a) > half(b); });
    shown.resize(kWidest);
    text += "  the widest; --json and report.html have all\n";
  }
  for (const FittedParameter* p : shown)
    text += fmt::format("  {:<28} {:<32} {:+.5g} [{:+.5g}, {:+.5g}]{}\n", p->regression, p->name, p->interval.estimate,
                        p->interval.low, p->interval.high, p->identifiable ? "" : "  not determined");
  return text;
}

}  // namespace

std::string fit_report(const BehavioralModel& m) {
  const auto& v = m.validation;
  std::string text =
      fmt::format("column model {}: {}\n  degree   rms      max      held-out rms  max      condition  half-width\n",
                  m.family->name(), m.family->fitted_to());
  for (std::size_t i = 0; i < m.fit_quality.size() / 7; ++i) {
    const double* q = m.fit_quality.data() + 7 * i;
    text += fmt::format("  {}{:<7} {:<8.2g} {:<8.2g} {:<13.2g} {:<8.2g} {:<10.2g} {:<10.2g} {}\n",
                        i == m.chosen ? "*" : " ", q[0], q[1], q[2], q[3], q[4], q[5], q[6], m.fit_labels[i]);
  }
  text += parameter_report(m.parameters);
  text += fmt::format(
      "columns against ngspice, {} conversions, held-out chips and operands, 1 MAC unit = {:.4g} u{}\n"
      "  rms {:.4f} [{:.4f}, {:.4f}]  max {:.3f}  bias {:+.4f}  R2 {:.6f} MAC units\n"
      "  worst chip {:.4f}  worst operand {:.4f}  (total error sigma {:.3f}, full scale {:.0f})\n",
      v.mac.size(), v.unit * 1e6, m.array.unit, v.rms, v.rms_low, v.rms_high, v.maximum, v.bias, v.r_squared,
      v.worst_chip_rms, v.worst_operand_rms, v.total_sigma, v.full_scale);
  if (std::isfinite(v.noise_ratio)) text += fmt::format("  thermal noise, model over ngspice: {:.3f}\n", v.noise_ratio);
  if (std::isfinite(v.interpolation_rms))
    text += fmt::format("  interpolated from the other operating points, without this one: rms {:.4f} MAC units\n",
                        v.interpolation_rms);
  text += fmt::format("  valid for {}\n", m.family->validity());
  text += v.passed ? "  meets its specification\n" : "  MISSES its specification\n";
  return text;
}

}  // namespace errata::behavioral
