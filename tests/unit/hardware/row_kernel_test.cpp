// Bit-true conversions in 16 bits: the kernel against its plain loop on every instruction set, its normals against the
// normal distribution, and its codes against the table's own formula (methods.md §3.1).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "core/random_stream.h"
#include "core/statistics.h"
#include "tests/support/synthetic_table.h"
#include "tests/support/vector_targets.h"
#include "training/hardware/row_plan.h"
#include "training/hardware/table_conversion.h"

namespace errata::training {
namespace {

constexpr auto kOffset = SignedScheme::kOffsetColumn;

/// A single-ended table; `bits` of an input digit.
errormodel::ErrorTable single_ended(int bits = 1) {
  auto t = errata::testing::synthetic_table();
  t.signed_scheme = "offset_column";
  t.rows = 128;
  t.axes = {0, 100, 0, 128, 33, 13};
  t.inputs = std::size_t{1} << bits;
  if (bits == 2) {
    t.level = {0, 1, 2, 3, 0, 1.9, 4.1, 5.8, 0, 3.1, 5.9, 8.7};
    t.cell_sigma.assign(12, 0.1);
  }
  return t;
}

/// Slices of the same rows with random levels.
std::vector<Tile> random_slices(const errormodel::ErrorTable& table, std::size_t rows, std::size_t columns,
                                std::size_t slices) {
  std::vector<Tile> all;
  RandomStream stream(4, StreamPurpose::kTest);
  for (std::size_t s = 0; s < slices; ++s) {
    Tile t{.number = 5 + s, .rows = rows, .columns = columns - 1, .conversions = columns, .scheme = kOffset};
    t.slice_weight = std::pow(static_cast<double>(table.levels), static_cast<double>(s));
    t.first_column = 3 + s * columns;
    for (std::size_t k = 0; k < rows * columns; ++k)
      t.plus.push_back(static_cast<std::uint8_t>(stream.below(table.levels)));
    all.push_back(std::move(t));
  }
  return all;
}

std::vector<std::uint8_t> random_codes(std::size_t count, int bits) {
  RandomStream stream(3, StreamPurpose::kTest);
  std::vector<std::uint8_t> codes(count);
  for (auto& c : codes) c = static_cast<std::uint8_t>(stream.below(std::uint64_t{1} << bits));
  return codes;
}

struct Case {
  std::size_t rows, columns, slices;
  int input_bits, dac_bits, adc_bits;
  double adc_range;
  bool bipolar = false;
  std::size_t points = 33;
};

HardwareOptions hardware_of(const Case& c) {
  return {128, 4, 4, c.input_bits, {c.adc_bits, c.adc_range, c.bipolar}, c.dac_bits, kOffset};
}

const ReadWords kWords({1, 6, 5, 77, 9}), kTails({1, 28, 5, 77, 9});

TEST(RowKernel, EveryVectorWidthHasTheBitsOfThePlainLoop) {
  for (const Case& c : {Case{128, 32, 1, 4, 1, 7, 128}, Case{25, 7, 4, 4, 1, 6, 64}, Case{128, 33, 2, 8, 1, 8, 160},
                        Case{30, 20, 1, 3, 1, 5, 40}, Case{63, 40, 1, 4, 2, 8, 200}, Case{50, 9, 1, 3, 1, 6, 32, true},
                        Case{128, 17, 1, 4, 1, 7, 128, false, 61}, Case{128, 17, 1, 4, 1, 7, 128, false, 7}}) {
    auto table = single_ended(c.dac_bits);
    if (c.points != 33) {
      table.axes.y_points = c.points;
      for (auto* nodes : {&table.mu, &table.slope, &table.dynamic_sigma, &table.support_count, &table.support_error})
        nodes->resize(table.axes.size(), 0.3);
    }
    const auto slices = random_slices(table, c.rows, c.columns, c.slices);
    const auto plan = make_row_plan(table, slices, hardware_of(c), 1, 9);
    ASSERT_TRUE(plan) << c.rows;
    constexpr std::size_t kPositions = 130;  // more than one round of sums, and hundreds of values of the tail
    PackedReads packed;
    pack_reads(*plan, random_codes(kPositions * c.rows, c.input_bits), c.rows, packed);
    const RowReads reads{packed.places.data(), packed.activity.data(), kPositions, 1000};
    const std::size_t stride = plan->blocks * RowPlan::kBlock;
    std::vector<std::uint16_t> plain(kPositions * stride), got(plain.size());
    for (std::size_t b = 0; b < plan->blocks; ++b)
      row_block_reference(*plan, b, reads, kWords, kTails, plain.data() + b * RowPlan::kBlock, stride);
    errata::testing::for_each_vector_target([&] {
      std::ranges::fill(got, std::uint16_t{0});
      for (std::size_t b = 0; b < plan->blocks; ++b)
        row_block(*plan, b, reads, kWords, kTails, got.data() + b * RowPlan::kBlock, stride);
      EXPECT_EQ(got, plain) << c.rows << " rows " << c.columns << " columns";
    });
  }
}

TEST(Ars, HasTheKnownAnswers) {  // of the authors' library Random123, ten rounds
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(ars({0, 0, 0, 0}, {0, 0}, 10), (Block{0x8d73ee19, 0x506401ef, 0x13c2dbe4, 0x0cbe9c0d}));
  EXPECT_EQ(ars({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0x299f31d0a4093822, 0xec4e6c89082efa98}, 10),
            (Block{0xa516e7d6, 0x8357ad74, 0x5b59b3ec, 0x8763fff3}));
}

TEST(ShortNormal, IsTheInverseDistributionFunction) {
  // Of every word, its dither and its tail at some places: cubics in 16 bits stay within 2.5 of 4096 parts of a σ.
  double largest = 0.0;
  for (std::uint32_t word = 0; word < 0x8000; ++word)
    for (std::uint32_t part = 3; part < 256; part += 50) {
      const auto magnitude = static_cast<double>(word);
      const bool wide = word >= ShortNormalTables::kWide;
      const double share = wide ? 0.5 : (part + 0.5) / 256.0;
      const std::int16_t got = short_normal_reference(static_cast<std::uint16_t>(word), static_cast<std::uint8_t>(part),
                                                      part << 24 | 0x800000u);
      const double exact = -4096.0 * inverse_normal((magnitude + share) / 65536.0);
      largest = std::max(largest, std::fabs(got - exact));
      EXPECT_EQ(short_normal_reference(static_cast<std::uint16_t>(word | 0x8000), static_cast<std::uint8_t>(part),
                                       part << 24 | 0x800000u),
                -got);
    }
  EXPECT_LT(largest, 2.5);
  EXPECT_EQ(short_normal_tables().tail_value(0, 0), std::lround(-4096.0 * inverse_normal(0x1p-49)));  // 7.9 σ
}

/// Probability of each code of a conversion at y_s and a.
std::vector<double> code_probabilities(const errormodel::ErrorTable& t, const AdcOptions& adc, double y, double a) {
  const double at = y + t.mean_shift(y, a), sigma = t.read_sigma(y, a);
  std::vector<double> p(static_cast<std::size_t>(adc.codes()));
  double below = 0.0;
  for (std::size_t k = 0; k < p.size(); ++k) {
    const double edge = (adc.lowest_code() + static_cast<double>(k) + 0.5) * adc.step();
    const double up_to = k + 1 == p.size() ? 1.0 : normal_cdf((edge - at) / sigma);
    p[k] = up_to - below;
    below = up_to;
  }
  return p;
}

TEST(RowKernel, CodesHaveTheProbabilitiesOfTheFormula) {
  // Each column reads one pattern 4096 times; chi-square over the codes expected at least five times, the rest
  // together.
  for (const Case& c :
       {Case{128, 64, 1, 1, 1, 6, 110}, Case{30, 64, 1, 1, 1, 7, 128}, Case{60, 64, 1, 1, 1, 5, 50, true}}) {
    auto table = single_ended();
    table.cell_sigma.assign(4, 0.2);
    const auto slices = random_slices(table, c.rows, c.columns, c.slices);
    const HardwareOptions hardware = hardware_of(c);
    const auto plan = make_row_plan(table, slices, hardware, 1, 9);
    ASSERT_TRUE(plan);
    constexpr std::size_t kReads = 4096;
    const auto pattern = random_codes(c.rows, 1);
    std::vector<std::uint8_t> codes;
    for (std::size_t k = 0; k < kReads; ++k) codes.insert(codes.end(), pattern.begin(), pattern.end());
    PackedReads packed;
    pack_reads(*plan, codes, c.rows, packed);
    const std::size_t stride = plan->blocks * RowPlan::kBlock;
    std::vector<std::uint16_t> sums(kReads * stride);
    for (std::size_t b = 0; b < plan->blocks; ++b)
      row_block(*plan, b, {packed.places.data(), packed.activity.data(), kReads, 0}, kWords, kTails,
                sums.data() + b * RowPlan::kBlock, stride);
    double chi_square = 0.0, freedom = 0.0;
    const double a = std::accumulate(pattern.begin(), pattern.end(), 0.0);
    for (std::size_t column = 0; column < c.columns; ++column) {
      const auto s = draw_static_column(table, 1, 9, slices[0].first_column + column, slices[0].plus_of(column), {});
      double y = s.offset;
      for (std::size_t j = 0; j < c.rows; ++j) y += pattern[j] * s.weight[j];
      const auto p = code_probabilities(table, hardware.adc, y, a);
      std::vector<double> seen(p.size(), 0.0);
      for (std::size_t k = 0; k < kReads; ++k)
        ++seen[static_cast<std::size_t>(sums[k * stride + column] + plan->first_code - hardware.adc.lowest_code())];
      double rest_seen = 0.0, rest_expected = 0.0;
      for (std::size_t k = 0; k < p.size(); ++k) {
        const double expected = p[k] * kReads;
        if (expected < 5.0) {
          rest_seen += seen[k];
          rest_expected += expected;
          continue;
        }
        chi_square += (seen[k] - expected) * (seen[k] - expected) / expected;
        ++freedom;
      }
      --freedom;
      if (rest_expected >= 5.0) {
        chi_square += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected;
        ++freedom;
      } else {
        EXPECT_LT(rest_seen, 25.0);  // Poisson of at most 5: false alarm below 1e-9
      }
    }
    // A threshold is off by what rounding the 32 sums leaves, 0.005 steps: it adds below 0.1 to a column's chi-square
    // of 4096 reads. 4.5 σ: false alarm 7e-6.
    EXPECT_LT(chi_square, freedom + 0.1 * static_cast<double>(c.columns) + 4.5 * std::sqrt(2.0 * freedom)) << c.rows;
    EXPECT_GT(chi_square, freedom - 4.5 * std::sqrt(2.0 * freedom));
  }
}

TEST(RowPlan, LeavesToTheGeneralWayWhatDoesNotFit) {
  const Case fits{64, 9, 1, 4, 1, 6, 64};
  const auto table = single_ended();
  const auto slices = random_slices(table, 64, 9, 1);
  const auto plans = [&](const errormodel::ErrorTable& t, const HardwareOptions& h) {
    return make_row_plan(t, slices, h, 1, 9).has_value();
  };
  EXPECT_TRUE(plans(table, hardware_of(fits)));
  EXPECT_FALSE(plans(ideal_table(table), hardware_of(fits)));  // exact products
  auto quantiles = table;
  quantiles.dynamic_quantiles = {-5, 0, 5};
  EXPECT_FALSE(plans(quantiles, hardware_of(fits)));
  auto bent = hardware_of(fits);
  bent.adc.offset_sigma = 0.1;
  EXPECT_FALSE(plans(table, bent));
  auto dense = table;
  dense.axes.y_points = 129;
  for (auto* nodes : {&dense.mu, &dense.dynamic_sigma}) nodes->assign(dense.axes.size(), 0.3);
  EXPECT_FALSE(plans(dense, hardware_of(fits)));
  auto fine = hardware_of(fits);
  fine.adc.bits = 12;
  EXPECT_FALSE(plans(table, fine));
  auto wide = hardware_of(fits);
  wide.input_bits = 12;  // sums of codes beyond 2¹⁶
  EXPECT_FALSE(plans(table, wide));
}

}  // namespace
}  // namespace errata::training
