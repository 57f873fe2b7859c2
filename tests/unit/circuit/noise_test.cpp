// Dynamic noise of columns by named source, against what is known by hand: ladders of resistors, a line that
// equipartition gives kT/C, a capacitor array.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "circuit/campaign/line_noise.h"
#include "circuit/campaign/noise_points.h"
#include "circuit/characterize.h"
#include "circuit/netlist/silent_elements.h"
#include "core/quantity.h"
#include "tests/support/cell_project.h"
#include "tests/support/example_project.h"
#include "tests/support/transient_project.h"

namespace errata::circuit {
namespace {

using testing::kCapacitorCell;
using testing::kConstantCurrentCell;
using testing::kDischargeProject;
using testing::kDividerCell;
using testing::kExampleProject;
using testing::small_campaign;
using testing::TemporaryFolder;
using testing::write_project;

constexpr double kThermal = kBoltzmannJoulesPerKelvin * 300.15;

RunContext one_job() {
  RunContext context;
  context.jobs = 1;
  return context;
}

const NoiseShare& share(const Characterization& c, const std::string& name) {
  for (const auto& s : c.columns.noise_shares)
    if (s.name == name) return s;
  throw std::runtime_error("no source '" + name + "'");
}

std::vector<std::string> names(const Characterization& c) {
  std::vector<std::string> all;
  for (const auto& s : c.columns.noise_shares) all.push_back(s.name);
  return all;
}

/// Calls check(read, chip, line, operand) for every read whose noise was simulated.
template <class Check>
void for_each_read(const Characterization& c, Check check) {
  const auto& m = c.columns;
  std::size_t read = 0;
  for (std::size_t chip = 0; chip < m.noise_chips; ++chip)
    for (std::size_t line = 0; line < m.branches * m.columns; ++line)
      for (std::size_t o = 0; o < m.noise_operands; ++o) check(read++, chip, line, o);
  ASSERT_GT(read, 0u);
}

TEST(ClampedNoise, EachDeviceHasItsKnownShare) {
  const TemporaryFolder folder;
  const Settings s =
      write_project(folder.path(), kExampleProject, kDividerCell,
                    small_campaign({{"array.wire_resistance", "0 Ohm"}, {"array.clamp_resistance", "2 kOhm"}}));
  const auto c = characterize(s, folder / "artifacts", one_job());
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(names(c), (std::vector<std::string>{"clamp", "cell rfix", "cell rload", "cell rmem", "rtn"}));
  const auto levels = s.numbers("circuit.weight.levels");
  for_each_read(c, [&](std::size_t read, std::size_t chip, std::size_t line, std::size_t o) {
    const auto& design = c.columns.design(chip, line / 2);
    const auto& stored = design.branch(line % 2);
    double siemens = 0, memory = 0, fixed = 0, rtn = 0;
    const double clamp_volts = 0.2 + 2e-3 * unit_draw(7, c.mismatch[1], 1, {chip, line}, 0);
    for (std::size_t j = 0; j < stored.size(); ++j) {
      const double r = levels[stored[j]] *
                       std::exp(c.mismatch[0].sigma_at(stored[j]) * unit_draw(7, c.mismatch[0], 0, {chip, line}, j));
      const double g = 1 / (r + 10e3);
      siemens += g, memory += r * g * g, fixed += 10e3 * g * g;
      if (design.input(o)[j] != 0) rtn += std::pow(0.02 * g, 2);
    }
    const double gain = 1 / (1 + 2e3 * siemens), band = 4 * kThermal * c.array.bandwidth_hertz;
    // 1e-6: reltol of Newton; the conductance of the probes is 1e-10 of a cell's.
    EXPECT_NEAR(share(c, "cell rmem").variance[read] / (band * gain * gain * memory), 1, 1e-6);
    EXPECT_NEAR(share(c, "cell rfix").variance[read] / (band * gain * gain * fixed), 1, 1e-6);
    EXPECT_NEAR(share(c, "clamp").variance[read] / (band * 2e3 * std::pow(siemens * gain, 2)), 1, 1e-6);
    EXPECT_LT(share(c, "cell rload").variance[read], 1e-12 * band * siemens);  // its word line is a source
    const double volts = clamp_volts * gain;
    // Operating point and gain are both the circuit's own, so the exact derivative is met within the same tolerance.
    EXPECT_NEAR(share(c, "rtn").variance[read], gain * gain * volts * volts * rtn,
                2e-6 * gain * gain * volts * volts * rtn);
    double sum = 0;
    for (const auto& source : c.columns.noise_shares) sum += source.declared ? 0.0 : source.variance[read];
    EXPECT_NEAR(c.columns.noise_square[read] / sum, 1, 1e-12);
    EXPECT_NEAR(sum / (band * gain * gain * (siemens + 2e3 * siemens * siemens)), 1, 1e-6);
  });
  EXPECT_TRUE(c.silent_elements.empty());
}

TEST(ClampedNoise, OfNeighboursIsTakenFromEachLineInTurn) {
  const TemporaryFolder folder;
  const auto alone = characterize(write_project(folder / "alone", kExampleProject, kDividerCell, small_campaign()),
                                  folder / "a", one_job());
  const auto together = characterize(write_project(folder / "together", kExampleProject, kDividerCell,
                                                   small_campaign({{"circuit.design.neighbours", "4"}})),
                                     folder / "b", one_job());
  ASSERT_EQ(share(alone, "cell rmem").variance.size(), share(together, "cell rmem").variance.size());
  // The cells ignore their word lines, which is all that the lines share.
  for (const char* name : {"cell rmem", "clamp", "bit-line wire"})
    for (std::size_t i = 0; i < share(alone, name).variance.size(); ++i)
      EXPECT_NEAR(share(together, name).variance[i] / share(alone, name).variance[i], 1, 1e-6) << name << " " << i;
}

/// A resistor to ground behind a transistor of 70 to 200 Ohm; stored 0 is a hundred times as large. Without
/// capacitances and leakage, so that the line alone has a state.
constexpr const char* kSwitchedResistor =
    "* switched resistor\n.model ideal nmos level=1 vto=1.5 kp=10m\n.subckt cell bl wl\nm1 bl wl mid 0 ideal\n"
    "r1 mid 0 50k\n.ends\n";

Settings resistor_project(const TemporaryFolder& folder, std::vector<SettingOverride> more = {}) {
  more.insert(more.begin(), {{"array.rows", "8"},
                             {"circuit.design.columns", "1"},
                             {"circuit.design.operands", "4"},
                             {"circuit.input.levels", R"(["0 V", "3 V"])"},
                             {"circuit.mismatch", "[]"}});
  std::string project = kDischargeProject;
  const auto from = project.find("[circuit.weight]"), to = project.find("[circuit.timing]");
  project.replace(from, to - from,
                  "[circuit.weight]\ndevice = \"r1\"\nparameter = \"resistance\"\n"
                  "levels = [\"5 MOhm\", \"50 kOhm\"]\n");
  return write_project(folder.path(), project, kSwitchedResistor, small_campaign(more));
}

constexpr double kConducting = 0.52e-9;  // the pulse and half of both edges

TEST(DischargeNoise, OfResistorsOnAnyLineIsTheEquipartition) {
  // Whatever has been discharged, reset and resistors together leave kT/C: what the decay takes from the reset's
  // variance, the resistors' noise brings back.
  const TemporaryFolder folder;
  const auto c = characterize(resistor_project(folder), folder / "artifacts", one_job());
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(names(c), (std::vector<std::string>{"cell m1", "cell r1", "reset kT/C", "comparator"}));
  double most = 0.0;
  for_each_read(c, [&](std::size_t read, std::size_t chip, std::size_t line, std::size_t o) {
    const auto& design = c.columns.design(chip, 0);
    double siemens = 0;
    for (std::size_t j = 0; j < 8; ++j)
      if (design.input(o)[j] != 0) siemens += 1 / (design.branch(line)[j] == 0 ? 5e6 : 50e3);
    const double farads = c.array.line_farads, decay = std::exp(-2 * siemens * kConducting / farads);
    // 2 %: the transistor's 200 Ohm beside 50 kOhm, and when within the word line's edge it conducts.
    const double full = kThermal / farads;
    EXPECT_NEAR(share(c, "reset kT/C").variance[read], full * decay, 0.02 * full);
    EXPECT_NEAR(share(c, "cell r1").variance[read], full * (1 - decay), 0.02 * full);
    EXPECT_NEAR(c.columns.noise_square[read], full, 0.02 * full);
    EXPECT_EQ(share(c, "comparator").variance[read], 4e-6);
    most = std::max(most, 1 - decay);
  });
  EXPECT_GT(most, 0.9);  // a line that the cells have forgotten the reset of
}

TEST(DischargeNoise, DeclaredOfACellIsItsChargeOverTheLine) {
  const TemporaryFolder folder;
  const Settings s = write_project(
      folder.path(), kDischargeProject, kConstantCurrentCell,
      small_campaign({{"circuit.design.columns", "1"},
                      {"circuit.mismatch", "[]"},
                      {"circuit.noise_source", R"([{name = "rtn", kind = "cell_relative", sigma = "3 %"}])"}}));
  const auto c = characterize(s, folder / "artifacts", one_job());
  for_each_read(c, [&](std::size_t read, std::size_t chip, std::size_t line, std::size_t o) {
    const auto& design = c.columns.design(chip, 0);
    double squares = 0;
    for (std::size_t j = 0; j < design.rows; ++j)
      if (design.input(o)[j] != 0)
        squares +=
            std::pow(0.03 * 2e-6 * c.cell.weight_levels[design.branch(line)[j]] * 0.52e-9 / c.array.line_farads, 2);
    // 0.5 %: ngspice integrates the first step after each corner of the test charge by backward Euler.
    EXPECT_NEAR(share(c, "rtn").variance[read], squares, 0.005 * squares);
    EXPECT_NEAR(share(c, "reset kT/C").variance[read] * c.array.line_farads / kThermal, 1, 0.005);
  });
  EXPECT_EQ(c.silent_elements, (std::vector<std::string>{"cell b1", "cell gread"}));
}

TEST(ChargeNoise, OfTheCellsSwitchesAndTheResetIsThatOfTheLineAlone) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kDischargeProject, kCapacitorCell,
                                   small_campaign({{"circuit.read", "charge"},
                                                   {"array.precharge_voltage", "0 V"},
                                                   {"circuit.timing.pulse", "1 ns"},
                                                   {"circuit.design.columns", "1"},
                                                   {"circuit.mismatch", "[]"}}));
  const auto c = characterize(s, folder / "artifacts", one_job());
  EXPECT_EQ(c.failed_points, 0);
  const double all = c.array.line_farads + 4 * 2e-15;
  for_each_read(c, [&](std::size_t read, std::size_t, std::size_t, std::size_t) {
    // 0.5 %: the first step after each corner of the test charge again.
    EXPECT_NEAR(share(c, "reset kT/C").variance[read] * all / kThermal, 1, 0.005);
    EXPECT_NEAR(c.columns.noise_square[read] * c.array.line_farads / kThermal, 1, 0.005);
  });
}

