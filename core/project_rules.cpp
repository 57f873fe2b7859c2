#include "core/project_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/device_rules.h"
#include "core/text.h"

namespace errata {

namespace {

struct OutputNoise {
  const char* kind;
  Dimension dimension;
};

/// The kind of a declared noise at the output, by the output's unit.
const std::map<std::string, OutputNoise, std::less<>> kOutputNoise = {
    {"A", {"output_current", dimension::kCurrent}},
    {"V", {"output_voltage", dimension::kVoltage}},
    {"C", {"output_charge", dimension::kCharge}},
    {"V*s", {"output_voltage_time", dimension::kVoltSecond}}};

class Rules {
 public:
  explicit Rules(const Settings& settings) : s_(settings) {}

  std::vector<Diagnostic> check() {
    check_consistency();
    return std::move(diagnostics_);
  }

 private:
  void inconsistent(std::string code, const std::string& path, std::string message, std::string hint) {
    diagnostics_.push_back(Diagnostic{.code = std::move(code),
                                      .position = s_.value(path).position,
                                      .message = std::move(message),
                                      .hint = std::move(hint)});
  }

  /// The unit of a value that moves or sets the instance parameter; a relative one has none. Other parameters may
  /// have any unit.
  void check_units(const std::string& path, const std::string& parameter, bool relative) {
    static const std::map<std::string, Dimension, std::less<>> kUnits = {{"delvto", dimension::kVoltage},
                                                                         {"mulu0", dimension::kNone},
                                                                         {"resistance", dimension::kResistance},
                                                                         {"capacitance", dimension::kCapacitance},
                                                                         {"voltage", dimension::kVoltage},
                                                                         {"width", dimension::kTime},
                                                                         {"count", dimension::kNone},
                                                                         {"offset_current", dimension::kCurrent},
                                                                         {"offset_voltage", dimension::kVoltage},
                                                                         {"w", dimension::kLength},
                                                                         {"l", dimension::kLength}};
    const auto known = kUnits.find(parameter);
    if (!relative && known == kUnits.end()) return;
    check_dimension(path, relative ? dimension::kNone : known->second, relative ? "" : parameter);
  }

  /// `taker` is what takes a value of that dimension; empty: it is relative.
  void check_dimension(const std::string& path, const Dimension& needed, const std::string& taker) {
    for (const Dimension& found : s_.value(path).dimensions)
      if (!(found == needed)) {
        inconsistent("E104", path,
                     fmt::format("{} is in {}; {} takes {}", path, unit_symbol(found),
                                 taker.empty() ? "a relative value" : taker,
                                 taker.empty() ? "% or a plain number" : unit_symbol(needed)),
                     "");
        return;
      }
  }

  /// Which keys of [circuit.weight] a way of storing needs.
  void check_storage() {
    static const std::map<std::string, std::vector<const char*>, std::less<>> kNeeds = {
        {"instance_parameter", {"device", "parameter"}},
        {"model_parameter", {"device", "parameter"}},
        {"subcircuit_parameter", {"parameter"}},
        {"node_voltage", {"node"}},
        {"pin_voltage", {"pin"}}};
    const std::string store = s_.text("circuit.weight.store");
    const auto& needed = kNeeds.find(store)->second;
    for (const char* key : needed)
      if (!s_.has(fmt::format("circuit.weight.{}", key)))
        inconsistent("E106", "circuit.weight.levels",
                     fmt::format("circuit.weight.{} is missing: circuit.weight.store = \"{}\" needs it", key, store),
                     "");
    const bool voltage = store == "node_voltage" || store == "pin_voltage";
    if (voltage)
      check_units("circuit.weight.levels", "voltage", false);
    else if (s_.has("circuit.weight.parameter"))
      check_units("circuit.weight.levels", lower_case(s_.text("circuit.weight.parameter")), false);
    for (const char* key : {"device", "parameter", "node", "complement", "pin"}) {
      const std::string path = fmt::format("circuit.weight.{}", key);
      const bool used = std::ranges::any_of(needed, [&](const char* k) { return std::string_view(k) == key; }) ||
                        (store == "node_voltage" && std::string_view(key) == "complement");
      if (s_.has(path) && !used)
        inconsistent("E107", path, fmt::format("{} does nothing with circuit.weight.store = \"{}\"", path, store), "");
    }
  }

