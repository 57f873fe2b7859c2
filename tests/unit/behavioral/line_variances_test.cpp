#include "behavioral/line/line_variances.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/random_line.h"
#include "tests/support/vector_targets.h"

namespace errata::behavioral {
namespace {

using testing::LineShape;
using testing::random_inputs;
using testing::random_line;

struct Noise {
  std::vector<double> thermal, relative_sigma;
};

constexpr std::size_t kSources = 2;

/// Different for each row and level, so that a confusion shows.
Noise noise_of(const PreparedLine& line) {
  RandomStream stream(23, StreamPurpose::kTest);
  Noise n;
  for (std::size_t k = 0; k < line.inputs * line.all_rows(); ++k) n.thermal.push_back(1e-16 * (1 + stream.uniform()));
  for (std::size_t k = 0; k < kSources * line.all_rows(); ++k) n.relative_sigma.push_back(0.1 * stream.uniform());
  return n;
}

/// Conductance, thermal and relative variances from the plain solver's sensitivities.
std::vector<double> plain_sums(const PreparedLine& line, const Noise& noise, const std::uint8_t* inputs) {
  LineSensitivity s;
  solve_line(line, inputs, s);
  std::vector<double> sums(LineVariances::kSums + kSources, 0.0);
  sums[LineVariances::kConductance] = s.transfer_conductance;
  for (std::size_t j = 0; j < line.all_rows(); ++j) {
    const std::size_t x = j < line.rows ? inputs[j] : 0;
    const double gain = s.injection_gain[j] * s.injection_gain[j];
    sums[LineVariances::kThermal] += gain * noise.thermal[x * line.all_rows() + j];
    for (std::size_t n = 0; n < kSources && x > 0; ++n)
      sums[LineVariances::kSums + n] +=
          gain * std::pow(noise.relative_sigma[n * line.all_rows() + j] * s.cell_amperes[j], 2);
  }
  return sums;
}

class Variances : public ::testing::TestWithParam<LineShape> {};

TEST_P(Variances, AreThoseOfThePlainSolver) {
  const LineShape shape = GetParam();
  for (const std::size_t count : {std::size_t{5}, std::size_t{85}}) {  // a block of eight; one of 64 and a part of one
    const PreparedLine line = random_line(shape, count);
    const Noise noise = noise_of(line);
    const auto levels = random_inputs(shape.rows, count, count, shape.inputs);
    const PackedInputs inputs(levels, shape.rows, shape.rows, shape.inputs);
    std::vector<double> amperes(count);
    solve_lines(line, inputs, amperes);
    const auto sums = LineVariances(line, noise.thermal, noise.relative_sigma).sums(inputs, amperes);
    for (std::size_t i = 0; i < count; ++i) {
      const auto expected = plain_sums(line, noise, inputs.vector(i));
      // The plain solver's gains are those of its last Newton step, taken within 1 uV of 0.2 V: 5e-6 each, squared.
      for (std::size_t k = 0; k < expected.size(); ++k)
        EXPECT_NEAR(sums[k * count + i], expected[k], 1.5e-5 * std::fabs(expected[k]))
            << "input " << i << ", sum " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Variances,
    ::testing::Values(LineShape{}, LineShape{.clamp_ohms = 0}, LineShape{.wire_ohms = 0},
                      LineShape{.wire_ohms = 0, .clamp_ohms = 0}, LineShape{.source_line_ohms = 2},
                      LineShape{.wire_ohms = 0, .source_line_ohms = 2, .clamp_ohms = 0}, LineShape{.rows = 1},
                      LineShape{.rows = 1, .source_line_ohms = 3, .clamp_ohms = 0}, LineShape{.rows = 2},
                      LineShape{.rows = 64, .wire_ohms = 20}, LineShape{.rows = 7, .wire_ohms = 500},
                      LineShape{.rows = 16, .wire_ohms = 2000, .clamp_ohms = 2000},
                      LineShape{.rows = 5, .offset_amperes = -1e-4},
                      LineShape{.rows = 3, .clamp_ohms = 1e6, .offset_amperes = 0}, LineShape{.inputs = 4},
                      LineShape{.source_line_ohms = 1, .inputs = 8, .idle_rows = 20},
                      LineShape{.rows = 12, .wire_ohms = 800, .inputs = 4, .idle_rows = 3}));

TEST(LineVariances, OfAReadDependOnThatReadAlone) {
  const LineShape shape{.source_line_ohms = 1};
  const PreparedLine line = random_line(shape, 3);
  const Noise noise = noise_of(line);
  const LineVariances variances(line, noise.thermal, noise.relative_sigma);
  const auto levels = random_inputs(64, 70, 4);
  const PackedInputs all(levels, 64, 64, 2);
  std::vector<double> amperes(70);
  solve_lines(line, all, amperes);
  amperes[3] *= 1.02;  // one lane that takes more steps than its neighbours
  testing::for_each_vector_target([&] {
    const auto together = variances.sums(all, amperes);
    for (const std::size_t i : {std::size_t{2}, std::size_t{3}, std::size_t{69}}) {
      const std::span<const std::uint8_t> own(levels.data() + 64 * i, 64);
      const PackedInputs one(own, 64, 64, 2);
      const auto alone = variances.sums(one, {&amperes[i], 1});
      for (std::size_t k = 0; k < alone.size(); ++k) EXPECT_EQ(alone[k], together[k * 70 + i]) << i << ' ' << k;
    }
  });
}

TEST(LineVariances, SaysSoWhereItsStartIsHopeless) {
  const PreparedLine line = random_line({}, 5);
  const Noise noise = noise_of(line);
  const auto levels = random_inputs(64, 8, 5);
  std::vector<double> amperes(8, 1e-4);
  amperes[6] = std::nan("");
  const auto sums =
      LineVariances(line, noise.thermal, noise.relative_sigma).sums(PackedInputs(levels, 64, 64, 2), amperes);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(std::isnan(sums[LineVariances::kThermal * 8 + i]), i == 6) << i;
}

}  // namespace
}  // namespace errata::behavioral
