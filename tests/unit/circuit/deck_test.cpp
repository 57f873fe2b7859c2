#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>

#include "circuit/deck/compose.h"
#include "circuit/netlist/netlist_roles.h"
#include "tests/support/example_project.h"
#include "tests/support/transient_project.h"

namespace errata::circuit {
namespace {

using Texts = std::vector<std::string>;

Netlist netlist_of(const std::string& subcircuit) {
  const testing::TemporaryFolder folder;
  return read_netlist(folder.write("cell.cir", "title\n" + subcircuit), {});
}

const char* const kCell = ".subckt cell bl wl sl\nrmem bl sl 1k\n.ends\n";

DeckOptions options_of(double wire, double source_wire = 0.0) {
  return {.subcircuit = "cell",
          .word_line_pin = "wl",
          .bit_line_pin = "bl",
          .source_line_pin = "sl",
          .storage = {.device = "rmem", .parameter = "resistance"},
          .wire_ohms = wire,
          .source_line_ohms = source_wire,
          .clamp_ohms = 50};
}

const std::vector<CellSlot> kSlots = {{"rmem", "resistance"}};

bool has_line(const Deck& deck, const std::string& line) {
  return std::ranges::find(deck.lines, line) != deck.lines.end();
}

/// Slots that `alter` sets.
std::vector<Slot> alters(const Texts& targets) {
  std::vector<Slot> slots;
  for (const auto& target : targets) slots.push_back({SlotKind::kAlter, target});
  return slots;
}

/// Composed lines alone, without title and options.
Texts composed(const Deck& deck) {
  Texts lines;
  for (std::size_t i = 1; i < deck.lines.size(); ++i)
    if (deck.positions[i].file.empty() && !deck.lines[i].starts_with(".options")) lines.push_back(deck.lines[i]);
  return lines;
}

TEST(ComposeCell, IsAsWrittenByHand) {
  const Deck deck = compose_cell(netlist_of(kCell), options_of(1), kSlots);
  EXPECT_EQ(deck.lines,
            (Texts{"errata cell", ".subckt cell bl wl sl", "rmem bl sl 1k", ".ends",
                   ".options temp=27 tnom=27 reltol=1e-06 abstol=1e-15 vntol=1e-09", "vwl wl 0 dc 0",
                   "vclamp bl 0 dc 0 ac 1", "vsl sl 0 dc 0", "hout out 0 vclamp 1", "x1 bl wl sl cell", ".end"}));
  EXPECT_EQ(deck.slots, alters({"@vwl[dc]", "@vclamp[dc]", "@vsl[dc]", "@r.x1.rmem[resistance]"}));
  ASSERT_EQ(deck.outputs.size(), 1u);
  EXPECT_EQ(deck.outputs[0].vector, "vclamp#branch");
  EXPECT_EQ(deck.outputs[0].factor, -1);
  EXPECT_EQ(deck.transient, "");
  ASSERT_EQ(deck.positions.size(), deck.lines.size());
  EXPECT_EQ(deck.positions[2].line, 3);         // the user's line
  EXPECT_TRUE(deck.positions[5].file.empty());  // a composed one
}

TEST(ComposeColumn, OfTwoRowsIsAsWrittenByHand) {
  const Deck deck = compose_column(netlist_of(kCell), options_of(2.5), {.cell = kSlots}, 2);
  EXPECT_EQ(Texts(deck.lines.begin() + 5, deck.lines.end()),
            (Texts{"vclamp clamp 0 dc 0 ac 1", "rclamp clamp b1 1", "ioffset b1 0 dc 0", "hout out 0 vclamp 1",
                   "vw1 w1 0 dc 0", "x1 b1 w1 0 cell", "rb2 b1 b2 2.5", "vw2 w2 0 dc 0", "x2 b2 w2 0 cell", ".end"}));
  EXPECT_EQ(deck.slots, alters({"@vclamp[dc]", "@rclamp[resistance]", "@ioffset[dc]", "@vw1[dc]",
                                "@r.x1.rmem[resistance]", "@vw2[dc]", "@r.x2.rmem[resistance]"}));
}

TEST(ComposeColumn, WithoutWireResistanceIsOneNode) {
  // ngspice would make 1 mOhm of 0 Ohm.
  const Deck deck = compose_column(netlist_of(kCell), options_of(0), {.cell = kSlots}, 3);
  for (const auto& line : deck.lines) EXPECT_FALSE(line.starts_with("rb")) << line;
  EXPECT_TRUE(has_line(deck, "x3 b1 w3 0 cell"));
}

TEST(ComposeColumn, LaysTheSourceLineAsALadder) {
  const Deck deck = compose_column(netlist_of(kCell), options_of(1, 3), {.cell = kSlots}, 3);
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
      compose_column(netlist_of(".subckt cell gnd wl vdd bl\nrmem bl gnd 1k\n.ends\n"), options, {.cell = kSlots}, 1);
  EXPECT_TRUE(has_line(deck, "vsupply supply 0 dc 0.9"));
  EXPECT_TRUE(has_line(deck, "x1 0 w1 supply b1 cell"));
}

/// A line of 20 fF, 0.1 fF for each cell, released at 1 V.
DeckOptions discharge_options(double wire) {
  DeckOptions o = options_of(wire);
  o.read = ReadMode::kDischarge;
  o.timing = {.delay = 1e-10, .edge = 2e-11, .pulse = 5e-10, .sample = 8e-10};
  o.wire_farads = 1e-16;
  o.line_farads = 2e-14;
  o.precharge_volts = 1;
  return o;
}

const char* const kTransientOptions =
    ".options temp=27 tnom=27 chgtol=1e-17 trtol=1 reltol=1e-05 abstol=1e-13 vntol=1e-08";

TEST(ComposeColumn, ThatDischargesIsAsWrittenByHand) {
  DeckOptions options = discharge_options(2.5);
  options.input.levels = {0.1, 1};
  const Deck deck = compose_column(netlist_of(kCell), options, {.cell = kSlots}, 2);
  EXPECT_EQ(
      composed(deck),
      (Texts{".param errata_precharge=0", ".ic v(b1)={errata_precharge}", ".ic v(b2)={errata_precharge}",
             "voffset out b1 dc 0", "vpulse pulse 0 dc 0 pulse(0 1 1e-10 2e-11 2e-11 5e-10)", "vidle idle 0 dc 0.1",
             "cline b1 0 2e-14", "cb1 b1 0 1e-16", "ew1 w1 idle pulse 0 0", "x1 b1 w1 0 cell", "rb2 b1 b2 2.5",
             "cb2 b2 0 1e-16", "ew2 w2 idle pulse 0 0", "x2 b2 w2 0 cell", ".save v(out)", ".end"}));
  EXPECT_TRUE(has_line(deck, kTransientOptions));
  EXPECT_EQ(deck.slots, (std::vector<Slot>{{SlotKind::kParameter, "errata_precharge"},
                                           {SlotKind::kAlter, "@voffset[dc]"},
                                           {SlotKind::kAlter, "@ew1[gain]"},
                                           {SlotKind::kAlter, "@r.x1.rmem[resistance]"},
                                           {SlotKind::kAlter, "@ew2[gain]"},
                                           {SlotKind::kAlter, "@r.x2.rmem[resistance]"}}));
  ASSERT_EQ(deck.outputs.size(), 1u);
  EXPECT_EQ(deck.outputs[0].vector, "out");
  EXPECT_EQ(deck.outputs[0].factor, 1);
  EXPECT_EQ(deck.transient, "tran 1.6e-11 8e-10 0 1.6e-11");  // fifty steps
  EXPECT_EQ(deck.stop_seconds, 8e-10);
  options.timing.step = 1e-12;
  EXPECT_EQ(compose_column(netlist_of(kCell), options, {.cell = kSlots}, 2).transient, "tran 1e-12 8e-10 0 1e-12");
}

TEST(ComposeColumn, ThatDischargesWithoutWireResistanceKeepsTheWiresCapacitance) {
  const Deck deck = compose_column(netlist_of(kCell), discharge_options(0), {.cell = kSlots}, 4);
  EXPECT_TRUE(has_line(deck, "cwire b1 0 4e-16"));
  EXPECT_TRUE(has_line(deck, "x4 b1 w4 0 cell"));
  for (const auto& line : deck.lines) EXPECT_FALSE(line.starts_with("cb") || line.starts_with(".ic v(b2)")) << line;
}

const char* const kSwitchedCell =
    ".subckt cell bl wl sl\nrmem bl sl 1k\n.ends\n"
    ".subckt Reset control line reference ground control_bar supply\nm1 line control_bar reference supply p\n.model p "
    "pmos\n.ends\n";

TEST(ComposeColumn, WithAResetSwitchIsHeldByIt) {
  DeckOptions options = discharge_options(2.5);
  options.reset_switch = "reset";
  options.supply_volts = 0.9;
  const Deck deck =
      compose_column(netlist_of(kSwitchedCell), options, {.cell = kSlots, .reset_switch = {{"m1", "delvto"}}}, 1);
  EXPECT_EQ(composed(deck),
            (Texts{"vprecharge precharge 0 dc 0", "vcontrol control 0 dc 0.9 pwl(0 0.9 2e-11 0.9 4e-11 0)",
                   "vcontrolbar control_bar 0 dc 0 pwl(0 0 2e-11 0 4e-11 0.9)", "vsupply supply 0 dc 0.9",
                   "xreset control b1 precharge 0 control_bar supply reset", "voffset out b1 dc 0",
                   "vpulse pulse 0 dc 0 pulse(0 1 1e-10 2e-11 2e-11 5e-10)", "vidle idle 0 dc 0", "cline b1 0 2e-14",
                   "cb1 b1 0 1e-16", "ew1 w1 idle pulse 0 0", "x1 b1 w1 0 cell", ".save v(out)", ".end"}));
  EXPECT_EQ(deck.slots, alters({"@vprecharge[dc]", "@voffset[dc]", "@m.xreset.m1[delvto]", "@ew1[gain]",
                                "@r.x1.rmem[resistance]"}));
  // A cell with a supply has that source already.
  options.supply_pin = "sl";
  options.source_line_pin = "";
  const Deck supplied = compose_column(netlist_of(kSwitchedCell), options, {.cell = kSlots}, 1);
  EXPECT_EQ(std::ranges::count(supplied.lines, "vsupply supply 0 dc 0.9"), 1);
}

TEST(ComposeSwitch, IsTheSwitchACapacitorAndAProbe) {
  DeckOptions options = discharge_options(2.5);
  options.reset_switch = "reset";
  const Deck deck = compose_switch(netlist_of(kSwitchedCell), options, {{"m1", "delvto"}});
  EXPECT_EQ(composed(deck),
            (Texts{"vstep step 0 dc 0 pwl(0 0 1e-10 0 1.2e-10 1)", "cline line 0 1e-15", "cprobe line probe 1e-15",
                   "eprobe probe 0 step 0 0", "vprecharge precharge 0 dc 0",
                   "vcontrol control 0 dc 1 pwl(0 1 2e-11 1 4e-11 0)",
                   "vcontrolbar control_bar 0 dc 0 pwl(0 0 2e-11 0 4e-11 1)", "vsupply supply 0 dc 1",
                   "xreset control line precharge 0 control_bar supply reset", ".save v(line)", ".end"}));
  EXPECT_EQ(deck.slots, alters({"@cline[capacitance]", "@cprobe[capacitance]", "@eprobe[gain]", "@vprecharge[dc]",
                                "@m.xreset.m1[delvto]"}));
  ASSERT_EQ(deck.outputs.size(), 1u);
  EXPECT_EQ(deck.outputs[0].vector, "line");
  EXPECT_EQ(deck.stop_seconds, 8e-10);
}

TEST(ComposeFollower, PutsTheCellBehindAReference) {
  DeckOptions options = discharge_options(2.5);
  options.precharge_volts = 0.8;
  const Deck deck = compose_follower(netlist_of(kCell), options, {{"rmem", "resistance"}, {"rmem", "tc1"}});
  EXPECT_EQ(composed(deck),
            (Texts{"vpulse pulse 0 dc 0 pulse(0 1 1e-10 2e-11 2e-11 5e-10)", "vidle idle 0 dc 0", "cref ref 0 1e-15",
                   ".ic v(ref)=0.8", "ebit bl 0 ref 0 1", "vdrawn bl drawing dc 0", "fdrawn 0 drawn vdrawn 1",
                   "cdrawn drawn 0 1e-15", ".ic v(drawn)=0", "ew0 w0 idle pulse 0 0", "x0 ref w0 0 cell",
                   "ew1 w1 idle pulse 0 0", "x1 drawing w1 0 cell", ".save v(ref)", ".save v(drawn)", ".end"}));
  EXPECT_EQ(deck.slots, alters({"@cref[capacitance]", "@ew0[gain]", "@r.x0.rmem[resistance]", "@ew1[gain]",
                                "@r.x1.rmem[resistance]", "@r.x1.rmem[tc1]"}));
  ASSERT_EQ(deck.outputs.size(), 2u);
  EXPECT_EQ(deck.outputs[0].vector, "ref");
  EXPECT_EQ(deck.outputs[0].factor, 1);
  EXPECT_EQ(deck.outputs[1].vector, "drawn");
  EXPECT_EQ(deck.outputs[1].factor, 1e-15);  // 1 V on 1 fF
}

/// A cell deck with a way of storing; the lines from the instance on and the slots after word, bit and source line.
struct Stored {
  Texts lines;
  std::vector<Slot> slots;
};
Stored stored(const Storage& storage, const std::string& subcircuit, const std::vector<CellSlot>& slots) {
  DeckOptions options = options_of(1);
  options.storage = storage;
  options.supply_volts = 0.9;
  const Deck deck = compose_cell(netlist_of(subcircuit), options, slots);
  const Texts lines = composed(deck);
  const auto instance = std::ranges::find_if(lines, [](const auto& line) { return line.starts_with("x1 "); });
  return {Texts(instance, lines.end() - 1), std::vector<Slot>(deck.slots.begin() + 3, deck.slots.end())};
}

using Kind = Storage::Kind;

TEST(ComposeCell, StoresInAnInstanceParameter) {
  const auto s = stored({.kind = Kind::kInstanceParameter, .device = "rmem", .parameter = "resistance"}, kCell,
                        {{"rmem", "resistance"}, {"rmem", "tc1"}});
  EXPECT_EQ(s.lines, (Texts{"x1 bl wl sl cell"}));
  EXPECT_EQ(s.slots, alters({"@r.x1.rmem[resistance]", "@r.x1.rmem[tc1]"}));
}

TEST(ComposeCell, StoresInAModelParameter) {
  const auto s =
      stored({.kind = Kind::kModelParameter, .device = "sw", .parameter = "vto"},
             ".subckt cell bl wl sl\n.model sw nmos vto=0.4\nm1 bl wl sl 0 sw\n.ends\n", {{}, {"m1", "delvto"}});
  EXPECT_EQ(s.lines, (Texts{"x1 bl wl sl cell"}));
  EXPECT_EQ(s.slots, (std::vector<Slot>{{SlotKind::kModel, "x1:sw vto"}, {SlotKind::kAlter, "@m.x1.m1[delvto]"}}));
}

TEST(ComposeCell, StoresInASubcircuitParameter) {
  const auto s = stored({.kind = Kind::kSubcircuitParameter, .parameter = "level"},
                        ".subckt cell bl wl sl params: level=0\nrmem bl sl {1k+level}\n.ends\n", {{}});
  EXPECT_EQ(s.lines, (Texts{"x1 bl wl sl cell level={errata_level1}", ".param errata_level1=0"}));
  EXPECT_EQ(s.slots, (std::vector<Slot>{{SlotKind::kParameter, "errata_level1"}}));
}

TEST(ComposeCell, StoresOnANodeAndItsComplement) {
  const char* const latch = ".subckt cell bl wl sl\nc1 q sl 1f\nc2 qb sl 1f\nrmem bl q 1k\n.ends\n";
  const auto both = stored({.kind = Kind::kNodeVoltage, .node = "q", .complement = "qb"}, latch, {{}});
  EXPECT_EQ(both.lines, (Texts{"x1 bl wl sl cell", ".param errata_level1=0", ".nodeset v(x1.q)={errata_level1}",
                               ".nodeset v(x1.qb)={0.9-errata_level1}", ".ic v(x1.q)={errata_level1}",
                               ".ic v(x1.qb)={0.9-errata_level1}"}));
  EXPECT_EQ(both.slots, (std::vector<Slot>{{SlotKind::kParameter, "errata_level1"}}));
  const auto one = stored({.kind = Kind::kNodeVoltage, .node = "q"}, latch, {{}});
  EXPECT_EQ(one.lines, (Texts{"x1 bl wl sl cell", ".param errata_level1=0", ".nodeset v(x1.q)={errata_level1}",
                              ".ic v(x1.q)={errata_level1}"}));
}

TEST(ComposeCell, StoresOnAPin) {
  const auto s = stored({.kind = Kind::kPinVoltage, .pin = "w"}, ".subckt cell bl w wl sl\nrmem bl sl 1k\n.ends\n",
                        {{}, {"rmem", "resistance"}});
  EXPECT_EQ(s.lines, (Texts{"x1 bl x1_w wl sl cell", "vstored_1 x1_w 0 dc 0"}));
  EXPECT_EQ(s.slots, alters({"@vstored_1[dc]", "@r.x1.rmem[resistance]"}));
}

TEST(ComposeColumn, KeepsTheStoredLevelsOfItsRowsApart) {
  DeckOptions options = options_of(0);
  options.storage = {.kind = Kind::kNodeVoltage, .node = "q"};
  const Deck deck = compose_column(netlist_of(kCell), options, {.cell = {{}}}, 2);
  for (const char* line : {".param errata_level1=0", ".param errata_level2=0", ".ic v(x1.q)={errata_level1}",
                           ".ic v(x2.q)={errata_level2}", ".nodeset v(x2.q)={errata_level2}"})
    EXPECT_TRUE(has_line(deck, line)) << line;
  EXPECT_EQ(deck.slots[4], (Slot{SlotKind::kParameter, "errata_level1"}));
  EXPECT_EQ(deck.slots[6], (Slot{SlotKind::kParameter, "errata_level2"}));
}

TEST(ComposeCell, HoldsTiedPinsAndCarriesTheCompatibility) {
  DeckOptions options = options_of(1);
  options.tied_pins = {{"wwl", 0.0}, {"wbl", 0.75}};
  options.compatibility = "hsa";
  const Deck deck = compose_cell(netlist_of(".subckt cell wbl bl wl wwl sl\nrmem bl sl 1k\n.ends\n"), options, kSlots);
  EXPECT_TRUE(has_line(deck, "vtied_wwl tied_wwl 0 dc 0"));
  EXPECT_TRUE(has_line(deck, "vtied_wbl tied_wbl 0 dc 0.75"));
  EXPECT_TRUE(has_line(deck, "x1 tied_wbl bl wl tied_wwl sl cell"));
  EXPECT_EQ(deck.compatibility, "hsa");
}

Settings example(const std::vector<SettingOverride>& overrides) {
  return parse_project(testing::kExampleProject, "errata.toml", "/tmp", overrides);
}

TEST(DeckOptionsOf, AProjectAreScaledBySeverity) {
  const auto o = deck_options(
      example({{"circuit.severity", "2"}, {"array.source_line_resistance", "3 Ohm"}, {"circuit.cell", "CELL"}}));
  EXPECT_EQ(o.subcircuit, "cell");
  EXPECT_EQ(o.wire_ohms, 2);
  EXPECT_EQ(o.source_line_ohms, 6);
  EXPECT_EQ(o.clamp_ohms, 100);
  EXPECT_EQ(deck_options(example({{"circuit.severity", "0"}})).wire_ohms, 0);
}

TEST(DeckOptionsOf, ADischargeProject) {
  const std::vector<SettingOverride> overrides = {{"circuit.input.levels", "[\"0.1 V\", \"0.9 V\"]"},
                                                  {"circuit.timing.step", "1 ps"},
                                                  {"circuit.compatibility", "hsa"},
                                                  {"array.reset_switch", "Reset"}};
  const std::string tied = "[[circuit.tied_pin]]\npin = \"WWL\"\nvoltage = \"0.3 V\"\n";
  const auto o = deck_options(parse_project(testing::kDischargeProject + tied, "errata.toml", "/tmp", overrides));
  EXPECT_EQ(o.read, ReadMode::kDischarge);
  EXPECT_EQ(o.storage.kind, Kind::kPinVoltage);
  EXPECT_EQ(o.storage.pin, "w");
  EXPECT_EQ(o.tied_pins, (std::vector<std::pair<std::string, double>>{{"wwl", 0.3}}));
  EXPECT_DOUBLE_EQ(o.timing.delay, 1e-10);
  EXPECT_DOUBLE_EQ(o.timing.edge, 2e-11);
  EXPECT_DOUBLE_EQ(o.timing.pulse, 5e-10);
  EXPECT_DOUBLE_EQ(o.timing.sample, 8e-10);
  EXPECT_DOUBLE_EQ(o.timing.step, 1e-12);
  EXPECT_EQ(o.input.idle_volts(), 0.1);
  EXPECT_DOUBLE_EQ(o.line_farads, 2e-14);
  EXPECT_DOUBLE_EQ(o.wire_farads, 2.5e-16);
  EXPECT_EQ(o.precharge_volts, 1);
  EXPECT_EQ(o.reset_switch, "reset");
  EXPECT_EQ(o.compatibility, "hsa");
}

Texts problems_with(const std::vector<SettingOverride>& overrides, const std::string& subcircuit = kCell) {
  const Settings s = example(overrides);
  std::vector<CellSlot> slots = {{deck_options(s).storage.device, "resistance"}};
  Texts all;
  for (const auto& d : check_against_netlist(netlist_of(subcircuit), deck_options(s), {.cell = slots}, 1, s))
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
  const auto d = check_against_netlist(netlist_of(".subckt cell bl wl sl\nr1 bl sl 1k\n.ends\n"), deck_options(s),
                                       {.cell = slots}, 1, s);
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].code, "E208");
  EXPECT_EQ(d[0].position.line, 14);
  EXPECT_EQ(d[0].hint, "it has: r1");
}