TEST(SampledNoise, AddsUpToTheCapacitorsOwn) {
  // A line, a capacitor behind a switch and its own reset: kT/C of the capacitor, once they have come to rest together.
  const double line = 30e-15, sampling = 10e-15, whole = line + sampling;
  const double shared = kThermal * line / (whole * whole);      // the line's reset
  const double before = kThermal * sampling / (whole * whole);  // the capacitor's
  EXPECT_NEAR((sampling_variance(line, sampling, 300.15) + shared + before) * sampling / kThermal, 1, 1e-12);
}

TEST(SampledNoise, OfAColumnSwitchAndItsCapacitor) {
  const TemporaryFolder folder;
  const std::string netlist = std::string(kConstantCurrentCell) +
                              ".model colsw sw vt=0.5 vh=0 ron=100 roff=1e15\n"
                              ".subckt mux line sense control\ns1 line sense control 0 colsw\n.ends\n";
  const Settings s = write_project(folder.path(), kDischargeProject, netlist,
                                   small_campaign({{"circuit.design.columns", "1"},
                                                   {"circuit.mismatch", "[]"},
                                                   {"array.column_switch", "mux"},
                                                   {"array.sense_capacitance", "10 fF"}}));
  const auto c = characterize(s, folder / "artifacts", one_job());
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_FALSE(c.has_cell());
  const double whole = c.array.line_farads + 10e-15;
  for_each_read(c, [&](std::size_t read, std::size_t, std::size_t, std::size_t) {
    EXPECT_NEAR(share(c, "reset kT/C").variance[read] * whole / kThermal, 1, 0.01);  // 1 %: the switch is 100 Ohm
    EXPECT_NEAR(c.columns.noise_square[read] * 10e-15 / kThermal, 1, 0.01);
  });
}

