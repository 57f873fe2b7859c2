#include "training/hardware_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace errata::training {

namespace {

/// Path of a key of the i-th [[training.layer]].
std::string layer_key(std::size_t i, std::string_view key) { return fmt::format("training.layer[{}].{}", i, key); }

bool is_matrix(const LayerDescription& layer) {
  return layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kLinear;
}

LayerDescription& layer_of(const Settings& s, std::size_t i, NetworkDescription& description) {
  const std::string key = layer_key(i, "name");
  std::vector<std::string> known;
  for (auto& layer : description.layers) {
    if (!is_matrix(layer)) continue;
    if (layer.name == s.text(key)) return layer;
    known.push_back(layer.name);
  }
  const std::string near = nearest_name(s.text(key), known);
  throw ProjectError({{.code = "E518",
                       .position = s.value(key).position,
                       .message = fmt::format("the network has no convolution or linear layer '{}'", s.text(key)),
                       .hint = near.empty() ? fmt::format("it has: {}", fmt::join(known, ", "))
                                            : fmt::format("did you mean '{}'?", near)}});
}

}  // namespace

HardwareOptions hardware_options(const Settings& s, const errormodel::ErrorTable& table) {
  HardwareOptions h = hardware_options(s);
  h.cell_levels = table.levels;
  h.dac_bits = std::countr_zero(table.inputs);
  h.scheme = signed_scheme(table.signed_scheme);
  return h;
}

HardwareOptions hardware_options(const Settings& s) {
  HardwareOptions h;
  const auto rows = s.integer("hardware.rows_per_tile");
  h.rows_per_tile = static_cast<std::size_t>(rows > 0 ? rows : s.integer("array.rows"));
  const auto levels = [&](const char* of_circuit, const char* without_netlist) {
    return s.has(of_circuit) ? s.numbers(of_circuit).size() : static_cast<std::size_t>(s.integer(without_netlist));
  };
  h.cell_levels = levels("circuit.weight.levels", "hardware.cell_levels");
  h.weight_bits = static_cast<int>(s.integer("hardware.weight_bits"));
  h.input_bits = static_cast<int>(s.integer("hardware.input_bits"));
  h.adc = adc_options(s);
  h.dac_bits = std::countr_zero(levels("circuit.input.levels", "hardware.input_levels"));
  h.scheme = signed_scheme(s.text("hardware.signed_scheme"));
  h.columns_per_adc = static_cast<std::size_t>(s.integer("hardware.columns_per_adc"));
  for (std::size_t i = 0; i < s.count("training.layer"); ++i) {
    LayerHardware layer;
    layer.layer = s.text(layer_key(i, "name"));
    layer.rows_per_tile = static_cast<std::size_t>(s.integer(layer_key(i, "rows_per_tile")));
    layer.adc_bits = static_cast<int>(s.integer(layer_key(i, "adc_bits")));
    layer.adc_range = s.number(layer_key(i, "adc_range"));
    h.layers.push_back(std::move(layer));
  }
  return h;
}

HardwareOptions with_ranges(HardwareOptions hardware, const std::vector<LayerHardware>& ranges) {
  hardware.layers.insert(hardware.layers.begin(), ranges.begin(), ranges.end());
  return hardware;
}

std::optional<NonlinearOptions> nonlinear_options(const Settings& s, const HardwareOptions& hardware) {
  const std::string& name = s.text("training.nonlinearity.form");
  for (const CurveForm form : {CurveForm::kPolynomial, CurveForm::kRational, CurveForm::kTanh}) {
    if (form_name(form) != name) continue;
    NonlinearOptions o;
    o.curve.form = form;
    const auto names = curve_parameter_names(form);
    for (std::size_t p = 0; p < names.size(); ++p)
      o.curve.parameters[p] = s.number(fmt::format("training.nonlinearity.{}", names[p]));
    o.input = s.text("training.nonlinearity.input") == "conversion" ? CurveInput::kConversion : CurveInput::kPartialSum;
    o.hardware = hardware;
    return o;
  }
  return std::nullopt;
}

DeviceOptions device_options(const Settings& s) {
  DeviceOptions o;
  o.ratio = s.number("training.device.ratio");
  o.nonlinearity = s.number("training.device.nonlinearity");
  o.asymmetry = s.number("training.device.asymmetry");
  if (s.has("training.device.levels")) o.levels = s.numbers("training.device.levels");
  o.pair = s.text("training.device.pair") == "reference" ? DevicePair::kReference : DevicePair::kPair;
  o.gradient =
      s.text("training.device.gradient") == "smooth" ? DeviceGradient::kSmooth : DeviceGradient::kStraightThrough;
  return o;
}

void apply_layer_settings(const Settings& s, NetworkDescription& description) {
  std::vector<LayerDescription*> matrices;
  for (auto& layer : description.layers)
    if (is_matrix(layer)) matrices.push_back(&layer);
  if (!matrices.empty() && s.text("training.first_layer") == "digital") matrices.front()->digital = true;
  if (!matrices.empty() && s.text("training.last_layer") == "digital") matrices.back()->digital = true;
  for (std::size_t i = 0; i < s.count("training.layer"); ++i) {
    LayerDescription& layer = layer_of(s, i, description);
    if (s.flag(layer_key(i, "digital"))) layer.digital = true;
    if (const auto bits = s.integer(layer_key(i, "weight_bits")); bits > 0) layer.weight_bits = static_cast<int>(bits);
    if (const auto bits = s.integer(layer_key(i, "input_bits")); bits > 0) layer.input_bits = static_cast<int>(bits);
  }
}

}  // namespace errata::training
