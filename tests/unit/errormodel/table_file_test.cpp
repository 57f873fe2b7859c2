#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "errormodel/error_table.h"
#include "errormodel/table/operating_point.h"
#include "tests/support/example_table.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::errormodel {
namespace {

using errata::testing::example_table;
using errata::testing::expect_error;

void expect_same(const ErrorTable& t, const ErrorTable& u) {
  EXPECT_EQ(u.operands, t.operands);
  EXPECT_EQ(u.signed_scheme, t.signed_scheme);
  EXPECT_EQ(u.rows, t.rows);
  EXPECT_EQ(u.levels, t.levels);
  EXPECT_EQ(u.inputs, t.inputs);
  EXPECT_EQ(u.minimum_conductance, t.minimum_conductance);
  EXPECT_EQ(u.offset, t.offset);
  EXPECT_EQ(u.unit, t.unit);
  EXPECT_EQ(u.output_unit, t.output_unit);
  EXPECT_EQ(u.temperature_kelvin, t.temperature_kelvin);
  EXPECT_EQ(u.supply_volts, t.supply_volts);
  EXPECT_EQ(u.corner, t.corner);
  EXPECT_EQ(u.adc.bits, t.adc.bits);
  EXPECT_EQ(u.adc.noise_sigma, t.adc.noise_sigma);
  EXPECT_EQ(u.axes.y_low, t.axes.y_low);
  EXPECT_EQ(u.axes.a_points, t.axes.a_points);
  EXPECT_EQ(u.level, t.level);
  EXPECT_EQ(u.mu, t.mu);
  EXPECT_EQ(u.slope, t.slope);
  EXPECT_EQ(u.basis, t.basis);
  EXPECT_EQ(u.chip, t.chip);
  EXPECT_EQ(u.column, t.column);
  EXPECT_EQ(u.cell_sigma, t.cell_sigma);
  EXPECT_EQ(u.dynamic_sigma, t.dynamic_sigma);
  EXPECT_EQ(u.source_names, t.source_names);
  EXPECT_EQ(u.source_variance, t.source_variance);
  EXPECT_EQ(u.source_memory, t.source_memory);
  EXPECT_EQ(u.dynamic_quantiles, t.dynamic_quantiles);
  EXPECT_EQ(u.support_count, t.support_count);
  EXPECT_EQ(u.column_interval[2].low, t.column_interval[2].low);
  EXPECT_EQ(u.columns_used, t.columns_used);
  EXPECT_EQ(u.chips_used, t.chips_used);
  EXPECT_EQ(u.cells_separated, t.cells_separated);
  EXPECT_EQ(u.drift.exponent, t.drift.exponent);
  EXPECT_EQ(u.drift.exponent_sigma, t.drift.exponent_sigma);
  EXPECT_EQ(u.drift.reference_seconds, t.drift.reference_seconds);
  EXPECT_EQ(u.faults.lowest, t.faults.lowest);
  EXPECT_EQ(u.faults.highest, t.faults.highest);
  EXPECT_EQ(u.marginal_shift, t.marginal_shift);
  EXPECT_EQ(u.marginal_cell_variance, t.marginal_cell_variance);
  for (std::size_t k = 0; k < t.code_pmf.size(); ++k) ASSERT_NEAR(u.code_pmf[k], t.code_pmf[k], 1e-7);  // fp32 there
}

TEST(TableFile, HoldsEveryTerm) {
  const testing::TemporaryFolder folder;
  for (const char* scheme : {"differential_before_adc", "offset_column"}) {
    ErrorTable t = example_table(scheme);
    t.corner = "ff";
    t.cells_separated = false;
    t.save(folder.path() / "t.h5");
    expect_same(t, ErrorTable::load(folder.path() / "t.h5"));
  }
}

TEST(TableFile, HoldsSeveralOperatingPoints) {
  const testing::TemporaryFolder folder;
  ErrorTable hot = example_table();
  hot.temperature_kelvin = 358.0;
  for (double& s : hot.cell_sigma) s *= 1.25;
  const std::vector<ErrorTable> both{example_table(), hot};
  save_tables(both, folder.path() / "t.h5");
  const auto loaded = load_tables(folder.path() / "t.h5");
  ASSERT_EQ(loaded.size(), 2u);
  expect_same(both[0], loaded[0]);
  expect_same(both[1], loaded[1]);
  expect_same(both[0], ErrorTable::load(folder.path() / "t.h5"));
}

TEST(TableFile, SameContentsAreTheSameBytes) {
  const testing::TemporaryFolder folder;
  example_table().save(folder.path() / "a.h5");
  example_table().save(folder.path() / "b.h5");
  EXPECT_EQ(testing::bytes_of(folder.path() / "a.h5"), testing::bytes_of(folder.path() / "b.h5"));
}

TEST(TableFile, StaysBelowTenMegabytes) {
  // The largest that the defaults lead to: 10-bit codes, 16 levels, 16 input levels, nine operating points of the
  // default grid, values that deflate cannot shrink. 8-bit codes are what a table of several points is expected to
  // have.
  const testing::TemporaryFolder folder;
  ErrorTable t = example_table();
  t.levels = t.inputs = 16;
  t.level.assign(t.kinds(), 1.0);
  t.cell_sigma.assign(t.kinds(), 0.1);
  t.cell_interval.assign(t.kinds(), {0.01, 0.005, 0.02});
  t.drift = {};
  t.adc.bits = 8;
  t.axes = {-20, 20, 0, 80, 33, 13};
  const auto noisy = [](std::size_t count, double scale) {
    std::vector<double> values;
    for (std::size_t k = 0; k < count; ++k)
      values.push_back(scale * (1.0 + 0.3 * std::sin(1e3 * (k + 1.0) * (k + 1.0))));
    return values;
  };
  const std::size_t nodes = t.axes.size();
  for (auto* surface :
       {&t.mu, &t.slope, &t.support_count, &t.support_error, &t.marginal_shift, &t.marginal_cell_variance})
    *surface = noisy(nodes, 0.1);
  t.source_variance = noisy(2 * nodes, 0.1);
  t.dynamic_sigma.clear();
  for (std::size_t n = 0; n < nodes; ++n)
    t.dynamic_sigma.push_back(std::sqrt(t.source_variance[n] + t.source_variance[nodes + n]));
  t.code_pmf = noisy(256 * 256, 1.0);
  for (std::size_t row = 0; row < 256; ++row) {
    double sum = 0;
    for (std::size_t c = 0; c < 256; ++c) sum += t.code_pmf[row * 256 + c];
    for (std::size_t c = 0; c < 256; ++c) t.code_pmf[row * 256 + c] /= sum;
  }
  std::vector<ErrorTable> points;
  for (int k = 0; k < 9; ++k) {
    points.push_back(t);
    points.back().temperature_kelvin = 250.0 + 10 * k;
  }
  save_tables(points, folder.path() / "t.h5");
  EXPECT_LE(std::filesystem::file_size(folder.path() / "t.h5"), 10u << 20);
}

TEST(TableFile, ValuesThatNoTableCanHaveAreRefused) {
  const struct {
    const char* expected;
    void (*harm)(ErrorTable&);
  } kCases[] = {
      {"static/cell", [](ErrorTable& t) { t.cell_sigma[1] = -0.1; }},
      {"det/mu", [](ErrorTable& t) { t.mu[3] = NAN; }},
      {"det/level", [](ErrorTable& t) { t.level.pop_back(); }},
      {"static/chip", [](ErrorTable& t) { t.chip = {1, 2, 0, 2, 1, 0, 0, 0, 0}; }},
      {"static/column", [](ErrorTable& t) { t.column[1] = 0.5; }},
      {"dynamic/sources", [](ErrorTable& t) { t.source_variance[0] += 0.1; }},
      {"dynamic/corr", [](ErrorTable& t) { t.source_memory[1] = 1.0; }},
      {"dynamic/quantiles",
       [](ErrorTable& t) {
         for (double& q : t.dynamic_quantiles) q *= 2;
       }},
      {"stuck cells",
       [](ErrorTable& t) {
         t.faults = {0.7, 0.4};
       }},
      {"drift/exponent", [](ErrorTable& t) { t.drift.exponent.pop_back(); }},
      {"temperature", [](ErrorTable& t) { t.temperature_kelvin = -1; }},
      {"code/pmf", [](ErrorTable& t) { t.code_pmf[0] += 0.5; }},
      {"signed scheme", [](ErrorTable& t) { t.signed_scheme = "unsigned"; }},
      {"ADC range", [](ErrorTable& t) { t.adc.range = 0; }},
      {"transfer", [](ErrorTable& t) { t.unit = 0; }},
  };
  EXPECT_EQ(table_fault(example_table()), "");
  for (const auto& c : kCases) {
    ErrorTable t = example_table();
    c.harm(t);
    EXPECT_NE(table_fault(t).find(c.expected), std::string::npos) << c.expected << ": '" << table_fault(t) << "'";
  }
}

TEST(TableFile, FaultsOfAFileNameTheDataset) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "t.h5";
  {
    Hdf5Writer f(path);
    ErrorTable t = example_table();
    write_provenance(f, t.provenance);
    f.attribute("/", "operands", std::string_view("stratified"));
    f.attribute("/array", "rows", std::int64_t{100000000});
    f.commit();
  }
  const auto message = expect_error(ExitStatus::kArtifact, "E403", [&] { ErrorTable::load(path); });
  EXPECT_NE(message.find("rows = 100000000"), std::string::npos) << message;
}

}  // namespace
}  // namespace errata::errormodel