/// Problems of the discharge project with more text, after replacing parts of it.
Texts problems_of(const std::string& more, const std::vector<std::pair<std::string, std::string>>& replace,
                  const std::string& subcircuit, const std::vector<CellSlot>& cell_slots = {{}},
                  const std::vector<CellSlot>& switch_slots = {}) {
  std::string text = testing::kDischargeProject;
  for (const auto& [from, to] : replace) text.replace(text.find(from), from.size(), to);
  const Settings s = parse_project(text + more, "errata.toml", "/tmp", {});
  Texts all;
  for (const auto& d : check_against_netlist(netlist_of(subcircuit), deck_options(s),
                                             {.cell = cell_slots, .reset_switch = switch_slots}, 1, s))
    all.push_back(d.code + " " + std::to_string(d.position.line) + " " + d.message);
  return all;
}

const char* const kPinCell = ".subckt cell bl wl w\nb1 ctl 0 v=v(wl)*v(w)\ngread bl 0 ctl 0 2u\n.ends\n";
// The project has 49 lines.
const char* const kTiedPin = "[[circuit.tied_pin]]\npin = \"wwl\"\nvoltage = \"0 V\"\n";

TEST(CheckAgainstNetlist, KnowsTiedPins) {
  EXPECT_TRUE(problems_of("", {}, kPinCell).empty());
  const char* const tied = ".subckt cell bl wl w wwl\ngread bl wwl w wl 2u\n.ends\n";
  EXPECT_TRUE(problems_of(kTiedPin, {}, tied).empty());
  EXPECT_EQ(problems_of("", {}, tied), (Texts{"E203 6 pin 'wwl' of 'cell' has no role"}));
  EXPECT_EQ(problems_of(kTiedPin, {}, kPinCell), (Texts{"E203 51 subcircuit 'cell' has no pin 'wwl'"}));
  EXPECT_EQ(problems_of("[[circuit.tied_pin]]\npin = \"W\"\nvoltage = \"0 V\"\n", {}, kPinCell),
            (Texts{"E203 6 pin 'w' of 'cell' has two roles under [circuit.pins]"}));
}

