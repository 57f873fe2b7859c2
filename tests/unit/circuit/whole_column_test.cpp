// Columns that are more than errata's own sum of cells: the netlist's column, a second bit line, a column switch,
// further outputs; and mismatch of model and subcircuit parameters.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "circuit/characterize.h"
#include "tests/support/cell_project.h"
#include "tests/support/example_project.h"
#include "tests/support/expect_error.h"
#include "tests/support/transient_project.h"

namespace errata::circuit {
namespace {

using testing::diagnostics_of;
using testing::small_campaign;
using testing::TemporaryFolder;
using testing::write_project;

RunContext jobs(int n) {
  RunContext context;
  context.jobs = n;
  return context;
}

/// The text with parts of it replaced, each of which must be there.
std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& parts) {
  for (const auto& [from, to] : parts) {
    const auto at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error("no '" + from + "' in the text");
    text.replace(at, from.size(), to);
  }
  return text;
}

/// `lines` bit lines of four cells on common word lines, as a designer would write them: rows and lines from `first`.
std::string column_of(const std::string& cell, const std::string& cell_pins, std::size_t lines, std::size_t first,
                      const std::string& column_pins) {
  std::string text = cell + ".subckt MyColumn", body;
  const auto numbered = [&](std::string pattern, std::size_t row, std::size_t line) {
    for (const auto& [mark, n] : {std::pair<std::string, std::size_t>{"R", row}, {"L", line}})
      for (std::size_t at; (at = pattern.find(mark)) != std::string::npos;)
        pattern.replace(at, 1, std::to_string(first + n));
    return pattern;
  };
  std::string pins;
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t l = 0; l < lines; ++l) {
      body += numbered("xcR_L " + cell_pins + " cell\n", r, l);
      for (const auto& pin : {numbered(column_pins, r, l)})
        for (std::size_t at = 0, end; at < pin.size(); at = end + 1) {
          end = std::min(pin.find(' ', at), pin.size());
          const std::string one = " " + pin.substr(at, end - at);
          if ((pins + " ").find(one + " ") == std::string::npos) pins += one;
        }
    }
  return text + pins + "\n" + body + ".ends\n";
}

const std::vector<std::pair<std::string, std::string>> kColumnOfCells = {
    {"cell = \"cell\"", "column = \"mycolumn\""},
    {"word_line = \"wl\"", "word_line = \"wl{row}\""},
    {"source_line = \"sl\"", "ground = \"vss\""},
    {"device = \"rmem\"\nparameter", "device = \"xc{row}_{line}.rmem\"\nparameter"},
    {"device = \"rmem\"", "device = \"xc{row}_{line}.rmem\""},
    {"wire_resistance = \"1 Ohm\"\n", ""}};

/// Outputs of two campaigns of the same chips and operands.
void expect_equal_columns(const Characterization& a, const Characterization& b, double tolerance) {
  ASSERT_EQ(a.columns.output.size(), b.columns.output.size());
  ASSERT_FALSE(a.columns.output.empty());
  for (std::size_t i = 0; i < a.columns.output.size(); ++i)
    EXPECT_NEAR(a.columns.output[i] / b.columns.output[i], 1.0, tolerance) << i;
}

TEST(WholeColumn, OfTheSameCellsGivesTheNumbersOfTheComposedOne) {
  const TemporaryFolder folder;
  const auto composed = characterize(write_project(folder / "cells", testing::kExampleProject, testing::kTransistorCell,
                                                   small_campaign({{"array.wire_resistance", "0 Ohm"}})),
                                     folder / "a", jobs(1));
  for (const std::size_t first : {0, 1}) {
    const auto s = write_project(folder / "column", replaced(testing::kExampleProject, kColumnOfCells),
                                 column_of(testing::kTransistorCell, "bl wlR vss", 1, first, "bl wlR vss"),
                                 small_campaign({{"circuit.first_index", std::to_string(first)}}));
    const auto whole = characterize(s, folder / "b", jobs(1));
    EXPECT_EQ(whole.failed_points, 0);
    EXPECT_FALSE(whole.has_cell());
    // 1e-6: reltol of Newton, the matrices having another order.
    expect_equal_columns(whole, composed, 1e-6);
    ASSERT_FALSE(whole.columns.noise_square.empty());
    for (std::size_t i = 0; i < whole.columns.noise_square.size(); ++i)
      EXPECT_NEAR(whole.columns.noise_square[i] / composed.columns.noise_square[i], 1.0, 1e-4);
    const auto back = Characterization::load(folder / "b" / "characterization.h5");
    EXPECT_FALSE(back.has_cell());
    EXPECT_EQ(back.columns.output, whole.columns.output);
  }
}

