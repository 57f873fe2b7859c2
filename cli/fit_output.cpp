#include "cli/fit_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "training/hardware/nonlinear_extraction.h"

namespace errata::cli {

namespace {

using behavioral::BehavioralModel;

report::FittedCurve curve_of(std::string by, CurveForm form, std::span<const Interval> parameters) {
  report::FittedCurve curve{std::move(by), std::string(form_name(form)), {}, 0.0, false};
  const auto names = curve_parameter_names(form);
  for (std::size_t k = 0; k < parameters.size(); ++k) curve.parameters.emplace_back(names[k], parameters[k]);
  return curve;
}

/// The conversions that the model's own curves were fitted to.
training::ConversionSamples samples_of(const BehavioralModel& model, double full_scale) {
  const auto all = training::analog_samples(model);
  training::ConversionSamples inside{all.observed, {}, {}};
  for (std::size_t k = 0; k < all.ideal.size(); ++k) {
    if (std::fabs(all.ideal[k]) > full_scale) continue;
    inside.ideal.push_back(all.ideal[k]);
    inside.output.push_back(all.output[k]);
  }
  return inside;
}

/// Nothing where the conversions do not determine the curve.
std::optional<report::FittedCurve> trained_curve(const BehavioralModel& model, const behavioral::CurveFit& fit,
                                                 const AdcOptions& adc) {
  training::ExtractionOptions options;
  options.start = {NonlinearCurve::start(fit.curve.form), fit.full_scale, adc.bits, adc.bipolar};
  try {
    const auto found = training::extract_nonlinearity(samples_of(model, fit.full_scale), options);
    auto curve = curve_of("trainer", fit.curve.form, found.parameters);
    curve.rms = found.rms;
    curve.converged = found.converged();
    return curve;
  } catch (const Error& e) {
    if (e.code() != "E504") throw;
    return std::nullopt;
  }
}

void tell_tried(Output& out, const BehavioralModel& model) {
  for (std::size_t i = 0; i < model.fit_labels.size(); ++i) {
    const double* q = model.fit_quality.data() + 7 * i;
    out.append("model_tried", {{"label", model.fit_labels[i]}, {"chosen", i == model.chosen ? "yes" : "no"}},
               {{"degree", q[0]},
                {"rms", q[1]},
                {"maximum", q[2]},
                {"held_out_rms", q[3]},
                {"held_out_maximum", q[4]},
                {"condition_number", q[5]},
                {"widest_half_width", q[6]}});
  }
}

void tell_parameters(Output& out, const BehavioralModel& model) {
  for (const auto& p : model.parameters) {
    std::vector<std::pair<std::string, double>> numbers{{"estimate", p.interval.estimate},
                                                        {"condition_number", p.condition_number}};
    if (std::isfinite(p.interval.low)) {
      numbers.emplace_back("low", p.interval.low);
      numbers.emplace_back("high", p.interval.high);
    }
    out.append("model_parameters",
               {{"regression", p.regression}, {"name", p.name}, {"determined", p.identifiable ? "yes" : "no"}},
               numbers);
  }
}

void tell_curves(Output& out, const std::vector<report::FittedCurve>& curves) {
  for (const auto& c : curves) {
    std::string text = fmt::format("  {:<8} {:<11} rms {:.4g} MAC units{}:", c.by, c.form, c.rms,
                                   c.converged ? "" : ", did NOT converge");
    for (const auto& [name, i] : c.parameters) {
      text += fmt::format(" {} = {:+.4f} [{:+.4f}, {:+.4f}]", name, i.estimate, i.low, i.high);
      out.append("model_curves",
                 {{"by", c.by}, {"form", c.form}, {"parameter", name}, {"converged", c.converged ? "yes" : "no"}},
                 {{"estimate", i.estimate}, {"low", i.low}, {"high", i.high}, {"rms", c.rms}});
    }
    out.line(text);
  }
}

}  // namespace

std::string point_heading(std::size_t points, const OperatingPoint& point) {
  return points > 1 ? to_string(point) + ": " : std::string();
}

OperatingPoint point_of(const BehavioralModel& model) {
  return {model.array.temperature_kelvin, model.array.supply_volts};
}

std::vector<report::FittedCurve> fitted_curves(const BehavioralModel& model, const Settings& settings) {
  const AdcOptions adc = adc_options(settings);
  std::vector<report::FittedCurve> curves;
  for (const auto& c : model.curves) {
    curves.push_back(curve_of("Ceres", c.curve.form, c.parameters));
    curves.back().rms = c.rms;
    curves.back().converged = c.converged;
    if (auto trained = trained_curve(model, c, adc)) curves.push_back(std::move(*trained));
  }
  return curves;
}

std::vector<report::PointFit> point_fits(std::span<const BehavioralModel> models) {
  std::vector<report::PointFit> points;
  if (models.size() < 2) return points;
  for (const auto& m : models) {
    const auto& v = m.validation;
    points.push_back(
        {to_string(point_of(m)), {v.rms, v.rms_low, v.rms_high}, v.maximum, v.interpolation_rms, v.passed});
  }
  return points;
}

void tell_fit(Output& out, std::span<const BehavioralModel> models, const Settings& settings) {
  const BehavioralModel& model = models.front();
  const auto& v = model.validation;
  out.set("model_rms", Interval{v.rms, v.rms_low, v.rms_high});
  out.set("model_passed", std::ranges::all_of(models, [](const auto& m) { return m.validation.passed; }));
  out.set("model_family", model.family->name());
  out.set("model_validity", model.family->validity());
  for (const auto& [name, value] : {std::pair{"maximum", v.maximum},
                                    {"bias", v.bias},
                                    {"r_squared", v.r_squared},
                                    {"worst_chip_rms", v.worst_chip_rms},
                                    {"worst_operand_rms", v.worst_operand_rms},
                                    {"total_sigma", v.total_sigma},
                                    {"full_scale", v.full_scale},
                                    {"mac_unit", v.unit}})
    out.set(std::string("model_") + name, value);
  if (std::isfinite(v.noise_ratio)) out.set("model_noise_ratio", v.noise_ratio);
  tell_tried(out, model);
  tell_parameters(out, model);
  if (!model.curves.empty()) out.line("curve of a conversion (methods.md §4.1), least squares by:");
  tell_curves(out, fitted_curves(model, settings));
  for (const auto& p : point_fits(models)) {
    std::vector<std::pair<std::string, double>> numbers{
        {"rms", p.rms.estimate}, {"rms_low", p.rms.low}, {"rms_high", p.rms.high}, {"maximum", p.maximum}};
    if (std::isfinite(p.interpolation_rms)) numbers.emplace_back("interpolation_rms", p.interpolation_rms);
    out.append("operating_points", {{"name", p.name}, {"passed", p.passed ? "yes" : "no"}}, numbers);
  }
}

}  // namespace errata::cli