TEST(CheckAgainstNetlist, KnowsWhereTheLevelIsStored) {
  EXPECT_EQ(problems_of("", {{"pin = \"w\"", "pin = \"weight\""}}, kPinCell),
            (Texts{"E203 15 subcircuit 'cell' has no pin 'weight'", "E203 6 pin 'w' of 'cell' has no role"}));
  const std::vector<std::pair<std::string, std::string>> node = {
      {"store = \"pin_voltage\"", "store = \"node_voltage\""}, {"pin = \"w\"", "node = \"q\"\ncomplement = \"qb\""}};
  EXPECT_TRUE(problems_of("", node, ".subckt cell bl wl\nc1 q 0 1f\nc2 qb 0 1f\ng1 bl 0 q wl 1u\n.ends\n").empty());
  EXPECT_EQ(problems_of("", node, ".subckt cell bl wl\nc1 Q 0 1f\ng1 bl 0 q wl 1u\n.ends\n"),
            (Texts{"E208 16 subcircuit 'cell' has no node 'qb'"}));
  EXPECT_EQ(
      problems_of("", node,
                  ".subckt cell bl wl\nq bl 0 wl nn\nqb bl 0 wl nn\n.model nn npn\n.ends\n"),  // no nodes but devices
      (Texts{"E208 15 subcircuit 'cell' has no node 'q'", "E208 16 subcircuit 'cell' has no node 'qb'"}));
  // Nodes of an inner subcircuit.
  auto inner = node;
  inner[1].second = "node = \"x1.q\"";
  const std::string latch = ".subckt latch a\nr1 a q 1\nc1 q 0 1f\n.ends\n";
  EXPECT_TRUE(problems_of("", inner, latch + ".subckt cell bl wl\ng1 bl 0 wl 0 1u\nx1 bl latch\n.ends\n").empty());
  EXPECT_EQ(problems_of("", inner, latch + ".subckt cell bl wl\ng1 bl 0 wl 0 1u\nx2 bl latch\n.ends\n"),
            (Texts{"E208 15 subcircuit 'cell' has no node 'x1.q'"}));
  const auto stored = [&](const std::string& kind, const std::string& keys, const std::string& subcircuit) {
    return problems_of("", {{"store = \"pin_voltage\"", "store = \"" + kind + "\""}, {"pin = \"w\"", keys}},
                       subcircuit);
  };
  const std::string level = ".subckt cell bl wl lvl=1\nr1 bl wl {lvl}\n.ends\n";
  EXPECT_TRUE(stored("subcircuit_parameter", "parameter = \"LVL\"", level).empty());
  EXPECT_EQ(stored("subcircuit_parameter", "parameter = \"level\"", level),
            (Texts{"E208 15 subcircuit 'cell' has no parameter 'level'"}));
  const std::string keys = "device = \"n\"\nparameter = \"vto\"";
  EXPECT_TRUE(stored("model_parameter", keys, ".subckt cell bl wl\nm1 bl wl 0 0 n\n.model n nmos\n.ends\n").empty());
  // A card outside would be every cell's.
  EXPECT_EQ(stored("model_parameter", keys, ".model n nmos\n.subckt cell bl wl\nm1 bl wl 0 0 n\n.ends\n"),
            (Texts{"E208 15 subcircuit 'cell' has no .model 'n' inside it"}));
}