TEST(WholeColumn, MayBeASmallArrayOnCommonWordLines) {
  const TemporaryFolder folder;
  const std::vector<SettingOverride> together = {{"circuit.design.neighbours", "4"}};
  auto with_wire = together;
  with_wire.push_back({"array.wire_resistance", "0 Ohm"});
  const auto composed = characterize(
      write_project(folder / "cells", testing::kExampleProject, testing::kTransistorCell, small_campaign(with_wire)),
      folder / "a", jobs(1));
  auto parts = kColumnOfCells;
  parts.push_back({"bit_line = \"bl\"", "bit_line = \"bl{line}\""});
  const auto whole = characterize(
      write_project(folder / "column", replaced(testing::kExampleProject, parts),
                    column_of(testing::kTransistorCell, "blL wlR vss", 4, 0, "blL wlR vss"), small_campaign(together)),
      folder / "b", jobs(1));
  EXPECT_EQ(whole.failed_points, 0);
  expect_equal_columns(whole, composed, 1e-6);
}

TEST(WholeColumn, DischargesAsTheComposedOneDoes) {
  const TemporaryFolder folder;
  const auto composed = characterize(write_project(folder / "cells", testing::kDischargeProject, testing::kOhmicCell,
                                                   small_campaign({{"array.wire_capacitance", "0 F"}})),
                                     folder / "a", jobs(1));
  const auto project = replaced(testing::kDischargeProject, {{"cell = \"cell\"", "column = \"mycolumn\""},
                                                             {"word_line = \"wl\"", "word_line = \"wl{row}\""},
                                                             {"pin = \"w\"", "pin = \"w{row}\""},
                                                             {"device = \"gread\"", "device = \"xc{row}_0.gread\""},
                                                             {"wire_resistance = \"0 Ohm\"\n", ""},
                                                             {"wire_capacitance = \"0.25 fF\"\n", ""}});
  const auto whole =
      characterize(write_project(folder / "column", project,
                                 column_of(testing::kOhmicCell, "bl wlR wR", 1, 0, "bl wlR wR"), small_campaign()),
                   folder / "b", jobs(1));
  EXPECT_EQ(whole.failed_points, 0);
  expect_equal_columns(whole, composed, 1e-6);
}

/// A column with a bit line of its own, its capacitance and its precharge: only node names tell what comes out.
const char* const kOwnPeriphery =
    "* own\n.subckt cell bl wl w\nb1 ctl 0 v=v(wl)*v(w)\ngread bl 0 ctl 0 2u\n.ends\n"
    ".subckt col wl0 wl1 wl2 wl3 w0 w1 w2 w3 bl\nvpre pre 0 dc 1\nvsense pre bl dc 0\ncbl bl 0 20f\n"
    "xc0 bl wl0 w0 cell\nxc1 bl wl1 w1 cell\nxc2 bl wl2 w2 cell\nxc3 bl wl3 w3 cell\n.ends\n";

std::string own_periphery_project(const std::string& outputs) {
  return replaced(testing::kDischargeProject,
                  {{"cell = \"cell\"", "column = \"col\"\nresult = \"charge\""},
                   {"word_line = \"wl\"", "word_line = \"wl{row}\""},
                   {"pin = \"w\"", "pin = \"w{row}\""},
                   {"device = \"gread\"", "device = \"xc{row}.gread\""},
                   {"device = \"sense\"\nparameter = \"offset_voltage\"\nsigma = \"5 mV\"",
                    "device = \"cbl\"\nparameter = \"capacitance\"\nsigma = \"1 fF\""},
                   {"device = \"precharge\"\nparameter = \"voltage\"\nsigma = \"10 mV\"",
                    "device = \"vpre\"\nparameter = \"dc\"\nsigma = \"10 mV\""},
                   {"kind = \"output_voltage\"\nsigma = \"2 mV\"", "kind = \"output_charge\"\nsigma = \"0.01 fC\""},
                   {"wire_resistance = \"0 Ohm\"\nprecharge_voltage = \"1 V\"\nbit_line_capacitance = \"20 fF\"\n"
                    "wire_capacitance = \"0.25 fF\"\n",
                    "periphery = \"netlist\"\n"}}) +
         outputs;
}

const char* const kCharge =
    "[[circuit.output]]\nname = \"charge\"\nquantity = \"current\"\ndevice = \"vsense\"\nmeasure = \"integral\"\n";