  void check_read() {
    const bool current = s_.text("circuit.read") == "current";
    const std::string family = s_.text("behavioral.model");
    if ((current && family == "floating_line") || (!current && family == "current_mode"))
      inconsistent(
          "E107", "behavioral.model",
          fmt::format("behavioral.model = \"{}\" does not fit circuit.read = \"{}\"", family, s_.text("circuit.read")),
          "current_mode fits `current`; floating_line fits `discharge` and `charge`");
    if (current) {
      if (s_.has("array.reset_switch"))
        inconsistent("E107", "array.reset_switch", "array.reset_switch does nothing with circuit.read = \"current\"",
                     "");
      return;
    }
    const double delay = s_.number("circuit.timing.delay"), edge = s_.number("circuit.timing.edge"),
                 sample = s_.number("circuit.timing.sample");
    if (sample <= delay + edge)
      inconsistent("E107", "circuit.timing.sample",
                   "circuit.timing.sample comes before the word lines are up (circuit.timing.delay + edge)", "");
    if (s_.text("circuit.read") == "charge" && sample > delay + edge + s_.number("circuit.timing.pulse"))
      inconsistent(
          "E107", "circuit.timing.sample",
          "circuit.timing.sample comes after the word lines have begun to fall (delay + edge + pulse), when the "
          "cells take their charge back",
          "");
    if (s_.has("array.reset_switch") && delay <= 2 * edge)
      inconsistent("E107", "circuit.timing.delay",
                   "circuit.timing.delay leaves the reset switch no time to open: it needs more than 2 · edge", "");
  }

  void check_inputs() {
    const auto problem = [&](const std::string& path, std::string message, std::string hint) {
      inconsistent("E107", path, std::move(message), std::move(hint));
    };
    const std::string encoding = s_.text("circuit.input.encoding");
    const auto& levels = s_.numbers("circuit.input.levels");
    const std::size_t count = levels.size();
    if (count < 2 || count > 256 || (count & (count - 1)) != 0)
      problem("circuit.input.levels", fmt::format("circuit.input.levels has {} entries; it takes 2, 4, 8 … 256", count),
              "an input is applied in digits of 1, 2, 3 … bits");
    check_units("circuit.input.levels",
                encoding == "voltage"       ? "voltage"
                : encoding == "pulse_width" ? "width"
                                            : "count",
                false);
    if (encoding == "voltage") return;
    if (s_.text("circuit.read") == "current")
      problem("circuit.input.encoding",
              "pulses need a transient read; circuit.read = \"current\" is an operating point", "");
    for (std::size_t x = 0; x < count; ++x)
      if ((x == 0 && levels[x] != 0.0) || (x > 0 && levels[x] <= levels[x - 1])) {
        problem("circuit.input.levels", "the input levels of pulses begin with 0 and grow", "");
        break;
      }
    if (encoding == "pulse_count") {
      for (const double n : levels)
        if (n != std::round(n)) problem("circuit.input.levels", fmt::format("{} is no number of pulses", n), "");
      if (s_.number("circuit.input.period") <= s_.number("circuit.timing.pulse") + 2 * s_.number("circuit.timing.edge"))
        problem("circuit.input.period", "circuit.input.period is shorter than a pulse with its edges", "");
    }
    const double last = encoding == "pulse_width" ? levels.back()
                                                  : (levels.back() - 1) * s_.number("circuit.input.period") +
                                                        s_.number("circuit.timing.pulse");
    if (s_.number("circuit.timing.sample") < s_.number("circuit.timing.delay") + last)
      problem("circuit.timing.sample", "circuit.timing.sample comes before the longest input is over", "");
  }

