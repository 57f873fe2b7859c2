#include "circuit/deck.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>

#include "tests/support/example_project.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using Texts = std::vector<std::string>;

Netlist netlist_of(const std::string& subcircuit) {
  const testing::TemporaryFolder folder;
  return read_netlist(folder.write("cell.cir", "title\n" + subcircuit), {});
}

const char* const kCell = ".subckt cell bl wl sl\nrmem bl sl 1k\n.ends\n";

DeckOptions options_of(double wire, double source_wire = 0.0) {
  return {.cell = "cell",
          .word_line_pin = "wl",
          .bit_line_pin = "bl",
          .source_line_pin = "sl",
          .weight_device = "rmem",
          .weight_parameter = "resistance",
          .wire_ohms = wire,
          .source_line_ohms = source_wire,
          .clamp_ohms = 50};
}

const std::vector<CellSlot> kSlots = {{"rmem", "resistance"}};

bool has_line(const Deck& deck, const std::string& line) {
  return std::ranges::find(deck.lines, line) != deck.lines.end();
}

TEST(ComposeCell, IsAsWrittenByHand) {
  const Deck deck = compose_cell(netlist_of(kCell), options_of(1), kSlots);
  EXPECT_EQ(deck.lines,
            (Texts{"errata cell", ".subckt cell bl wl sl", "rmem bl sl 1k", ".ends",
                   ".options temp=27 tnom=27 reltol=1e-6 abstol=1e-15 vntol=1e-9", "vwl wl 0 dc 0",
                   "vclamp bl 0 dc 0 ac 1", "vsl sl 0 dc 0", "hout out 0 vclamp 1", "x1 bl wl sl cell", ".end"}));
  EXPECT_EQ(deck.slots, (Texts{"@vwl[dc]", "@vclamp[dc]", "@vsl[dc]", "@r.x1.rmem[resistance]"}));
  ASSERT_EQ(deck.positions.size(), deck.lines.size());
  EXPECT_EQ(deck.positions[2].line, 3);         // the user's line
  EXPECT_TRUE(deck.positions[5].file.empty());  // a composed one
}

TEST(ComposeColumn, OfTwoRowsIsAsWrittenByHand) {
  const Deck deck = compose_column(netlist_of(kCell), options_of(2.5), kSlots, 2);
  EXPECT_EQ(Texts(deck.lines.begin() + 5, deck.lines.end()),
            (Texts{"vclamp clamp 0 dc 0 ac 1", "rclamp clamp b1 1", "ioffset b1 0 dc 0", "hout out 0 vclamp 1",
                   "vw1 w1 0 dc 0", "x1 b1 w1 0 cell", "rb2 b1 b2 2.5", "vw2 w2 0 dc 0", "x2 b2 w2 0 cell", ".end"}));
  EXPECT_EQ(deck.slots, (Texts{"@vclamp[dc]", "@rclamp[resistance]", "@ioffset[dc]", "@vw1[dc]",
                               "@r.x1.rmem[resistance]", "@vw2[dc]", "@r.x2.rmem[resistance]"}));
}

TEST(ComposeColumn, WithoutWireResistanceIsOneNode) {
  // ngspice would make 1 mOhm of 0 Ohm.
  const Deck deck = compose_column(netlist_of(kCell), options_of(0), kSlots, 3);
  for (const auto& line : deck.lines) EXPECT_FALSE(line.starts_with("rb")) << line;
  EXPECT_TRUE(has_line(deck, "x3 b1 w3 0 cell"));
}

TEST(ComposeColumn, LaysTheSourceLineAsALadder) {
  const Deck deck = compose_column(netlist_of(kCell), options_of(1, 3), kSlots, 3);
  EXPECT_TRUE(has_line(deck, "x1 b1 w1 0 cell"));
  EXPECT_TRUE(has_line(deck, "rs2 0 s2 3"));
  EXPECT_TRUE(has_line(deck, "rs3 s2 s3 3"));
  EXPECT_TRUE(has_line(deck, "x3 b3 w3 s3 cell"));
}

TEST(ComposeColumn, ConnectsPinsInTheOrderOfTheSubcircuit) {
  DeckOptions options = options_of(1);
  options.supply_pin = "vdd";
  options.ground_pin = "gnd";
  options.source_line_pin = "";
  options.supply_volts = 0.9;
  const Deck deck =
      compose_column(netlist_of(".subckt cell gnd wl vdd bl\nrmem bl gnd 1k\n.ends\n"), options, kSlots, 1);
  EXPECT_TRUE(has_line(deck, "vsupply supply 0 dc 0.9"));
  EXPECT_TRUE(has_line(deck, "x1 0 w1 supply b1 cell"));
}

TEST(DevicePath, FollowsNgspicesNames) {
  EXPECT_EQ(device_path("x3", "m1"), "m.x3.m1");
  EXPECT_EQ(device_path("x3", "xinner.r2"), "r.x3.xinner.r2");
}

Settings example(const std::vector<SettingOverride>& overrides) {
  return parse_project(testing::kExampleProject, "errata.toml", "/tmp", overrides);
}

TEST(DeckOptionsOf, AProjectAreScaledBySeverity) {
  const auto o = deck_options(
      example({{"circuit.severity", "2"}, {"array.source_line_resistance", "3 Ohm"}, {"circuit.cell", "CELL"}}));
  EXPECT_EQ(o.cell, "cell");
  EXPECT_EQ(o.wire_ohms, 2);
  EXPECT_EQ(o.source_line_ohms, 6);
  EXPECT_EQ(o.clamp_ohms, 100);
  EXPECT_EQ(deck_options(example({{"circuit.severity", "0"}})).wire_ohms, 0);
}

Texts problems_with(const std::vector<SettingOverride>& overrides, const std::string& subcircuit = kCell) {
  const Settings s = example(overrides);
  std::vector<CellSlot> slots = {{deck_options(s).weight_device, "resistance"}};
  Texts all;
  for (const auto& d : check_against_netlist(netlist_of(subcircuit), deck_options(s), slots, s))
    all.push_back(d.code + " " + std::to_string(d.position.line) + " " + d.message);
  return all;
}

TEST(CheckAgainstNetlist, NamesWhatIsMissing) {
  EXPECT_TRUE(problems_with({}).empty());
  EXPECT_EQ(problems_with({}, ".subckt other bl wl sl\nr1 bl sl 1k\n.ends\n"),
            (Texts{"E202 6 the netlist has no subcircuit 'cell'"}));
  EXPECT_EQ(problems_with({{"circuit.pins.bit_line", "bitline"}}),
            (Texts{"E203 0 subcircuit 'cell' has no pin 'bitline'", "E203 6 pin 'bl' of 'cell' has no role"}));
  EXPECT_EQ(problems_with({{"circuit.pins.ground", "sl"}}),
            (Texts{"E203 6 pin 'sl' of 'cell' has two roles under [circuit.pins]"}));
  EXPECT_EQ(problems_with({{"circuit.weight.device", "rm"}}), (Texts{"E208 0 subcircuit 'cell' has no device 'rm'"}));
}

TEST(CheckAgainstNetlist, PointsAtTheMismatchTermThatNamesTheDevice) {
  const Settings s = example({});
  const std::vector<CellSlot> slots = {{"rmem", "resistance"}};
  const auto d =
      check_against_netlist(netlist_of(".subckt cell bl wl sl\nr1 bl sl 1k\n.ends\n"), deck_options(s), slots, s);
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].code, "E208");
  EXPECT_EQ(d[0].position.line, 14);
  EXPECT_EQ(d[0].hint, "it has: r1");
}

}  // namespace
}  // namespace errata::circuit
