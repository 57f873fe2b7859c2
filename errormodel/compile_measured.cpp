#include "errormodel/compile_measured.h"

#include <fmt/format.h>

#include <cmath>

#include "core/sha256.h"
#include "errormodel/compile.h"
#include "errormodel/estimation/declared_terms.h"
#include "errormodel/exchange/measured_data.h"
#include "errormodel/table/marginal.h"

namespace errata::errormodel {

namespace {

std::size_t levels_of(const Settings& s, const char* of_circuit, const char* without_netlist) {
  return s.has(of_circuit) ? s.numbers(of_circuit).size() : static_cast<std::size_t>(s.integer(without_netlist));
}

MeasuredHardware measured_hardware(const Settings& s) {
  const AdcOptions adc = adc_options(s);
  return {.rows = static_cast<std::size_t>(s.integer("array.rows")),
          .levels = levels_of(s, "circuit.weight.levels", "hardware.cell_levels"),
          .inputs = levels_of(s, "circuit.input.levels", "hardware.input_levels"),
          .differential = adc.bipolar,
          .adc = adc};
}

TransferLine transfer_of(const Campaign& campaign, const AdcOptions& adc) {
  switch (campaign.quantity) {
    case MeasuredQuantity::kCode:
      return {0.0, 1.0 / adc.step()};
    case MeasuredQuantity::kMac:
      return {};
    case MeasuredQuantity::kValue:
      break;
  }
  return fit_transfer(campaign);
}

/// Codes show the noise of the value before the ADC less its own; both are in σ_D of a table from codes.
void remove_quantisation(const AdcOptions& adc, ErrorTable& t) {
  const double step2 = adc.step() * adc.step();
  for (std::size_t n = 0; n < t.source_variance.size(); ++n) {
    t.source_variance[n] = step2 * variance_behind_codes(t.source_variance[n] / step2);
    t.dynamic_sigma[n] = std::sqrt(t.source_variance[n]);
  }
}

Diagnostic note_of(std::string message, std::string hint) {
  Diagnostic d;
  d.severity = Diagnostic::Severity::kWarning;
  d.code = "E110";
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

}  // namespace

MeasurementFiles measurement_files(const Settings& s) {
  const auto path = [&](const char* key) { return s.has(key) ? s.folder() / s.text(key) : std::filesystem::path(); };
  return {path("errormodel.measurements"), path("errormodel.measured_weights"), path("errormodel.measured_inputs")};
}

std::vector<ArtifactInput> measurement_inputs(const Settings& s) {
  const MeasurementFiles files = measurement_files(s);
  std::vector<ArtifactInput> inputs;
  for (const auto& [role, path] : {std::pair{"measurements", files.measurements},
                                   {"measured_weights", files.stored},
                                   {"measured_inputs", files.inputs}}) {
    if (path.empty()) continue;
    if (!std::filesystem::is_regular_file(path)) {
      Diagnostic d;
      d.code = "E110";
      d.position = s.value(fmt::format("errormodel.{}", role)).position;
      d.message = fmt::format("{} does not exist", path.string());
      throw ProjectError({d});
    }
    inputs.push_back({role, sha256_of_file(path)});
  }
  return inputs;
}

Campaign project_campaign(const Settings& s) { return read_campaign(measurement_files(s), measured_hardware(s)); }

ErrorTable compile_measured(const Campaign& campaign, const Settings& s, const Provenance& provenance,
                            const RunContext& context) {
  ErrorTable t;
  t.provenance = provenance;
  t.operands = "measured";
  t.rows = static_cast<std::size_t>(s.integer("array.rows"));
  t.levels = campaign.levels;
  t.inputs = campaign.inputs;
  declare_terms(s, t.levels, t);
  t.minimum_conductance = 0.0;
  const TransferLine line = transfer_of(campaign, t.adc);
  t.offset = line.offset;
  t.unit = line.unit;
  const bool codes = campaign.quantity == MeasuredQuantity::kCode;
  t.output_unit = codes ? "code" : campaign.quantity == MeasuredQuantity::kMac ? "MAC unit" : campaign.unit;
  constexpr double kBeyondAdc = 1.25;  // as tables from the behavioural model
  const double limit = kBeyondAdc * t.adc.range;
  const EstimateOptions options{.y_points = static_cast<std::size_t>(s.integer("errormodel.mac_points")),
                                .a_points = static_cast<std::size_t>(s.integer("errormodel.activity_points")),
                                .y_limit = limit,
                                .y_low = lowest_mac(t.differential() ? 2 : 1, limit),
                                .threads = context.jobs};
  const auto points = usable_points(campaign, t.adc, line, context);
  if (campaign.patterns) {
    const Observations o = rectangular_design(campaign, points, line, context);
    estimate_terms(o, options, t);
    t.chips_used = o.chips;
  } else {
    estimate_without_patterns(points, options, t);
    context.warn(note_of(fmt::format("without patterns the cells' spread cannot be told from the columns'; {:.3g} MAC "
                                     "units rms of frozen error are in no term",
                                     t.residual_sigma),
                         "give errormodel.measured_weights and errormodel.measured_inputs"));
  }
  if (codes) remove_quantisation(t.adc, t);
  split_by_memory(t);
  fill_marginal_view(t);
  return t;
}

}  // namespace errata::errormodel
