#include "behavioral/crossbar/crossbar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "tests/support/dense_crossbar.h"
#include "tests/support/expect_error.h"

namespace errata::behavioral {
namespace {

using testing::DenseCrossbar;
using testing::random_cells;
using testing::random_volts;

constexpr double kCellOhms = 2e4;  // about the mean of random_cells

std::vector<CrossbarBackend> backends() {
  if (crossbar_has_cholmod()) return {CrossbarBackend::kDissection, CrossbarBackend::kCholmod};
  return {CrossbarBackend::kDissection};
}

/// Largest difference relative to each reference value. A missing cell lets through up to 18 orders less (by sneak
/// paths), which the reference does not resolve: values below 1e-6 of the largest are held to 1e-6 of it.
double relative_error(std::span<const double> values, std::span<const double> reference) {
  double largest = 0, worst = 0;
  for (const double r : reference) largest = std::max(largest, std::fabs(r));
  for (std::size_t k = 0; k < reference.size(); ++k)
    worst = std::max(worst, std::fabs(values[k] - reference[k]) / std::max(std::fabs(reference[k]), 1e-6 * largest));
  return worst;
}

struct Style {
  WordLineDrive drive;
  BitLineSense sense;
};

std::vector<Style> all_styles() {
  std::vector<Style> styles;
  for (const auto drive : {WordLineDrive::kLeft, WordLineDrive::kRight, WordLineDrive::kBothEnds})
    for (const auto sense : {BitLineSense::kBottom, BitLineSense::kTop, BitLineSense::kBothEnds})
      styles.push_back({drive, sense});
  return styles;
}

// 1e-9 is what the design asks for. Both back ends stay below 1e-13; the reference, which has 64 bits of significand
// and a condition of up to 1e12, is the rest of what is seen.
constexpr double kAllowed = 1e-9;

TEST(Crossbar, EqualsTheDenseSolutionInEveryTermination) {
  std::uint64_t seed = 1;
  for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 4}, {5, 1}, {2, 2}, {4, 7}, {6, 5}})
    for (const Style& style : all_styles())
      for (const CrossbarBackend backend : backends()) {
        CrossbarOptions o{.rows = static_cast<std::size_t>(rows), .columns = static_cast<std::size_t>(columns)};
        o.word_wire_ohms = 30;
        o.bit_wire_ohms = 70;
        o.driver_ohms = 400;
        o.sense_ohms = 150;
        o.drive = style.drive;
        o.sense = style.sense;
        o.backend = backend;
        const auto cells = random_cells(o.rows * o.columns, ++seed);
        EXPECT_LT(
            relative_error(Crossbar(o).factor(cells).effective_siemens(), DenseCrossbar(o, cells).effective_siemens()),
            1e-12);
      }
}

TEST(Crossbar, EqualsTheDenseSolutionOfALargerArray) {
  CrossbarOptions o{.rows = 11, .columns = 13, .word_wire_ohms = 200, .bit_wire_ohms = 2, .driver_ohms = 500};
  o.sense_ohms = 50;
  o.drive = WordLineDrive::kBothEnds;
  const auto cells = random_cells(o.rows * o.columns, 50);
  const auto reference = DenseCrossbar(o, cells).effective_siemens();
  for (const CrossbarBackend backend : backends()) {
    o.backend = backend;
    EXPECT_LT(relative_error(Crossbar(o).factor(cells).effective_siemens(), reference), 1e-12);
  }
}

TEST(Crossbar, HoldsAtAnyWireResistance) {
  std::uint64_t seed = 100;
  for (const double word : {0.0, 1e-9, 1e-6, 1e-2, 10.0})
    for (const double bit : {0.0, 1e-9, 1e-3, 10.0})
      for (const double end : {0.0, 1e-9, 1.0})
        for (const CrossbarBackend backend : backends()) {
          CrossbarOptions o{.rows = 5, .columns = 4};
          o.word_wire_ohms = word * kCellOhms;
          o.bit_wire_ohms = bit * kCellOhms;
          o.driver_ohms = end * kCellOhms;
          o.sense_ohms = end * kCellOhms / 3;
          o.drive = ++seed % 3 == 0 ? WordLineDrive::kBothEnds : WordLineDrive::kLeft;
          o.backend = backend;
          const auto cells = random_cells(20, seed, 0.2);
          EXPECT_LT(relative_error(Crossbar(o).factor(cells).effective_siemens(),
                                   DenseCrossbar(o, cells).effective_siemens()),
                    kAllowed)
              << word << " " << bit << " " << end;
        }
}

