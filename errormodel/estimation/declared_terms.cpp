#include "errormodel/estimation/declared_terms.h"

namespace errata::errormodel {

namespace {

/// One value for each stored level; a single one holds for all.
std::vector<double> by_level(const Settings& s, std::string_view key, std::size_t levels) {
  if (!s.has(key)) return std::vector<double>(levels, 0.0);
  const auto& given = s.numbers(key);
  return given.size() == 1 ? std::vector<double>(levels, given[0]) : given;
}

}  // namespace

void declare_terms(const Settings& s, std::size_t levels, ErrorTable& t) {
  t.signed_scheme = s.text("hardware.signed_scheme");
  t.adc = adc_options(s);
  t.temperature_kelvin = s.number("circuit.temperature");
  if (s.has("circuit.pins.supply") || s.value("circuit.supply_voltage").given)
    t.supply_volts = s.number("circuit.supply_voltage");
  if (s.has("circuit.corner")) t.corner = s.text("circuit.corner");
  if (s.has("errormodel.drift_exponent"))
    t.drift = {s.number("errormodel.drift_reference"), by_level(s, "errormodel.drift_exponent", levels),
               by_level(s, "errormodel.drift_spread", levels)};
  t.faults = {s.number("errormodel.stuck_lowest"), s.number("errormodel.stuck_highest")};
}

}  // namespace errata::errormodel
