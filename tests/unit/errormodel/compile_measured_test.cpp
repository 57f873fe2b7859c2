// Tables from the CSV files of test chips whose truth is known.
#include "errormodel/compile_measured.h"

#include <gtest/gtest.h>

#include <cmath>

#include "errormodel/exchange/measured_data.h"
#include "tests/support/expect_error.h"
#include "tests/support/measured_chips.h"

namespace errata::errormodel {
namespace {

using errata::testing::expect_error;
using errata::testing::MeasuredChips;
using errata::testing::TemporaryFolder;

/// Within four standard errors of a jackknife over chips; false alarm below 1e-3 at 23 degrees of freedom, none for
/// this seed.
void expect_within(const Interval& i, double truth, const char* what) {
  const double error = (i.high - i.low) / 2 / 2.07;
  EXPECT_LT(std::fabs(i.estimate - truth), 4 * error) << what << ": " << i.estimate << " for " << truth;
}

void expect_truth(const ErrorTable& t, const MeasuredChips& chips) {
  EXPECT_EQ(table_fault(t), "");
  EXPECT_EQ(t.operands, "measured");
  EXPECT_GE(t.chips_used + 2, chips.chips);  // clipped operands may cost a chip its place in the design
  // Chip offset and column offset at y = 0: a variance from n samples is known to √(2/n).
  const double a = 20.0, columns = static_cast<double>(t.columns_used), n = static_cast<double>(chips.chips);
  const double chip = quadratic_form(t.chip, t.phi(0, a)), truth = chips.chip_sigma * chips.chip_sigma;
  const double of_columns = chips.column_variance(0, a);
  EXPECT_NEAR(chip, truth, 4 * std::sqrt(2 / n) * (truth + of_columns / static_cast<double>(chips.columns)));
  const double column = quadratic_form(t.column, t.phi(0, a));
  EXPECT_NEAR(column, of_columns, 4 * std::sqrt(2 / columns) * of_columns + 0.05 * of_columns);
  EXPECT_NEAR(t.read_sigma(0, a), chips.read_sigma, 0.05 * chips.read_sigma);
}

TEST(CompileMeasured, MeasuredCodesWithPatternsGiveEveryTerm) {
  const MeasuredChips chips;
  std::vector<std::string> warnings;
  const ErrorTable t = chips.table(0, {"code", true}, warnings);
  expect_truth(t, chips);
  EXPECT_TRUE(t.cells_separated);
  EXPECT_EQ(t.output_unit, "code");
  EXPECT_NEAR(t.unit, 64.0 / 24.0, 1e-12);
  // The mean gain that compression takes is shared between g and μ; the levels' ratio is g's alone.
  EXPECT_NEAR(t.level[2] / t.level[1], chips.level[2] / chips.level[1], 0.02);
  for (std::size_t w = 1; w < 3; ++w)
    expect_within(t.cell_interval[w], chips.cell_sigma[w] * chips.cell_sigma[w], "cell");
}

TEST(CompileMeasured, WithoutPatternsTheColumnsHoldWhatTheyCan) {
  MeasuredChips chips;
  chips.cell_sigma = {0, 0, 0};  // else K holds more than the truth's K
  chips.level = {0, 1, 2};
  std::vector<std::string> warnings;
  const ErrorTable t = chips.table(0, {"mac", false}, warnings);
  expect_truth(t, chips);
  EXPECT_FALSE(t.cells_separated);
  EXPECT_LT(t.residual_sigma, 0.05);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("without patterns"), std::string::npos);
  // Compression bends the mean: −0.004 y |y| at y = 12.
  EXPECT_NEAR(t.mean_shift(12, 20), -0.004 * 144, 0.12);
  EXPECT_NEAR(t.mean_shift(-12, 20), 0.004 * 144, 0.12);
}

TEST(CompileMeasured, FrozenErrorBeyondTheColumnsIsTold) {
  const ErrorTable t = MeasuredChips().table(0, {"mac", false});
  // About Σ s² over the active cells less what φ takes: a few tenths of a MAC unit, not read noise.
  EXPECT_GT(t.residual_sigma, 0.15);
  EXPECT_LT(t.residual_sigma, 0.6);
  EXPECT_NEAR(t.read_sigma(0, 20), 0.3, 0.02);
}

TEST(CompileMeasured, AnalogValuesOfAnyUnitGiveTheSameTable) {
  const MeasuredChips chips{.chips = 10, .columns = 3, .operands = 16};
  const ErrorTable volts = chips.table(0, {"value[V]", false});
  EXPECT_EQ(volts.output_unit, "V");
  EXPECT_NEAR(volts.unit, -0.003, 0.0003);
  EXPECT_NEAR(volts.offset, 0.4, 0.003);
  const ErrorTable mac = chips.table(0, {"mac", false});
  // The line takes up what gain μ has, so only what does not depend on it is compared: noise in volts.
  EXPECT_NEAR(std::fabs(volts.unit) * volts.read_sigma(0, 20), 0.003 * mac.read_sigma(0, 20), 2e-5);
}

TEST(CompileMeasured, NoiseBehindCodes) {
  // Against a simulation: repeated reads at uniform positions. 200 000 positions × 4 reads know a variance to 0.4 %.
  EXPECT_EQ(variance_behind_codes(0.0), 0.0);
  for (const double sigma : {0.05, 0.15, 0.3, 0.6, 2.0}) {
    RandomStream r(3, StreamPurpose::kTest, 4);
    double seen = 0.0;
    constexpr int kPositions = 200000;
    for (int k = 0; k < kPositions; ++k) {
      const double at = r.uniform() * 10;
      double sum = 0, square = 0;
      for (int n = 0; n < 4; ++n) {
        const double code = std::round(at + sigma * r.normal());
        sum += code;
        square += code * code;
      }
      seen += (square - sum * sum / 4) / 3 / kPositions;
    }
    EXPECT_NEAR(std::sqrt(variance_behind_codes(seen)), sigma, 0.02 * sigma) << sigma;
  }
}

TEST(CompileMeasured, UnequalNumbersAreCutToTheLargestDesign) {
  const MeasuredChips chips{.chips = 9, .columns = 3, .operands = 12};
  const TemporaryFolder folder;
  chips.write(folder, 0, {"mac", true});
  std::string text = testing::bytes_of(folder / "measurements.csv");
  // Column 2 of chip 4 was lost, and two operands of column 1 of chip 0.
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("4,2,") && !line.starts_with("0,1,0.1.3,") && !line.starts_with("0,1,0.1.5,"))
      kept += line + "\n";
  folder.write("measurements.csv", kept);
  const Settings s = read_project(folder.path(), {});
  std::vector<std::string> warnings;
  RunContext context;
  context.warn = [&](const Diagnostic& d) { warnings.push_back(d.message); };
  const Campaign campaign = project_campaign(s);
  const auto points = usable_points(campaign, adc_options(s), {}, context);
  const Observations o = rectangular_design(campaign, points, {}, context);
  // All 9 chips with 2 columns and 10 operands are 180; 8 chips × 3 × 10 are 240; × 12 with 7 chips … 252.
  EXPECT_EQ(o.chips * o.columns * o.operands(), o.value.size());
  EXPECT_GE(o.value.size(), 216u);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("left out"), std::string::npos) << warnings[0];
}