TEST(CheckAgainstNetlist, FollowsADeviceToTheLeaf) {
  const std::string cell =
      ".subckt two a b\nr1 a b 1\nxx a b one\n.ends\n.subckt one a b\nr1 a b 1\nr<3> a b 1\n"
      "m1 a b 0 0 n w=1u\n.ends\n.model n nmos\n.option scale=0.9\n" +
      std::string(kPinCell).replace(std::string(kPinCell).find(".ends"), 5, "x1 bl w two\n.ends");
  const auto with = [&](const std::string& device, const std::string& parameter) {
    return problems_of("", {}, cell, {{}, {device, parameter}});
  };
  EXPECT_TRUE(with("x1.r1", "resistance").empty());
  EXPECT_TRUE(with("x1.xx.r1", "resistance").empty());
  EXPECT_EQ(with("x1.r2", "resistance"), (Texts{"E208 6 subcircuit 'cell' has no device 'x1.r2'"}));
  EXPECT_EQ(with("x1.xx.xx.r1", "resistance"), (Texts{"E208 6 subcircuit 'cell' has no device 'x1.xx.xx.r1'"}));
  EXPECT_EQ(with("x1.xx", "resistance"), (Texts{"E208 6 'x1.xx' is a subcircuit, not a device"}));
  // In a command `<` would redirect.
  EXPECT_EQ(with("x1.xx.r<3>", "resistance"), (Texts{"E208 6 ngspice cannot alter a device of the name 'x1.xx.r<3>'"}));
  EXPECT_TRUE(with("x1.xx.m1", "delvto").empty());
  EXPECT_EQ(with("x1.xx.m1", "w"),
            (Texts{"E208 6 with .option scale ngspice would scale an altered w of 'x1.xx.m1' once more"}));
}

