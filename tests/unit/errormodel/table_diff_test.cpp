#include "errormodel/table/table_diff.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/random_stream.h"
#include "errormodel/compile.h"
#include "errormodel/table/table_merge.h"
#include "tests/support/example_table.h"
#include "tests/support/expect_error.h"
#include "tests/support/measured_chips.h"

namespace errata::errormodel {
namespace {

using errata::testing::example_table;
using errata::testing::expect_error;
using errata::testing::MeasuredChips;

const TermDifference* term(const TableDifference& d, const std::string& name) {
  for (const auto& t : d.terms)
    if (t.term.starts_with(name)) return &t;
  return nullptr;
}

TEST(TableDiff, ATableIsEqualToItself) {
  const auto d = compare_tables(example_table(), example_table());
  EXPECT_FALSE(d.significant()) << difference_report(d);
  EXPECT_EQ(d.terms.size(), 5u);
  for (const auto& t : d.terms) EXPECT_EQ(t.distance, 0.0) << t.term;
}

TEST(TableDiff, NamesTheTermThatDiffers) {
  ErrorTable t = example_table();
  for (double& v : t.column) v *= 4.0;
  for (auto& i : t.column_interval) i = {4 * i.estimate, 4 * i.low, 4 * i.high};
  const auto d = compare_tables(example_table(), t);
  ASSERT_NE(term(d, "column"), nullptr);
  EXPECT_TRUE(term(d, "column")->significant());
  EXPECT_NEAR(term(d, "column")->second, 2 * term(d, "column")->first, 1e-9);
  EXPECT_NEAR(term(d, "column")->distance, term(d, "column")->first, 1e-9);
  for (const char* other : {"mean", "chip", "cell", "dynamic"}) EXPECT_FALSE(term(d, other)->significant()) << other;
  EXPECT_TRUE(d.significant());
}

TEST(TableDiff, NoiseWithoutErrorsIsJudgedBySize) {
  ErrorTable t = example_table();
  for (double& v : t.dynamic_sigma) v *= 1.2;
  EXPECT_TRUE(term(compare_tables(example_table(), t), "dynamic")->significant());
  for (double& v : t.dynamic_sigma) v *= 1.02 / 1.2;
  EXPECT_FALSE(term(compare_tables(example_table(), t), "dynamic")->significant());
}

TEST(TableDiff, SiliconIsComparedWithAModel) {
  // Other units and sources of noise: notes, no difference.
  ErrorTable t = example_table();
  t.output_unit = "code";
  t.unit = 1.0;
  t.offset = 0.0;
  t.source_names = {"reads"};
  t.source_memory.clear();
  t.source_variance.clear();
  for (const double s : t.dynamic_sigma) t.source_variance.push_back(s * s);
  ASSERT_EQ(table_fault(t), "");
  const auto d = compare_tables(example_table(), t);
  EXPECT_FALSE(d.significant()) << difference_report(d);
  EXPECT_EQ(d.notes.size(), 2u);
  t.faults.lowest = 0.0;
  EXPECT_TRUE(compare_tables(example_table(), t).significant());
}

TEST(TableDiff, OtherHardwareIsNoMatterOfDistance) {
  ErrorTable t = example_table();
  t.rows = 128;
  const auto d = compare_tables(example_table(), t);
  EXPECT_EQ(d.hardware, "rows: 16 and 128");
  EXPECT_TRUE(d.significant());
  EXPECT_TRUE(d.terms.empty());
}

/// Tables of different chips of one truth and of another truth. Chance 0.001 for each of 5 terms in three comparisons:
/// a false alarm of 1.5 % over seeds, none for these.
TEST(TableDiff, ChipsOfOneTruthAgreeAndThoseOfAnotherDoNot) {
  const MeasuredChips chips{.chips = 40, .columns = 6, .operands = 24};
  const auto a = chips.table(0), b = chips.table(1000);
  const auto same = compare_tables(a, b);
  EXPECT_FALSE(same.significant()) << difference_report(same);
  MeasuredChips other = chips;
  other.column_sigma *= 1.8;
  const auto differs = compare_tables(a, other.table(2000));
  EXPECT_TRUE(term(differs, "column")->significant()) << difference_report(differs);
  EXPECT_FALSE(term(differs, "mean")->significant()) << difference_report(differs);
}

TEST(TableMerge, MoreChipsAreNearerToTheTruth) {
  MeasuredChips chips{.chips = 40, .columns = 6, .operands = 24};
  chips.cell_sigma = {0, 0, 0};  // without patterns K would hold part of them
  std::vector<ErrorTable> parts;
  for (std::uint64_t k = 0; k < 4; ++k) {
    parts.push_back(chips.table(1000 * k));
    parts.back().provenance.inputs = {{"measurements", std::string(64, static_cast<char>('a' + k))}};
  }
  const ErrorTable merged = merge_chips(parts);
  EXPECT_EQ(table_fault(merged), "");
  EXPECT_EQ(merged.chips_used, 160u);
  EXPECT_EQ(merged.columns_used, 960u);
  const auto width = [](const Interval& i) { return i.high - i.low; };
  double each = 0;
  for (const auto& p : parts) each += width(p.column_interval[0]) / 4.0;
  EXPECT_NEAR(width(merged.column_interval[0]), each / 2.0, 0.15 * each);  // √4, the widths themselves vary
  // σ of a column's offset is known to 1/√(2·960) = 2.3 %; variance to 4.6 %, four of which is below 1e-4.
  const auto p = merged.phi(0, 20);
  const double variance = quadratic_form(merged.column, p);
  EXPECT_NEAR(variance, chips.column_variance(0, 20), 4 * 0.046 * chips.column_variance(0, 20) + 0.005);
  // As many observations as in all parts; their a axes end at different places, so the counts were carried over.
  const auto total = [](const ErrorTable& t) {
    return std::accumulate(t.support_count.begin(), t.support_count.end(), 0.0);
  };
  double all = 0;
  for (const auto& part : parts) all += total(part);
  EXPECT_NEAR(total(merged), all, 0.02 * all);
}

TEST(TableMerge, RefusesWhatDoesNotBelongTogether) {
  const auto refused = [](auto&& change) {
    std::vector<ErrorTable> t{example_table(), example_table()};
    t[1].provenance.seed = 4;
    change(t[1]);
    return expect_error(ExitStatus::kArtifact, "E407", [&] { merge_chips(t); });
  };
  EXPECT_NE(refused([](ErrorTable& t) { t.provenance.seed = 3; }).find("same chips"), std::string::npos);
  EXPECT_NE(refused([](ErrorTable& t) {
              t.adc.bits = 6;
              t.code_pmf.clear();
            }).find("ADC bits"),
            std::string::npos);
  EXPECT_NE(refused([](ErrorTable& t) { t.unit *= 1.01; }).find("transfer"), std::string::npos);
  EXPECT_NE(refused([](ErrorTable& t) { t.temperature_kelvin = 350; }).find("operating"), std::string::npos);
  EXPECT_NE(refused([](ErrorTable& t) { t.faults.lowest = 0.1; }).find("stuck"), std::string::npos);
}

}  // namespace
}  // namespace errata::errormodel
