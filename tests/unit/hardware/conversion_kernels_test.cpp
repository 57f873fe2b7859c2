// The kernels of bit-true conversions against their plain loops and against the table's own formula.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/synthetic_table.h"
#include "tests/support/vector_targets.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/hardware/reference_kernels.h"
#include "training/hardware/subset_sums.h"
#include "training/hardware/table_conversion.h"

namespace errata::training {
namespace {

std::vector<float> uniform(std::size_t count, double low, double high, std::uint64_t number) {
  RandomStream stream(2, StreamPurpose::kTest, number);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(low + (high - low) * stream.uniform());
  return values;
}

std::vector<float> levels(std::size_t count, int bits, std::uint64_t number) {
  RandomStream stream(3, StreamPurpose::kTest, number);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(stream.below(std::uint64_t{1} << bits));
  return values;
}

TEST(SubsetSums, AreTheProductOnEveryVectorWidth) {
  for (const int bits : {1, 2, 3, 4})
    for (const auto& [rows, columns] : {std::pair{1, 1}, {5, 16}, {64, 33}, {128, 40}, {27, 7}}) {
      const std::size_t n = static_cast<std::size_t>(rows), m = static_cast<std::size_t>(columns), reads = 21,
                        steps = (std::size_t{1} << bits) - 1;
      const auto weight = uniform(steps * n * m, -1, 3, 1), inputs = levels(reads * n, bits, 2);
      const SubsetSums sums(weight, n, m, bits);
      const auto places = sums.places(inputs);
      constexpr std::size_t kBlock = SubsetSums::kBlockColumns;
      std::vector<float> plain(reads * m), got(plain.size()), block(reads * kBlock);
      for (std::size_t b = 0; b * kBlock < m; ++b) {
        subset_sums_reference(sums, b, places.data(), reads, block.data(), kBlock);
        for (std::size_t r = 0; r < reads; ++r)
          for (std::size_t c = b * kBlock; c < std::min(m, (b + 1) * kBlock); ++c)
            plain[r * m + c] = block[r * kBlock + c % kBlock];
      }
      for (std::size_t r = 0; r < reads; ++r)
        for (std::size_t c = 0; c < m; ++c) {
          double sum = 0;
          for (std::size_t j = 0; j < n; ++j)
            if (const auto x = static_cast<std::size_t>(inputs[r * n + j]); x > 0)
              sum += static_cast<double>(weight[((x - 1) * n + j) * m + c]);
          ASSERT_NEAR(plain[r * m + c], sum, 1e-6 * 3 * static_cast<double>(n) + 1e-6);  // fp32 sums of n terms below 3
        }
      errata::testing::for_each_vector_target([&] {
        std::ranges::fill(got, 0.0f);
        sums.multiply(places, got);
        EXPECT_EQ(got, plain) << bits << " bits " << rows << " rows " << columns << " columns";
      });
    }
}

TEST(ReadErrors, EveryVectorWidthHasTheBitsOfThePlainLoop) {
  const ErrorSurfaces surfaces(errata::testing::synthetic_table());
  for (const std::size_t columns : {1, 7, 16, 45}) {
    const std::size_t reads = 9, count = reads * columns;
    const auto values = uniform(count, -60, 60, 1), offset = uniform(columns, -2, 2, 2),
               normal = uniform(count, -3, 3, 3), a = uniform(count, -10, 200, 4);
    const ReadErrors errors{offset.data(), normal.data(), columns};
    const std::span a_of_read(a.data(), reads);
    auto rows = values, pairs = values;
    for (std::size_t r = 0; r < reads; ++r) {
      row_errors_reference(surfaces, surfaces.at(a[r]).data(), errors, r * columns, 0, rows.data() + r * columns);
      pair_errors_reference(surfaces, a.data() + r * columns, errors, r * columns, 0, pairs.data() + r * columns);
    }
    errata::testing::for_each_vector_target([&] {
      auto got = values;
      add_read_errors(surfaces, a_of_read, errors, got);
      EXPECT_EQ(got, rows);
      got = values;
      add_pair_errors(surfaces, a, errors, got);
      EXPECT_EQ(got, pairs);
    });
  }
}

TEST(ToCodes, EveryVectorWidthHasTheCodesOfTheAdc) {
  for (const AdcOptions& adc : {AdcOptions{6, 32}, AdcOptions{5, 20}, AdcOptions{4, 40, false}}) {
    auto values = uniform(1003, -50, 50, 5);
    for (int k = -20; k <= 20; ++k) values.push_back(static_cast<float>(k) * 0.5f);  // ties where the step is 1
    std::vector<float> expected;
    for (const float v : values) expected.push_back(static_cast<float>(adc_code(adc, static_cast<double>(v))));
    auto plain = values;
    to_codes_reference(adc, plain);
    EXPECT_EQ(plain, expected);
    errata::testing::for_each_vector_target([&] {
      auto got = values;
      to_codes(adc, got);
      EXPECT_EQ(got, expected);
    });
  }
}

/// A tile of random weights.
Tile random_tile(SignedScheme scheme, std::size_t rows, std::size_t columns) {
  const bool pair = scheme == SignedScheme::kDifferentialBeforeAdc;
  Tile t{.rows = rows, .columns = columns, .conversions = columns, .scheme = scheme, .first_column = 3};
  RandomStream stream(4, StreamPurpose::kTest);
  for (std::size_t k = 0; k < rows * columns; ++k) {
    const auto level = static_cast<std::uint8_t>(stream.below(4));
    const bool minus = pair && stream.below(2) == 1;
    t.plus.push_back(minus ? 0 : level);
    if (pair) t.minus.push_back(minus ? level : 0);
  }
  return t;
}

/// Every value of a read is the table's formula (methods.md §3.1) on the chip that draw_static_column() draws.
void check_against_the_formula(const errormodel::ErrorTable& table, const Tile& tile) {
  const int bits = table.inputs == 2 ? 1 : 2;
  constexpr std::size_t kImages = 2, kReads = 70;  // more than one block of normals
  const auto inputs = levels(kImages * kReads * tile.rows, bits, 6);
  const auto prepared = TableConversion(table).prepare(tile, 1, 9);
  std::vector<float> values(kImages * kReads * tile.conversions);
  prepared->read({inputs, kImages, kReads, 100}, values);
  for (std::size_t image = 0; image < kImages; ++image) {
    std::vector<float> normal(kReads * tile.conversions);
    fill_normals({1, static_cast<std::uint32_t>(StreamPurpose::kDynamicRead), tile.number, 100 + image, 9}, normal);
    for (std::size_t c = 0; c < tile.conversions; ++c) {
      const auto s = draw_static_column(table, 1, 9, tile.first_column + c, tile.plus_of(c), tile.minus_of(c));
      for (std::size_t r = 0; r < kReads; ++r) {
        double y = s.offset, a = 0;
        for (std::size_t j = 0; j < tile.rows; ++j) {
          const auto x = static_cast<std::size_t>(inputs[(image * kReads + r) * tile.rows + j]);
          if (x == 0) continue;
          y += s.weight[(x - 1) * tile.rows + j];
          a += static_cast<double>(x) * s.drive[j];
        }
        const double v =
            y + table.mean_shift(y, a) + table.read_sigma(y, a) * static_cast<double>(normal[r * tile.conversions + c]);
        ASSERT_NEAR(values[(image * kReads + r) * tile.conversions + c], v, 2e-4);  // fp32 at values up to 100
      }
    }
  }
}

TEST(TableConversion, IsTheFormula) {
  auto table = errata::testing::synthetic_table();
  check_against_the_formula(table, random_tile(SignedScheme::kDifferentialBeforeAdc, 60, 21));
  check_against_the_formula(table, random_tile(SignedScheme::kOffsetColumn, 64, 21));
  table.inputs = 4;
  table.level = {0, 1, 2, 3, 0, 1.9, 4.1, 5.8, 0, 3.1, 5.9, 8.7};
  table.cell_sigma.assign(12, 0.1);
  check_against_the_formula(table, random_tile(SignedScheme::kDifferentialBeforeAdc, 31, 20));
}

TEST(TableConversion, DoesNotDependOnTheVectorWidth) {
  const auto table = errata::testing::synthetic_table();
  const auto tile = random_tile(SignedScheme::kDifferentialBeforeAdc, 60, 21);
  const auto inputs = levels(2 * 70 * 60, 1, 7);
  const auto read = [&] {
    std::vector<float> values(2 * 70 * 21);
    TableConversion(table).prepare(tile, 1, 9)->read({inputs, 2, 70, 0}, values);
    return values;
  };
  const auto expected = read();
  errata::testing::for_each_vector_target([&] { EXPECT_EQ(read(), expected); });
}

}  // namespace
}  // namespace errata::training