TEST(CheckAgainstNetlist, GlobalNodesNeedARole) {
  const std::string cell = ".global vdd! out w5\n.subckt cell bl wl w\ngread bl 0 w wl 2u\nr1 bl vdd! 1k\n.ends\n";
  EXPECT_EQ(problems_of("", {}, cell), (Texts{"E203 6 global node 'vdd!' of 'cell' has no role"}));
  const std::string tied = "[[circuit.tied_pin]]\npin = \"vdd!\"\nvoltage = \"0.5 V\"\n";
  EXPECT_TRUE(problems_of(tied, {}, cell).empty());
  EXPECT_EQ(problems_of("", {}, ".global w out\n.subckt cell bl wl w\ngread bl out w wl 2u\n.ends\n"),
            (Texts{"E203 15 'w' is a global node, the same for every cell",
                   "E203 6 the global node 'out' has the name of a node of errata's deck",
                   "E203 6 global node 'out' of 'cell' has no role"}));
  EXPECT_EQ(problems_of("[[circuit.tied_pin]]\npin = \"gnd\"\nvoltage = \"0 V\"\n", {},
                        ".subckt cell bl wl w gnd\ngread bl gnd w wl 2u\n.ends\n"),
            (Texts{"E203 51 ngspice takes 'gnd' for ground, whatever the pin is connected to"}));
}