TEST(Crossbar, BackEndsAgreeOnLargerArrays) {
  if (!crossbar_has_cholmod()) GTEST_SKIP() << "built without CHOLMOD";
  for (const double ratio : {1e-4, 1e-2, 1.0}) {
    CrossbarOptions o{.rows = 48, .columns = 33};
    o.word_wire_ohms = o.bit_wire_ohms = ratio * kCellOhms;
    o.driver_ohms = 500;
    const auto cells = random_cells(o.rows * o.columns, 9);
    const auto own = Crossbar(o).factor(cells);
    o.backend = CrossbarBackend::kCholmod;
    // CHOLMOD's diagonal loses digits in proportion to the spread of the conductances (here up to 1e-12).
    EXPECT_LT(relative_error(Crossbar(o).factor(cells).effective_siemens(), own.effective_siemens()), 1e-10);
  }
}

TEST(Crossbar, VoltagesAndCurrentsEqualTheDenseSolution) {
  for (const Style& style : all_styles())
    for (const double wire : {0.0, 1e-5, 40.0})
      for (const CrossbarBackend backend : backends()) {
        CrossbarOptions o{.rows = 4, .columns = 6, .word_wire_ohms = wire, .bit_wire_ohms = 2 * wire};
        o.driver_ohms = 300;
        o.sense_ohms = 200;
        o.drive = style.drive;
        o.sense = style.sense;
        o.backend = backend;
        const auto cells = random_cells(24, 5);
        const auto input = random_volts(4, 6);
        const auto reference = DenseCrossbar(o, cells).solve(input);
        const auto factored = Crossbar(o).factor(cells);
        const auto volts = factored.voltages(input);
        for (std::size_t k = 0; k < 24; ++k) {
          EXPECT_NEAR(volts.word[k], reference.word[k], 1e-13);
          EXPECT_NEAR(volts.bit[k], reference.bit[k], 1e-13);
          EXPECT_EQ(volts.across()[k], volts.word[k] - volts.bit[k]);
        }
        const auto amperes = factored.output_amperes(input);
        for (std::size_t k = 0; k < 6; ++k) EXPECT_NEAR(amperes[k], reference.output[k], 1e-12 * 2e-5);
        EXPECT_NEAR(factored.power(input).sources, reference.source_watts, 1e-12 * reference.source_watts);
      }
}

TEST(Crossbar, WithoutResistanceIsTheIdealProduct) {
  const auto cells = random_cells(42, 3);
  for (const CrossbarBackend backend : backends()) {
    const auto ideal = Crossbar({.rows = 6, .columns = 7, .backend = backend}).factor(cells);
    for (std::size_t k = 0; k < cells.size(); ++k) {
      EXPECT_DOUBLE_EQ(ideal.effective_siemens()[k], cells[k]);
    }
  }
}

TEST(Crossbar, OneCellIsASeriesOfResistors) {
  const CrossbarOptions o{
      .rows = 1, .columns = 1, .word_wire_ohms = 7, .bit_wire_ohms = 9, .driver_ohms = 100, .sense_ohms = 50};
  EXPECT_DOUBLE_EQ(Crossbar(o).factor(std::vector{1e-3}).effective_siemens()[0], 1 / (100 + 1000 + 50.0));
  CrossbarOptions both = o;
  both.drive = WordLineDrive::kBothEnds;
  both.sense = BitLineSense::kBothEnds;
  EXPECT_DOUBLE_EQ(Crossbar(both).factor(std::vector{1e-3}).effective_siemens()[0], 1 / (50 + 1000 + 25.0));
}

TEST(Crossbar, OneWordLineIsALadder) {
  // Three cells on a line driven from the left, bit lines without resistance: from the far end, two cells in parallel
  // behind one segment, and so on.
  const CrossbarOptions o{.rows = 1, .columns = 3, .word_wire_ohms = 100, .driver_ohms = 50};
  const double g = 1e-3, r = 100;
  const double end = 1 / (1 / g + r);             // last segment and cell
  const double middle = 1 / (1 / (g + end) + r);  // the second segment with what hangs behind it
  const double v1 = 1 / (1 + 50 * (g + middle));
  const double v2 = v1 * middle / (g + end), v3 = v2 * end / g;
  const auto effective = Crossbar(o).factor(std::vector(3, g));
  EXPECT_NEAR(effective.effective_siemens()[0], g * v1, 1e-15 * g);
  EXPECT_NEAR(effective.effective_siemens()[1], g * v2, 1e-15 * g);
  EXPECT_NEAR(effective.effective_siemens()[2], g * v3, 1e-15 * g);
}

