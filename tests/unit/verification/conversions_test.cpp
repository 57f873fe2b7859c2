#include "verification/conversions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"
#include "tests/support/noise_sums.h"
#include "tests/support/small_macro.h"
#include "tests/support/statistical.h"
#include "tests/support/synthetic_table.h"
#include "training/hardware/table_conversion.h"
#include "verification/behavioral_conversion.h"

namespace errata::verification {
namespace {

TEST(CodeErrors, AgreeWithDraws) {
  const AdcOptions adc{4, 8};
  RandomStream stream(1, StreamPurpose::kTest);
  for (const auto& [ideal, value, sigma] : {std::tuple{2.0, 2.4, 0.5}, {-7.0, -9.0, 1.5}, {0.0, 3.2, 0.3}}) {
    constexpr int kDraws = 100000;
    double change = 0, magnitude = 0, large = 0;
    for (int k = 0; k < kDraws; ++k) {
      const int d = std::abs(adc_code(adc, value + sigma * stream.normal()) - adc_code(adc, ideal));
      change += d != 0;
      magnitude += d;
      large += d > 2;
    }
    const CodeErrors e = code_errors(adc, ideal, value, sigma);
    EXPECT_TRUE(testing::agrees(change / kDraws, e.change, std::sqrt(e.change * (1 - e.change) / kDraws) + 1e-6, 1e-5));
    EXPECT_NEAR(magnitude / kDraws, e.magnitude, 0.02);  // σ of one draw is below 1.6: five standard errors are 0.025
    EXPECT_TRUE(testing::agrees(large / kDraws, e.large, std::sqrt(e.large * (1 - e.large) / kDraws) + 1e-6, 1e-5));
  }
}

/// A tile with the operands of one column.
training::Tile tile_of(const ColumnOperands& o) {
  training::Tile t;
  t.rows = o.rows;
  t.columns = t.conversions = 1;
  t.first_column = 3;
  t.plus = o.plus;
  t.minus = o.minus;
  return t;
}

/// Reads every operand once as an image of one read.
std::vector<float> read_all(const training::PreparedTile& tile, const ColumnOperands& o, std::uint64_t first_image) {
  std::vector<float> inputs(o.inputs.begin(), o.inputs.end()), value(o.count());
  tile.read({.inputs = inputs, .images = o.count(), .reads_per_image = 1, .first_image = first_image}, value);
  return value;
}

TEST(TableConversion, EqualsThePlainReference) {
  auto table = testing::synthetic_table();
  table.dynamic_sigma.assign(table.dynamic_sigma.size(), 0.0);
  const auto o = make_operands({.rows = 64, .levels = 4, .operands = 50, .mac_limit = 40}, 1, 2, 3);
  const auto reference = convert_by_table(table, 1, 9, 3, o);
  const auto fast = read_all(*training::TableConversion(table).prepare(tile_of(o), 1, 9), o, 0);
  for (std::size_t p = 0; p < o.count(); ++p) EXPECT_NEAR(fast[p], reference.value[p], 2e-4);  // fp32 sums of 64 rows
}

TEST(TableConversion, EqualsThePlainReferenceForSeveralInputLevelsAndSingleLines) {
  for (const bool pair : {true, false}) {
    auto table = testing::synthetic_table();
    table.signed_scheme = pair ? "differential_before_adc" : "offset_column";
    table.inputs = 4;
    table.dynamic_sigma.assign(table.dynamic_sigma.size(), 0.0);
    for (const std::size_t x : {2u, 3u})
      for (std::size_t w = 0; w < 4; ++w) {
        table.level.push_back(0.97 * static_cast<double>(x * w));
        table.cell_sigma.push_back(0.04 * static_cast<double>(x + w));
      }
    const auto o = make_operands(
        {.rows = 64, .levels = 4, .operands = 50, .mac_limit = 60, .input_levels = 4, .differential = pair}, 1, 2, 3);
    const auto reference = convert_by_table(table, 1, 9, 3, o);
    const auto fast = read_all(*training::TableConversion(table).prepare(tile_of(o), 1, 9), o, 0);
    for (std::size_t p = 0; p < o.count(); ++p) EXPECT_NEAR(fast[p], reference.value[p], 5e-4);  // fp32, y up to 200
  }
}

TEST(TableConversion, ReadNoiseHasTheTablesSigma) {
  const auto table = testing::synthetic_table();
  const auto o = make_operands({.rows = 64, .levels = 4, .operands = 8, .mac_limit = 40}, 1, 2, 3);
  const auto reference = convert_by_table(table, 1, 9, 3, o);
  const auto tile = training::TableConversion(table).prepare(tile_of(o), 1, 9);
  constexpr int kReads = 4000;
  std::vector<double> square(o.count());
  for (int r = 0; r < kReads; ++r) {
    const auto value = read_all(*tile, o, static_cast<std::uint64_t>(r) * o.count());
    for (std::size_t p = 0; p < o.count(); ++p) square[p] += std::pow(value[p] - reference.value[p], 2);
  }
  for (std::size_t p = 0; p < o.count(); ++p) {
    const double expected = reference.sigma[p] * reference.sigma[p];
    EXPECT_TRUE(testing::agrees(square[p] / kReads, expected, expected * std::sqrt(2.0 / kReads), 1e-5));
  }
}

TEST(BehavioralConversion, EqualsThePlainReference) {
  const auto& model = testing::small_model();
  const auto o = make_operands({.rows = 32, .levels = 4, .operands = 40}, 1, 2, 3);
  const auto reference = convert_by_model(model, 1, 9, 3, o);
  const auto tile = BehavioralConversion(model).prepare(tile_of(o), 1, 9);
  constexpr int kReads = 400;
  std::vector<double> sum(o.count());
  for (int r = 0; r < kReads; ++r) {
    const auto value = read_all(*tile, o, static_cast<std::uint64_t>(r) * o.count());
    for (std::size_t p = 0; p < o.count(); ++p) sum[p] += value[p];
  }
  for (std::size_t p = 0; p < o.count(); ++p)
    EXPECT_TRUE(
        testing::agrees(sum[p] / kReads, reference.value[p], reference.sigma[p] / std::sqrt(kReads) + 1e-4, 1e-6));
}

TEST(ReadNoise, IsCloseToTheExactOne) {
  const auto& model = testing::small_model();
  const auto o = make_operands({.rows = 32, .levels = 4, .operands = 60}, 4, 5, 6);
  const auto line = model.prepare(1, {8, 1}, o.plus);
  std::vector<double> output(o.count());
  line->read(o.inputs, o.rows, output);
  for (std::size_t p = 0; p < o.count(); ++p) {
    double exact = 0;
    for (const double v : line->noise_variances(o.input(p))) exact += v;
    const auto sums = testing::noise_sums(*line, o.input(p));
    EXPECT_NEAR(std::sqrt(line->read_variance(output[p], sums) / exact), 1.0, 0.05);
  }
}

}  // namespace
}  // namespace errata::verification