TEST(WholeColumn, WithItsOwnPeripheryYieldsTheNamedOutput) {
  const TemporaryFolder folder;
  const auto s =
      write_project(folder.path(),
                    own_periphery_project(
                        std::string(kCharge) +
                        "[[circuit.output]]\nname = \"half\"\nnode = \"bl\"\nreference = \"w1\"\ntime = \"0.4 ns\"\n"
                        "[[circuit.output]]\nname = \"mean current\"\nquantity = \"current\"\ndevice = "
                        "\"vsense\"\nmeasure = \"average\"\nfrom = \"0.2 ns\"\nto = \"0.5 ns\"\n"),
                    kOwnPeriphery, small_campaign());
  const auto c = characterize(s, folder / "artifacts", jobs(1));
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(c.array.unit, "C");
  const auto& m = c.columns;
  ASSERT_EQ(m.records.size(), 3u);
  EXPECT_EQ(m.records[1].unit, "V");
  EXPECT_EQ(m.records[2].unit, "A");
  const auto levels = s.numbers("circuit.weight.levels");
  std::size_t i = 0;
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t column = 0; column < m.columns; ++column)
      for (std::size_t b = 0; b < m.branches; ++b)
        for (std::size_t o = 0; o < m.operands; ++o, ++i) {
          const auto& design = m.design(chip, column);
          const auto stored = design.branch(b);
          double microamperes = 0.0;
          for (std::size_t row = 0; row < 4; ++row) {
            const double z = unit_draw(s.seed(), c.mismatch[0], 0, {chip, m.branches * column + b}, row);
            if (design.input(o)[row] != 0) microamperes += 2.0 * std::exp(0.05 * z) * levels[stored[row]];
          }
          // A constant current for the pulse and one edge; the sources hold the line, so it does not move.
          EXPECT_NEAR(m.output[i], microamperes * 1e-6 * 0.52e-9, 1e-6 * 5e-15);
          EXPECT_EQ(m.records[0].values[i], m.output[i]);
          const double precharge = 1.0 + 0.01 * unit_draw(s.seed(), c.mismatch[2], 2, {chip, 0}, 0);
          EXPECT_NEAR(m.records[1].values[i], precharge - levels[stored[1]], 1e-6);
          EXPECT_NEAR(m.records[2].values[i], microamperes * 1e-6, 1e-5 * 1e-5);
        }
  EXPECT_GT(i, 0u);
  const auto back = Characterization::load(folder / "artifacts" / "characterization.h5");
  ASSERT_EQ(back.columns.records.size(), 3u);
  EXPECT_EQ(back.columns.records[2].name, "mean current");
  EXPECT_EQ(back.columns.records[2].values, m.records[2].values);
  EXPECT_EQ(back.array.unit, "C");
}

/// Problems of a project as "CODE message", the netlist being kOwnPeriphery.
std::vector<std::string> problems(const std::string& project, const std::string& netlist = kOwnPeriphery) {
  const TemporaryFolder folder;
  std::vector<std::string> all;
  for (const auto& d : diagnostics_of(
           [&] { plan_campaign(write_project(folder.path(), project, netlist, small_campaign()), jobs(1)); }))
    all.push_back(d.code + " " + d.message);
  return all;
}

using Texts = std::vector<std::string>;