TEST(CheckAgainstNetlist, KnowsTheResetSwitch) {
  const std::string cell = kPinCell;
  const std::string good = ".subckt reset line reference control\nr1 line reference 1k\nrc control 0 1k\n.ends\n";
  EXPECT_TRUE(problems_of("reset_switch = \"reset\"\n", {}, cell + good, {{}}, {{"r1", "resistance"}}).empty());
  EXPECT_EQ(problems_of("reset_switch = \"other\"\n", {}, cell + good),
            (Texts{"E202 50 the netlist has no subcircuit 'other'"}));
  EXPECT_EQ(problems_of("reset_switch = \"reset\"\n", {},
                        cell + ".subckt reset bl reference control\nr1 bl reference 1k\nrc control 0 1k\n.ends\n"),
            (Texts{"E203 50 pin 'bl' of 'reset' has no role", "E203 50 subcircuit 'reset' has no pin 'line'"}));
  const std::string term =
      "[[circuit.mismatch]]\nname = \"s\"\nscope = \"column\"\ndevice = \"switch.m1\"\nparameter = \"delvto\"\n"
      "sigma = \"1 mV\"\n";
  EXPECT_EQ(problems_of("reset_switch = \"reset\"\n" + term, {}, cell + good, {{}}, {{"m1", "delvto"}}),
            (Texts{"E208 54 subcircuit 'reset' has no device 'm1'"}));
  EXPECT_EQ(problems_of(term, {}, cell + good, {{}}, {{"m1", "delvto"}}),
            (Texts{"E208 53 there is no array.reset_switch, so no device 'switch.m1'"}));
}

}  // namespace
}  // namespace errata::circuit