TEST(LineNoise, GainsNeedNeitherCapacitanceNorConductance) {
  // dV/dt = (I - g(t) V) / C with g rising over time: D and H integrated by hand, the gain known in closed form.
  const double farads = 20e-15, slope = 4e4;  // g = slope t, in siemens for seconds
  LineResponse r;
  const std::size_t count = 201;
  const double end = 1e-9;
  double driven = 0.0, last_inverse = 1.0;
  for (std::size_t k = 0; k < count; ++k) {
    const double t = end * static_cast<double>(k) / (count - 1);
    const double inverse = std::exp(slope * t * t / (2 * farads));
    if (k > 0) driven += 0.5 * (inverse + last_inverse) * (end / (count - 1)) / farads;
    last_inverse = inverse;
    r.seconds.push_back(t);
    r.volts_per_coulomb.push_back(1 / (farads * inverse));
    r.volts_per_ampere.push_back(driven / inverse);
  }
  r.output_per_coulomb = r.volts_per_coulomb.back();
  const auto gains = charge_gains(r);
  for (std::size_t k = 0; k + 1 < count; ++k) {
    const double t = 0.5 * (r.seconds[k] + r.seconds[k + 1]);
    const double known = std::exp(slope * (t * t - end * end) / (2 * farads)) / farads;
    EXPECT_NEAR(gains[k] / known, 1, 1e-3) << k;  // second order in a two-hundredth of the run
  }
}