  void check_lines() {
    const auto problem = [&](const std::string& path, std::string message, std::string hint) {
      inconsistent("E107", path, std::move(message), std::move(hint));
    };
    const std::int64_t branches = s_.text("hardware.signed_scheme") == "differential_before_adc" ? 2 : 1;
    const std::int64_t lines = s_.integer("circuit.design.columns") * branches,
                       together = s_.integer("circuit.design.neighbours");
    if (lines % together != 0 || (together > 1 && together % branches != 0))
      problem(
          "circuit.design.neighbours",
          fmt::format("{} bit lines ({} for each column) cannot be simulated {} at a time", lines, branches, together),
          "it must divide them, pairs staying together");
    for (std::size_t i = 0; i < s_.count("circuit.driven_pin"); ++i) {
      const std::string at = fmt::format("circuit.driven_pin[{}]", i);
      const auto &times = s_.numbers(at + ".times"), &volts = s_.numbers(at + ".voltages");
      if (times.size() != volts.size())
        problem(at + ".voltages", fmt::format("{}: {} times and {} voltages", at, times.size(), volts.size()), "");
      for (std::size_t k = 1; k < times.size(); ++k)
        if (times[k] <= times[k - 1]) {
          problem(at + ".times", fmt::format("{}.times do not ascend", at), "");
          break;
        }
      if (s_.text("circuit.read") == "current")
        problem(at + ".pin", fmt::format("{} does nothing with circuit.read = \"current\"", at),
                "use [[circuit.tied_pin]]");
    }
  }

  void check_noise_source(const std::string& at, std::size_t levels) {
    const bool relative = s_.text(at + ".kind") == "cell_relative";
    const std::string unit = column_unit(s_);
    const auto fit = kOutputNoise.find(unit)->second;
    if (!relative && s_.text(at + ".kind") != fit.kind)
      inconsistent("E107", at + ".kind", fmt::format("{}: the output of the column is in {}", at, unit),
                   fmt::format("use kind = \"{}\"", fit.kind));
    const std::size_t n = s_.numbers(at + ".sigma").size();
    if (n != 1 && !(relative && n == levels))
      inconsistent("E107", at + ".sigma",
                   fmt::format("{}.sigma has {} values; it takes 1{}", at, n,
                               relative ? fmt::format(" or {} (one per stored level)", levels) : ""),
                   "");
    check_dimension(at + ".sigma", relative ? dimension::kNone : fit.dimension, relative ? "" : fit.kind);
  }

  /// Keys of the error table that go together.
  void check_table(std::size_t levels) {
    for (const char* key : {"errormodel.drift_exponent", "errormodel.drift_spread"}) {
      if (!s_.has(key)) continue;
      const std::size_t n = s_.numbers(key).size();
      if (n != 1 && n != levels)
        inconsistent("E107", key,
                     fmt::format("{} has {} values; it takes 1 or {} (one per stored level)", key, n, levels), "");
      if (!s_.has("errormodel.drift_exponent"))
        inconsistent("E107", key, fmt::format("{} needs errormodel.drift_exponent", key), "");
    }
    for (const auto& [key, other] : {std::pair{"errormodel.measured_weights", "errormodel.measured_inputs"},
                                     {"errormodel.measured_inputs", "errormodel.measured_weights"}})
      if (s_.has(key) && (!s_.has(other) || !s_.has("errormodel.measurements")))
        inconsistent("E107", key, fmt::format("{} goes with {} and errormodel.measurements", key, other), "");
    if (s_.number("errormodel.stuck_lowest") + s_.number("errormodel.stuck_highest") > 1.0)
      inconsistent("E107", "errormodel.stuck_highest", "more cells are stuck than there are", "");
    const auto inputs = s_.integer("hardware.input_levels");
    if ((inputs & (inputs - 1)) != 0)
      inconsistent("E107", "hardware.input_levels",
                   fmt::format("hardware.input_levels = {} is no power of two", inputs), "");
  }

