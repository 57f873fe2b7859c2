#include "core/operating_point.h"

#include <gtest/gtest.h>

#include "tests/support/example_project.h"
#include "tests/support/expect_error.h"

namespace errata {
namespace {

Settings macro(const char* name, const std::vector<SettingOverride>& overrides = {}) {
  return read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists" / name, overrides);
}

TEST(OperatingPoints, OneProjectHasItsNominalOne) {
  const Settings s = macro("rram_1t1r");
  const auto points = operating_points(s);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0], (OperatingPoint{300.15, 1.0}));
  const std::vector<std::string> all{"circuit", "array", "hardware"};
  EXPECT_EQ(at_operating_point(s, points[0]).canonical(all), s.canonical(all));
}

TEST(OperatingPoints, FormAGridWithTheNominalOneFirst) {
  const Settings s =
      macro("sram_8t", {{"circuit.further_temperatures", "[\"85 degC\", \"-20 degC\", \"27 degC\", \"358.15 K\"]"},
                        {"circuit.further_supply_voltages", "\"0.9 V\""},
                        {"circuit.supply_follows", "rails"}});
  const auto points = operating_points(s);
  ASSERT_EQ(points.size(), 6u);
  EXPECT_EQ(to_string(points[0]), "27 degC, 1 V");
  EXPECT_EQ(to_string(points[1]), "-20 degC, 0.9 V");
  EXPECT_EQ(to_string(points[5]), "85 degC, 1 V");
}

TEST(OperatingPoints, RailsMoveWithTheSupply) {
  const std::vector<SettingOverride> grid{{"circuit.further_supply_voltages", "\"0.9 V\""},
                                          {"circuit.supply_follows", "rails"}};
  const Settings s = at_operating_point(macro("sram_8t", grid), {310.0, 0.9});
  EXPECT_EQ(s.number("circuit.temperature"), 310.0);
  EXPECT_EQ(s.number("circuit.supply_voltage"), 0.9);
  EXPECT_EQ(s.number("array.precharge_voltage"), 0.9);
  EXPECT_EQ(s.numbers("circuit.weight.levels"), (std::vector<double>{0.0, 0.9}));
  EXPECT_EQ(s.numbers("circuit.input.levels"), (std::vector<double>{0.0, 0.6}));  // a bias of its own
  EXPECT_EQ(s.number("circuit.tied_pin[0].voltage"), 0.0);
  EXPECT_EQ(s.number("circuit.tied_pin[1].voltage"), 0.9);
  EXPECT_EQ(operating_points(s).size(), 1u);
  auto pin = grid;
  pin[1].value = "pin";
  EXPECT_EQ(at_operating_point(macro("sram_8t", pin), {310.0, 0.9}).number("array.precharge_voltage"), 1.0);
}

TEST(OperatingPoints, OfASupplySayWhatFollowsIt) {
  const auto problems = [](const char* name, std::vector<SettingOverride> more) {
    more.push_back({"circuit.further_supply_voltages", "\"0.9 V\""});
    try {
      macro(name, more);
    } catch (const ProjectError& e) {
      return std::string(e.diagnostics().front().message);
    }
    return std::string();
  };
  EXPECT_NE(problems("sram_8t", {}).find("needs circuit.supply_follows"), std::string::npos);
  EXPECT_NE(problems("rram_1t1r", {{"circuit.supply_follows", "pin"}}).find("no circuit.pins.supply"),
            std::string::npos);
  EXPECT_EQ(problems("sram_8t", {{"circuit.supply_follows", "pin"}}), "");
}

TEST(OperatingPoints, HardwareRunsAtTheNominalOneUnlessItSaysOtherwise) {
  EXPECT_EQ(hardware_operating_point(macro("rram_1t1r")), (OperatingPoint{300.15, 1.0}));
  EXPECT_EQ(hardware_operating_point(macro("rram_1t1r", {{"hardware.temperature", "320 K"}})),
            (OperatingPoint{320.0, 1.0}));
}

}  // namespace
}  // namespace errata