CrossbarOptions square(std::size_t n) {
  CrossbarOptions o{.rows = n, .columns = n, .word_wire_ohms = 20, .bit_wire_ohms = 20, .driver_ohms = 300};
  o.sense_ohms = 300;
  return o;
}

TEST(Crossbar, MirroredStylesAreMirrorImages) {
  constexpr std::size_t n = 6;
  const auto cells = random_cells(n * n, 12);
  CrossbarOptions o = square(n);
  const auto plain = Crossbar(o).factor(cells);
  std::vector<double> across = cells, down = cells;  // mirrored left to right, top to bottom
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t c = 0; c < n; ++c) {
      across[r * n + (n - 1 - c)] = cells[r * n + c];
      down[(n - 1 - r) * n + c] = cells[r * n + c];
    }
  o.drive = WordLineDrive::kRight;
  const auto right = Crossbar(o).factor(across);
  o = square(n);
  o.sense = BitLineSense::kTop;
  const auto top = Crossbar(o).factor(down);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t c = 0; c < n; ++c) {
      const double g = plain.effective_siemens()[r * n + c];
      EXPECT_NEAR(right.effective_siemens()[r * n + (n - 1 - c)], g, 1e-13 * g);
      EXPECT_NEAR(top.effective_siemens()[(n - 1 - r) * n + c], g, 1e-13 * g);
    }
}

TEST(Crossbar, IsReciprocal) {
  // Turned round its diagonal, word lines become bit lines and sources become sense terminals.
  constexpr std::size_t n = 7;
  const auto cells = random_cells(n * n, 13);
  std::vector<double> turned(n * n);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t c = 0; c < n; ++c) turned[(n - 1 - c) * n + (n - 1 - r)] = cells[r * n + c];
  const auto a = Crossbar(square(n)).factor(cells), b = Crossbar(square(n)).factor(turned);
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t c = 0; c < n; ++c) {
      const double g = a.effective_siemens()[r * n + c];
      EXPECT_NEAR(b.effective_siemens()[(n - 1 - c) * n + (n - 1 - r)], g, 1e-13 * g);
    }
  const std::size_t ports = 2 * n;
  for (std::size_t i = 0; i < ports; ++i)
    for (std::size_t k = 0; k < ports; ++k) EXPECT_EQ(a.port_siemens()[i * ports + k], a.port_siemens()[k * ports + i]);
}

TEST(Crossbar, EqualCellsBetweenBothEndsAreSymmetric) {
  CrossbarOptions o = square(8);
  o.drive = WordLineDrive::kBothEnds;
  o.sense = BitLineSense::kBothEnds;
  const auto g = Crossbar(o).factor(std::vector(64, 5e-5));
  for (std::size_t r = 0; r < 8; ++r)
    for (std::size_t c = 0; c < 8; ++c) {
      const double value = g.effective_siemens()[r * 8 + c];
      EXPECT_NEAR(g.effective_siemens()[r * 8 + 7 - c], value, 1e-14 * value);
      EXPECT_NEAR(g.effective_siemens()[(7 - r) * 8 + c], value, 1e-14 * value);
      EXPECT_NEAR(g.effective_siemens()[c * 8 + r], value, 1e-14 * value);
    }
}

TEST(Crossbar, PowerOfTheSourcesIsDissipated) {
  for (const double wire : {0.0, 1e-3, 1.0, 1e3, 1e5}) {
    CrossbarOptions o{.rows = 20, .columns = 16, .word_wire_ohms = wire, .bit_wire_ohms = wire};
    o.driver_ohms = 100;
    o.sense_ohms = 100;
    for (const CrossbarBackend backend : backends()) {
      o.backend = backend;
      const auto factored = Crossbar(o).factor(random_cells(320, 21));
      const CrossbarPower power = factored.power(random_volts(20, 22));
      EXPECT_GT(power.sources, 0);
      EXPECT_NEAR(power.dissipated() / power.sources, 1, 1e-9) << wire;
      EXPECT_EQ(power.word_wires > 0, wire > 0);
    }
  }
}