TEST(WholeColumn, ContradictionsAreNamed) {
  const std::string good = own_periphery_project(kCharge);
  {
    const TemporaryFolder folder;
    const auto plan = plan_campaign(write_project(folder.path(), good, kOwnPeriphery, small_campaign()), jobs(1));
    EXPECT_EQ(plan.skeleton.array.unit, "C");
  }
  EXPECT_EQ(problems(replaced(good, {{"column = \"col\"", "column = \"col\"\ncell = \"cell\""}})),
            (Texts{"E107 circuit.cell and circuit.column exclude each other"}));
  EXPECT_EQ(problems(replaced(good, {{"wl{row}", "wl0"}})),
            (Texts{"E107 circuit.pins.word_line of a circuit.column needs {row}"}));
  EXPECT_EQ(problems(replaced(good, {{"\"w{row}\"", "\"w0\""}})),
            (Texts{"E107 the names under [circuit.weight] need {row}, or every cell would store the same"}));
  EXPECT_EQ(problems(replaced(good, {{"xc{row}.gread", "xc0.gread"}})),
            (Texts{"E107 'xc0.gread' is one device of the whole column, so its scope is column or chip"}));
  EXPECT_EQ(problems(replaced(good, {{"device = \"cbl\"", "device = \"xc{row}.gread\""}})),
            (Texts{"E107 'xc{row}.gread' exists in every row, so its scope is cell"}));
  EXPECT_EQ(problems(replaced(good, {{"result = \"charge\"", "result = \"charg\""}})),
            (Texts{"E107 no [[circuit.output]] is called 'charg'",
                   "E107 circuit.noise_source[0]: the output of the column is in V",
                   "E104 circuit.noise_source[0].sigma is in C; output_voltage takes V"}));
  EXPECT_EQ(problems(replaced(good, {{"\nresult = \"charge\"", ""},
                                     {"output_charge\"\nsigma = \"0.01 fC", "output_voltage\"\nsigma = \"2 mV"}})),
            (Texts{"E107 array.periphery = \"netlist\" needs circuit.result"}));
  EXPECT_EQ(problems(replaced(good, {{"device = \"vsense\"", "device = \"cbl\""}})),
            (Texts{"E208 'cbl' is no voltage source"}));
  EXPECT_EQ(problems(replaced(good, {{"device = \"vsense\"", "node = \"bl\""}})),
            (Texts{"E106 circuit.output[0].device is missing: quantity = \"current\" needs it",
                   "E107 circuit.output[0].node does nothing with quantity = \"current\""}));
  EXPECT_EQ(
      problems(good + "[behavioral]\nmodel = \"floating_line\"\n"),
      (Texts{"E107 behavioral.model = \"floating_line\" is composed from the cell alone, but the project simulates "
             "only columns"}));
  // One complaint for the word lines, not one for each row.
  EXPECT_EQ(problems(replaced(good, {{"wl{row}", "row{row}"}})),
            (Texts{"E203 subcircuit 'col' has no pin 'row0'", "E203 pin 'wl0' of 'col' has no role",
                   "E203 pin 'wl1' of 'col' has no role", "E203 pin 'wl2' of 'col' has no role",
                   "E203 pin 'wl3' of 'col' has no role"}));
}

/// A cell with two resistors: 50 kOhm to the complement, the stored one to the line.
const char* const kPairCell = "* pair\n.subckt cell bl blb wl\nrmem bl 0 10k\nrfix blb 0 50k\nrload wl 0 1meg\n.ends\n";

std::string pair_project(const std::string& more = "") {
  return replaced(testing::kExampleProject, {{"source_line = \"sl\"", "complement_bit_line = \"blb\""},
                                             {"wire_resistance = \"1 Ohm\"", "wire_resistance = \"0 Ohm\""}}) +
         more;
}

TEST(Complement, IsSubtractedAndHasAPeripheryOfItsOwn) {
  const TemporaryFolder folder;
  const auto s = write_project(folder.path(), pair_project(), kPairCell, small_campaign());
  const auto c = characterize(s, folder / "artifacts", jobs(1));
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_FALSE(c.has_cell());
  const auto& m = c.columns;
  const auto levels = s.numbers("circuit.weight.levels");
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t column = 0; column < m.columns; ++column)
      for (std::size_t b = 0; b < m.branches; ++b) {
        const LineId line{chip, m.branches * column + b};
        double conductance = 0.0;
        const auto stored = m.design(chip, column).branch(b);
        for (std::size_t row = 0; row < 4; ++row) {
          const double z = unit_draw(7, c.mismatch[0], 0, line, row);
          conductance += 1.0 / (levels[stored[row]] * std::exp(c.mismatch[0].sigma_at(stored[row]) * z));
        }
        const auto current = [&](double g, LineId at) {
          const double clamp = 0.2 + 2e-3 * unit_draw(7, c.mismatch[1], 1, at, 0);
          return clamp * g / (1.0 + 50.0 * g);
        };
        const double expected = current(conductance, line) - current(4.0 / 50e3, complement_line(line));
        for (std::size_t o = 0; o < m.operands; ++o) EXPECT_NEAR(m.value(chip, column, b, o) / expected, 1.0, 1e-8);
      }
}

