#include "errormodel/error_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "tests/support/temporary_folder.h"

namespace errata::errormodel {
namespace {

ErrorTable example() {
  ErrorTable t;
  t.provenance.format = ErrorTable::kFormat;
  t.axes = {-8, 8, 0, 16, 5, 4};
  t.adc = {4, 8};
  t.level = {0, 1, 2, 3};
  t.cell_sigma = {0.0, 0.1, 0.2, 0.3};
  t.mu.assign(20, 0.25);
  t.slope.assign(20, 0.0);
  t.dynamic_sigma.assign(20, 0.5);
  t.source_names = {"thermal", "rtn"};
  t.source_variance.assign(40, 0.125);
  t.support_count.assign(20, 100);
  t.support_error.assign(20, 0.01);
  t.chip = {0.04, 0.01, 0, 0.01, 0.09, 0, 0, 0, 0.0};
  t.column = {0.5, 0, 0, 0, 0.1, 0, 0, 0, 0.2};
  t.chip_interval.assign(6, {0.1, 0.0, 0.2});
  t.column_interval.assign(6, {0.1, 0.0, 0.2});
  t.cell_interval.assign(4, {0.1, 0.0, 0.2});
  t.code_pmf.assign(256, 1.0 / 16);
  return t;
}

TEST(ErrorTable, SurvivesItsFile) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "t.h5";
  const ErrorTable t = example();
  t.save(path);
  const ErrorTable u = ErrorTable::load(path);
  EXPECT_EQ(u.level, t.level);
  EXPECT_EQ(u.mu, t.mu);
  EXPECT_EQ(u.chip, t.chip);
  EXPECT_EQ(u.source_names, t.source_names);
  EXPECT_EQ(u.axes.y_points, 5u);
  EXPECT_EQ(u.adc.bits, 4);
  EXPECT_EQ(u.cell_interval[2].high, 0.2);
}

TEST(ErrorTable, DamagedFilesAreRefused) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "t.h5";
  example().save(path);
  const auto size = std::filesystem::file_size(path);
  for (const auto keep : {std::uintmax_t{0}, size / 3, size / 2, size - 1}) {
    example().save(path);
    std::filesystem::resize_file(path, keep);
    try {
      ErrorTable::load(path);
      ADD_FAILURE() << "a file cut to " << keep << " bytes was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), ExitStatus::kArtifact);
    }
  }
  std::ofstream(path) << "not HDF5 at all";
  EXPECT_THROW(ErrorTable::load(path), Error);
}

TEST(ErrorTable, FactorTimesItsTransposeIsTheCovariance) {
  const Covariance c{4, 2, 0.6, 2, 5, 0.9, 0.6, 0.9, 1};
  const Covariance l = ErrorTable::factor(c);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      double sum = 0;
      for (int k = 0; k < 3; ++k) sum += l[3 * i + k] * l[3 * j + k];
      EXPECT_NEAR(sum, c[3 * i + j], 1e-12);
    }
}

TEST(ErrorTable, StaticColumnIsAFunctionOfItsIdentity) {
  const ErrorTable t = example();
  const std::vector<std::uint8_t> plus{3, 0, 1, 2}, minus{0, 2, 0, 0};
  const auto a = draw_static_column(t, 7, 100, 5, plus, minus), b = draw_static_column(t, 7, 100, 5, plus, minus);
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_EQ(a.offset, b.offset);
  EXPECT_NE(a.offset, draw_static_column(t, 7, 100, 6, plus, minus).offset);
  EXPECT_NE(a.offset, draw_static_column(t, 7, 101, 5, plus, minus).offset);
  EXPECT_NE(a.offset, draw_static_column(t, 8, 100, 5, plus, minus).offset);
}

TEST(ErrorTable, StaticDrawsHaveTheTablesCovariance) {
  // Offset at φ = [1, y, a] with the identity basis: variance Σ_C[0] + Σ_K[0] over chips; 4000 chips know a variance
  // to 2.2 %, five of which is a false alarm below 1e-6.
  const ErrorTable t = example();
  const std::vector<std::uint8_t> none(4, 0);
  double square = 0, within = 0;
  constexpr int kChips = 4000;
  for (int chip = 0; chip < kChips; ++chip) {
    const double a = draw_static_column(t, 1, chip, 0, none, none).offset,
                 b = draw_static_column(t, 1, chip, 1, none, none).offset;
    square += a * a;
    within += a * b;  // two columns of a chip share C only
  }
  EXPECT_NEAR(square / kChips, 0.54, 5 * 0.022 * 0.54);
  EXPECT_NEAR(within / kChips, 0.04, 5 * 0.54 / std::sqrt(kChips));
}

}  // namespace
}  // namespace errata::errormodel
