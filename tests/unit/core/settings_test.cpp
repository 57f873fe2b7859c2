#include "core/settings.h"

#include <gtest/gtest.h>

#include "tests/support/example_project.h"
#include "tests/support/expect_error.h"

namespace errata {
namespace {

Settings example(const std::vector<SettingOverride>& overrides = {}) {
  return parse_project(testing::kExampleProject, "errata.toml", "/tmp/project", overrides);
}

TEST(Settings, AbsentKeysAreBugs) {
  const Settings s = example();
  testing::expect_error(ExitStatus::kBug, "E700", [&] { s.number("array.rosw"); });
  testing::expect_error(ExitStatus::kBug, "E700", [&] { s.text("circuit.pins.supply"); });
  testing::expect_error(ExitStatus::kBug, "E700", [&] { s.number("circuit.weight.levels"); });  // four numbers
  EXPECT_EQ(s.count("no.such"), 0u);
}

TEST(Canonical, HoldsTheNamedSectionsOnlyInFullPrecision) {
  const Settings s = example({{"array.clamp_voltage", "0.1234567890123456 V"}});
  const std::vector<std::string> array = {"array"};
  const std::string text = s.canonical(array);
  EXPECT_NE(text.find("array.rows = 8\n"), std::string::npos);
  EXPECT_NE(text.find("array.clamp_voltage = 0.1234567890123456\n"), std::string::npos);
  EXPECT_EQ(text.find("circuit."), std::string::npos);
  const std::vector<std::string> circuit = {"circuit"};
  EXPECT_NE(s.canonical(circuit).find("circuit.mismatch[0].sigma = [0.2, 0.09, 0.06, 0.05]\n"), std::string::npos);
  EXPECT_NE(s.canonical(circuit).find("circuit.cell = \"cell\"\n"), std::string::npos);
}

TEST(Canonical, IsTheSameForAGivenDefault) {
  const auto sections = sections_of_stage("characterize");
  EXPECT_EQ(example().canonical(sections), example({{"circuit.temperature", "300.15 K"}}).canonical(sections));
  EXPECT_NE(example().canonical(sections), example({{"circuit.temperature", "301 K"}}).canonical(sections));
}

TEST(Canonical, ChangesOnlyWhereTheStageReads) {
  const auto characterize = sections_of_stage("characterize"), train = sections_of_stage("train");
  const Settings more_epochs = example({{"training.epochs", "99"}});
  EXPECT_EQ(example().canonical(characterize), more_epochs.canonical(characterize));
  EXPECT_NE(example().canonical(train), more_epochs.canonical(train));
}

}  // namespace
}  // namespace errata