TEST(Crossbar, TakesManyVectorsAsAPlainProduct) {
  const CrossbarOptions o{.rows = 9, .columns = 11, .word_wire_ohms = 5, .bit_wire_ohms = 5};
  const auto factored = Crossbar(o).factor(random_cells(99, 31));
  std::vector<double> inputs;
  for (std::uint64_t v = 0; v < 5; ++v) {
    const auto one = random_volts(9, v);
    inputs.insert(inputs.end(), one.begin(), one.end());
  }
  const auto amperes = factored.output_amperes(inputs);
  ASSERT_EQ(amperes.size(), 55u);
  for (std::size_t v = 0; v < 5; ++v)
    for (std::size_t c = 0; c < 11; ++c) {
      double sum = 0;
      for (std::size_t r = 0; r < 9; ++r) sum += inputs[v * 9 + r] * factored.effective_siemens()[r * 11 + c];
      EXPECT_NEAR(amperes[v * 11 + c], sum, 1e-18);  // currents of some 1e-5 A
    }
  EXPECT_TRUE(factored.output_amperes({}).empty());
}

TEST(Crossbar, PairsAreDifferencesOfNeighbours) {
  const CrossbarOptions o{.rows = 3, .columns = 4, .word_wire_ohms = 50, .bit_wire_ohms = 50};
  const auto factored = Crossbar(o).factor(random_cells(12, 41));
  const auto pairs = factored.pair_siemens();
  ASSERT_EQ(pairs.size(), 6u);
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t m = 0; m < 2; ++m)
      EXPECT_EQ(pairs[r * 2 + m],
                factored.effective_siemens()[r * 4 + 2 * m] - factored.effective_siemens()[r * 4 + 2 * m + 1]);
}

TEST(Crossbar, SensitivityEqualsFiniteDifferences) {
  for (const Style& style : all_styles())
    for (const double wire : {0.0, 300.0})
      for (const CrossbarBackend backend : backends()) {
        CrossbarOptions o{.rows = 3, .columns = 4, .word_wire_ohms = wire, .bit_wire_ohms = wire, .driver_ohms = 500};
        o.sense_ohms = 800;
        o.drive = style.drive;
        o.sense = style.sense;
        o.backend = backend;
        const Crossbar crossbar(o);
        const auto cells = random_cells(12, 51);
        const auto input = random_volts(3, 52);
        const auto factored = crossbar.factor(cells);
        const auto all = factored.cell_gains();
        const auto across = factored.voltages(input).across();
        for (std::size_t output = 0; output < 4; ++output) {
          const auto sensitivity = factored.conductance_sensitivity(input, output);
          const auto gain = factored.cell_gain(output);
          for (std::size_t k = 0; k < 12; ++k) {
            EXPECT_NEAR(all[output * 12 + k], gain[k], 1e-15);
            EXPECT_NEAR(gain[k] * across[k], sensitivity[k], 1e-15);
            // A step h leaves an error of about h² times the third derivative, (h R)² of the value; rounding 1e-16 I/h.
            constexpr double h = 1e-8;
            auto up = cells, down = cells;
            up[k] += h;
            down[k] = std::max(0.0, down[k] - h);
            const double difference = (crossbar.factor(up).output_amperes(input)[output] -
                                       crossbar.factor(down).output_amperes(input)[output]) /
                                      (up[k] - down[k]);
            EXPECT_NEAR(sensitivity[k], difference, cells[k] == 0 ? 1e-5 : 1e-9);
          }
        }
      }
}

TEST(Crossbar, ThermalNoiseIsNyquists) {
  // All resistors at one temperature: the noise at an output is 4kT times the conductance that it sees.
  for (const Style& style : all_styles()) {
    CrossbarOptions o{.rows = 6, .columns = 5, .word_wire_ohms = 40, .bit_wire_ohms = 60, .driver_ohms = 500};
    o.sense_ohms = 300;
    o.drive = style.drive;
    o.sense = style.sense;
    const auto factored = Crossbar(o).factor(random_cells(30, 61));
    for (std::size_t output = 0; output < 5; ++output) {
      double seen = 0;
      for (std::size_t k = 0; k < 11; ++k) seen += factored.port_siemens()[(6 + output) * 11 + k];
      const CrossbarNoise noise = factored.thermal_noise(output, 300);
      EXPECT_NEAR(noise.total() / (4 * 1.380649e-23 * 300 * seen), 1, 1e-12);
      EXPECT_GT(noise.bit_wires, 0);
    }
  }
}