TEST(CompileMeasured, NoiseWithMemoryBecomesASourceOfItsOwn) {
  MeasuredChips chips{.chips = 10, .columns = 3, .operands = 16, .reads = 12};
  chips.read_memory = 0.7;
  const ErrorTable t = chips.table(0, {"mac", true});
  EXPECT_EQ(table_fault(t), "");
  ASSERT_GE(t.source_names.size(), 2u);
  EXPECT_EQ(t.source_names[0], "reads");
  // Correlation of successive reads of the whole: Σ share ρ. 480 series of 12 reads know it to about 0.02.
  double all = 0, correlated = 0;
  const std::size_t nodes = t.axes.size(), middle = nodes / 2;
  for (std::size_t s = 0; s < t.source_names.size(); ++s) {
    all += t.source_variance[s * nodes + middle];
    correlated += t.source_memory[s] * t.source_variance[s * nodes + middle];
  }
  EXPECT_NEAR(correlated / all, 0.7, 0.1);
  EXPECT_NEAR(t.read_sigma(0, 20), chips.read_sigma, 0.1 * chips.read_sigma);
}

TEST(CompileMeasured, TooLittleIsRefused) {
  const MeasuredChips few{.chips = 5};
  expect_error(ExitStatus::kComputation, "E504", [&] { few.table(0); });
  const MeasuredChips once{.chips = 10, .columns = 3, .operands = 16, .reads = 1};
  expect_error(ExitStatus::kComputation, "E504", [&] { once.table(0); });
}

TEST(CompileMeasured, ClippedCodesDoNotBendTheMean) {
  // The ADC covers less than the operands: near its ends only what falls inside is seen. Without compression μ must
  // stay 0 up to where the table has support.
  MeasuredChips chips{.chips = 16, .columns = 4, .operands = 48};
  chips.compression = 0.0;
  chips.level = {0, 1, 2};
  chips.cell_sigma = {0, 0, 0};
  chips.chip_sigma = 0.05;
  chips.column_sigma = 0.3;
  chips.gain_sigma = 0.0;
  MeasuredChips narrow = chips;
  narrow.adc_range = 12.0;  // operands reach 0.9 of it in write(), so widen them:
  std::vector<std::string> warnings;
  const TemporaryFolder folder;
  chips.adc_range = 24.0;
  chips.adc_bits = 7;
  chips.write(folder, 0, {"mac", false});
  // The same values as codes of a narrow ADC.
  std::istringstream lines(testing::bytes_of(folder / "measurements.csv"));
  std::string line, text = "chip,column,operand,read,y,a,code\n";
  const AdcOptions adc{.bits = 6, .range = 12.0};
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const auto comma = line.rfind(',');
    text += fmt::format("{}{}\n", line.substr(0, comma + 1), adc_code(adc, std::stod(line.substr(comma + 1))));
  }
  folder.write("measurements.csv", text);
  narrow.adc_bits = 6;
  folder.write("errata.toml", narrow.project({"code", false}));
  const Settings s = read_project(folder.path(), {});
  RunContext context;
  context.warn = [&](const Diagnostic& d) { warnings.push_back(d.message); };
  const ErrorTable t = compile_measured(project_campaign(s), s, {ErrorTable::kFormat}, context);
  ASSERT_FALSE(warnings.empty());
  EXPECT_NE(warnings[0].find("ends of the ADC"), std::string::npos);
  for (std::size_t n = 0; n < t.axes.size(); ++n)
    if (t.support_count[n] >= 10) {
      EXPECT_LT(std::fabs(t.mu[n]), 0.12) << t.axes.y_at(n / t.axes.a_points);
    }
}

}  // namespace
}  // namespace errata::errormodel