TEST(SilentElements, AreThoseThatNgspiceKnowsNoNoiseOf) {
  // One element of each kind between the same two nodes; ngspice itself says which of them make noise.
  Deck deck;
  deck.name = "types";
  deck.lines = {"types",
                ".model sw1 sw vt=0.5 vh=0 ron=1k roff=1g",
                ".model csw1 csw it=0.5m ih=0 ron=1k roff=1g",
                ".model dd d is=1e-14",
                ".model qq npn",
                ".model jj njf",
                ".model mm nmf",
                ".model nn nmos level=1",
                "vclamp a 0 dc 0.7 ac 1",
                "vctl ctl 0 1",
                "hout out 0 vclamp 1"};
  const std::pair<char, const char*> elements[] = {
      {'r', "a 0 1k"},        {'d', "a 0 dd"},      {'q', "a a 0 qq"},      {'j', "a 0 0 jj"},
      {'z', "a 0 0 mm"},      {'m', "a a 0 0 nn"},  {'s', "a 0 ctl 0 sw1"}, {'w', "a 0 vclamp csw1"},
      {'b', "a 0 i=1u*v(a)"}, {'g', "a 0 a 0 1u"},  {'f', "a 0 vctl 1u"},   {'c', "a 0 1f"},
      {'e', "ee 0 a 0 1"},    {'h', "hh 0 vctl 1"}, {'i', "a 0 dc 1u"}};
  for (const auto& [type, rest] : elements) {
    deck.lines.push_back(fmt::format("{}x {}", type, rest));
    add_noise_device(deck, std::string(1, type), fmt::format("{}x", type));
  }
  deck.lines.push_back(".end");
  deck.positions.resize(deck.lines.size());
  SimulationPoint point;
  set_noise_band(point, ArrayConstants{.bandwidth_hertz = 1e8});
  const auto result = run_campaign({deck}, {point}, {}, {}, {}, one_job());
  ASSERT_EQ(result.points[0].values.size(), 1 + std::size(elements)) << result.points[0].log;
  for (std::size_t k = 0; k < std::size(elements); ++k) {
    const char type = elements[k].first;
    // A switch has a vector, but small-signal analyses see it open: 4kT/R of its roff whatever its state.
    const bool is_switch = type == 's' || type == 'w';
    EXPECT_EQ(std::isfinite(result.points[0].values[1 + k]), has_noise_model(type) || is_switch) << type;
    EXPECT_EQ(is_silent(type), std::string_view("bgfehsw").find(type) != std::string_view::npos) << type;
    if (type == 's') {
      EXPECT_NEAR(result.points[0].values[1 + k] / (4 * kThermal / 1e9 * 1e8), 1, 1e-3);
    }
  }
  const double sum = std::accumulate(result.points[0].values.begin() + 1, result.points[0].values.end(), 0.0,
                                     [](double total, double v) { return std::isfinite(v) ? total + v : total; });
  EXPECT_NEAR(result.points[0].values[0] / sum, 1, 1e-9);
}

TEST(SilentElements, AResistorThatIsToldToBeSilentIsNamed) {
  const TemporaryFolder folder;
  const std::string netlist =
      "* a\n.subckt cell bl wl sl\nrmem bl mid 10k\nrfix mid sl 10k noisy=0\nrload wl 0 1meg\n.ends\n";
  const auto c = characterize(write_project(folder.path(), kExampleProject, netlist, small_campaign()),
                              folder / "artifacts", one_job());
  EXPECT_EQ(c.silent_elements, (std::vector<std::string>{"cell rfix"}));
  EXPECT_TRUE(std::isfinite(c.columns.noise_square[0]));
}

TEST(NoiseFile, KeepsSharesAndSilentElements) {
  const TemporaryFolder folder;
  const auto c = characterize(resistor_project(folder), folder / "artifacts", one_job());
  const auto back = Characterization::load(folder / "artifacts" / "characterization.h5");
  EXPECT_EQ(names(back), names(c));
  EXPECT_EQ(back.silent_elements, c.silent_elements);
  EXPECT_EQ(back.cell_noise.devices, c.cell_noise.devices);
  EXPECT_EQ(back.cell_noise.bit_line_volts, c.cell_noise.bit_line_volts);
  ASSERT_EQ(back.cell_noise.square_amperes.size(), 2u * 2 * 9 * 2);
  for (std::size_t n = 0; n < c.columns.noise_shares.size(); ++n) {
    EXPECT_EQ(back.columns.noise_shares[n].variance, c.columns.noise_shares[n].variance);
    EXPECT_EQ(back.columns.noise_shares[n].declared, c.columns.noise_shares[n].declared);
  }
}

}  // namespace
}  // namespace errata::circuit