TEST(Crossbar, VarianceOfAnOutputSumsTheCells) {
  const CrossbarOptions o{.rows = 2, .columns = 2, .word_wire_ohms = 1000, .bit_wire_ohms = 1000, .sense_ohms = 5000};
  const auto factored = Crossbar(o).factor(std::vector{1e-4, 5e-5, 2e-5, 8e-5});
  const std::vector<double> variances{1e-18, 2e-18, 3e-18, 4e-18};
  double expected = 0;
  for (std::size_t k = 0; k < 4; ++k) expected += variances[k] * std::pow(factored.cell_gain(1)[k], 2);
  EXPECT_DOUBLE_EQ(factored.output_variance(1, variances), expected);
  EXPECT_LT(factored.cell_gain(0)[0], 1);
  const auto ideal = Crossbar({.rows = 2, .columns = 2}).factor(std::vector{1e-4, 5e-5, 2e-5, 8e-5});
  EXPECT_EQ(ideal.cell_gain(0), (std::vector<double>{1, 0, 1, 0}));
}

TEST(Crossbar, MissingCellsLeaveTheirLinesWithoutCurrent) {
  CrossbarOptions o = square(4);
  for (const CrossbarBackend backend : backends()) {
    o.backend = backend;
    std::vector<double> cells(16, 5e-5);
    for (std::size_t c = 0; c < 4; ++c) cells[4 + c] = 0;  // row 1
    const auto factored = Crossbar(o).factor(cells);
    for (std::size_t c = 0; c < 4; ++c) EXPECT_LT(std::fabs(factored.effective_siemens()[4 + c]), 1e-19);
    const auto volts = factored.voltages(std::vector{0.1, 0.2, 0.3, 0.4});
    for (std::size_t c = 0; c < 4; ++c) EXPECT_NEAR(volts.word[4 + c], 0.2, 1e-15);
    const auto empty = Crossbar(o).factor(std::vector(16, 0.0));
    for (const double g : empty.effective_siemens()) EXPECT_LT(std::fabs(g), 1e-19);
  }
}

TEST(Crossbar, GivesTheSameBytesFromAnyThread) {
  const Crossbar crossbar(square(24));
  const auto cells = random_cells(576, 71);
  const auto first = crossbar.factor(cells);
  std::vector<std::vector<double>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      const auto g = crossbar.factor(cells);
      result.assign(g.effective_siemens().begin(), g.effective_siemens().end());
    });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_TRUE(std::ranges::equal(result, first.effective_siemens()));
}

TEST(Crossbar, RefusesWhatIsNoArray) {
  const auto refused = [](const CrossbarOptions& o) {
    testing::expect_error(ExitStatus::kComputation, "E520", [&] { Crossbar{o}; });
  };
  refused({.rows = 0, .columns = 3});
  refused({.rows = 3, .columns = 100000});
  refused({.rows = 3, .columns = 3, .word_wire_ohms = -1});
  refused({.rows = 3, .columns = 3, .driver_ohms = std::nan("")});
  refused({.rows = 3, .columns = 3, .sense_ohms = INFINITY});
  refused({.rows = 3, .columns = 3, .bit_wire_ohms = 1e-300});
  if (!crossbar_has_cholmod()) refused({.rows = 3, .columns = 3, .backend = CrossbarBackend::kCholmod});

  const Crossbar crossbar({.rows = 2, .columns = 3});
  const auto wrong = [](const auto& action) { testing::expect_error(ExitStatus::kComputation, "E520", action); };
  wrong([&] { crossbar.factor(std::vector(5, 1e-5)); });
  wrong([&] { crossbar.factor(std::vector{1e-5, -1e-5, 0.0, 0.0, 0.0, 0.0}); });
  wrong([&] { crossbar.factor(std::vector{1e-5, std::nan(""), 0.0, 0.0, 0.0, 0.0}); });
  const auto factored = crossbar.factor(std::vector(6, 1e-5));
  wrong([&] { factored.output_amperes(std::vector(3, 0.1)); });
  wrong([&] { factored.voltages(std::vector(3, 0.1)); });
  wrong([&] { factored.cell_gain(3); });
  wrong([&] { factored.pair_siemens(); });
  wrong([&] { factored.output_variance(0, std::vector(2, 0.0)); });
}

}  // namespace
}  // namespace errata::behavioral