  void check_supply() {
    const char* const follows = "circuit.supply_follows";
    if (!s_.has("circuit.further_supply_voltages")) return;
    if (!s_.has(follows))
      inconsistent("E107", "circuit.further_supply_voltages",
                   "circuit.further_supply_voltages needs circuit.supply_follows",
                   "\"pin\": the supply pin alone moves; \"rails\": so do voltages equal to circuit.supply_voltage");
    else if (s_.text(follows) == "pin" && !s_.has("circuit.pins.supply"))
      inconsistent("E107", follows, "circuit.supply_follows = \"pin\", but there is no circuit.pins.supply",
                   "name the pin, or write \"rails\"");
  }

  void check_consistency() {
    const auto problem = [&](const std::string& path, std::string message, std::string hint) {
      inconsistent("E107", path, std::move(message), std::move(hint));
    };
    if (s_.integer("hardware.rows_per_tile") > s_.integer("array.rows"))
      problem("hardware.rows_per_tile",
              fmt::format("hardware.rows_per_tile = {} is more than array.rows = {}",
                          s_.integer("hardware.rows_per_tile"), s_.integer("array.rows")),
              "");
    const bool netlist = !starts_at_table(s_);
    const std::size_t levels = netlist ? s_.numbers("circuit.weight.levels").size()
                                       : static_cast<std::size_t>(s_.integer("hardware.cell_levels"));
    check_table(levels);
    if (!netlist) return;
    if (levels < 2 || levels > 256)
      problem("circuit.weight.levels", fmt::format("circuit.weight.levels has {} entries; it takes 2 to 256", levels),
              "");
    check_storage();
    check_read();
    check_supply();
    for (std::size_t i = 0; i < s_.count("circuit.noise_source"); ++i)
      check_noise_source(fmt::format("circuit.noise_source[{}]", i), levels);
    check_inputs();
    check_lines();
    for (std::size_t i = 0; i < s_.count("circuit.mismatch"); ++i) {
      const std::string at = fmt::format("circuit.mismatch[{}]", i);
      const bool sigma = s_.has(at + ".sigma"), pelgrom = s_.has(at + ".pelgrom_coefficient");
      if (sigma == pelgrom) problem(at + ".name", fmt::format("{} needs either sigma or pelgrom_coefficient", at), "");
      if (pelgrom && s_.has(at + ".width") != s_.has(at + ".length"))
        problem(at + ".name", fmt::format("{} needs both width and length, or neither", at), "");
      if (sigma) {
        const std::size_t n = s_.numbers(at + ".sigma").size();
        if (n != 1 && n != levels)
          problem(at + ".sigma",
                  fmt::format("{}.sigma has {} values; it takes 1 or {} (one per stored level)", at, n, levels), "");
      }
      const bool relative = s_.text(at + ".distribution") == "lognormal";
      if (sigma) check_units(at + ".sigma", lower_case(s_.text(at + ".parameter")), relative);
      if (pelgrom && relative)
        problem(at + ".distribution", fmt::format("{}: Pelgrom's law gives volts, so its distribution is normal", at),
                "");
      const std::string device = lower_case(s_.text(at + ".device"));
      const bool periphery = device == "clamp" || device == "source_line" || device == "precharge" ||
                             device == "sense" || device.starts_with("switch.") || device.starts_with("column_switch.");
      if (periphery && s_.text(at + ".scope") == "cell")
        problem(at + ".scope",
                fmt::format("{}: the {} exists once per bit line, so its scope is column or chip", at, device), "");
    }
  }

  const Settings& s_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

std::vector<Diagnostic> project_inconsistencies(const Settings& settings) {
  auto all = device_inconsistencies(settings);
  const auto more = Rules(settings).check();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace errata