TEST(ColumnSwitch, StandsBetweenTheLineAndTheClampWithTheOpenOnesBeside) {
  const std::string netlist =
      std::string(testing::kDividerCell) +
      ".subckt pass line sense control\ns1 line sense control 0 sw\nrleak line sense 1meg\n"
      "rseries sense sense2 1\nropen sense2 0 1g\n.model sw sw vt=0.5 vh=0.1 ron=1k roff=1e12\n.ends\n";
  const TemporaryFolder folder;
  const auto s =
      write_project(folder.path(),
                    replaced(testing::kExampleProject,
                             {{"wire_resistance = \"1 Ohm\"",
                               "wire_resistance = \"0 Ohm\"\ncolumn_switch = \"pass\"\nmultiplexed_columns = 4"},
                              {"device = \"clamp\"\nparameter = \"voltage\"\nsigma = \"2 mV\"",
                               "device = \"column_switch.rleak\"\nparameter = \"resistance\"\nsigma = \"0.1 MOhm\""}}),
                    netlist, small_campaign());
  const auto c = characterize(s, folder / "artifacts", jobs(1));
  EXPECT_EQ(c.failed_points, 0);
  const auto& m = c.columns;
  const auto levels = s.numbers("circuit.weight.levels");
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t b = 0; b < m.branches; ++b) {
      const LineId line{chip, b};
      const auto stored = m.design(chip, 0).branch(b);
      double column = 0.0;
      for (std::size_t row = 0; row < 4; ++row) {
        const double z = unit_draw(7, c.mismatch[0], 0, line, row);
        column += 1.0 / (levels[stored[row]] * std::exp(c.mismatch[0].sigma_at(stored[row]) * z) + 10e3);
      }
      const double leak = 1e6 + 0.1e6 * unit_draw(7, c.mismatch[1], 1, line, 0);
      const double pass = 1e-3 + 1.0 / leak, through = 1.0 / (1.0 / pass + 1.0 / column);
      // The sense node: clamp over 50 Ohm, the column behind its switch, three leaks from lines at 0.2 V, four loads.
      const double others = 3e-6, loads = 4e-9;
      const double sense = (0.2 / 50 + others * 0.2) / (1.0 / 50 + through + others + loads);
      const double expected = (0.2 - sense) / 50;
      // 1e-5: three roff of 1e12 and ngspice's gmin.
      for (std::size_t o = 0; o < m.operands; ++o) EXPECT_NEAR(m.value(chip, 0, b, o) / expected, 1.0, 1e-5);
    }
}

TEST(Mismatch, MovesModelAndSubcircuitParameters) {
  const std::string netlist =
      "* cell\n.subckt cell bl wl sl extra=5k\n.model rmod r rsh=1k\nrmem bl mid 10k\nrsheet mid end rmod l=2u w=1u\n"
      "rextra end sl {extra}\nrload wl 0 1meg\n.ends\n";
  const TemporaryFolder folder;
  const auto s = write_project(
      folder.path(),
      replaced(
          testing::kExampleProject,
          {{"wire_resistance = \"1 Ohm\"", "wire_resistance = \"0 Ohm\""},
           {"[[circuit.noise_source]]",
            "[[circuit.mismatch]]\nname = \"sheet\"\ndevice = \"rmod\"\nparameter = \"rsh\"\nsigma = \"0.1 kOhm\"\n"
            "[[circuit.mismatch]]\nname = \"extra\"\ndevice = \"cell\"\nparameter = \"extra\"\nsigma = \"0.5 kOhm\"\n"
            "[[circuit.noise_source]]"}}),
      netlist, small_campaign());
  const auto c = characterize(s, folder / "artifacts", jobs(1));
  EXPECT_EQ(c.failed_points, 0);
  const auto& m = c.columns;
  const auto levels = s.numbers("circuit.weight.levels");
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t b = 0; b < m.branches; ++b) {
      const LineId line{chip, b};
      const auto stored = m.design(chip, 0).branch(b);
      double g = 0.0;
      for (std::size_t row = 0; row < 4; ++row) {
        const auto z = [&](std::size_t term) { return unit_draw(7, c.mismatch[term], term, line, row); };
        const double memory = levels[stored[row]] * std::exp(c.mismatch[0].sigma_at(stored[row]) * z(0));
        g += 1.0 / (memory + 2 * (1e3 + 100.0 * z(2)) + 5e3 + 500.0 * z(3));
      }
      const double clamp = 0.2 + 2e-3 * unit_draw(7, c.mismatch[1], 1, line, 0);
      for (std::size_t o = 0; o < m.operands; ++o)
        EXPECT_NEAR(m.value(chip, 0, b, o) / (clamp * g / (1.0 + 50.0 * g)), 1.0, 1e-8);
    }
}

TEST(Neighbours, AreAskedForWhereWordLinesCarryDirectCurrent) {
  const TemporaryFolder folder;
  const auto plan = [&](const std::vector<SettingOverride>& more) {
    return plan_campaign(
        write_project(folder.path(), testing::kExampleProject, testing::kDividerCell, small_campaign(more)), jobs(1));
  };
  // The word line's load draws 1 uA.
  const auto found = diagnostics_of([&] { plan({{"array.word_line_resistance", "5 Ohm"}}); });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].code, "E212");
  EXPECT_GT(plan({}).points.size(), 0u);
  EXPECT_GT(plan({{"array.word_line_resistance", "5 Ohm"},
                  {"circuit.design.neighbours", "8"},
                  {"circuit.design.columns", "4"}})
                .points.size(),
            0u);
}

}  // namespace
}  // namespace errata::circuit
