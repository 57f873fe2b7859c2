#include "errormodel/exchange/export.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <sstream>

#include "errormodel/table/marginal.h"
#include "tests/support/example_table.h"
#include "tests/support/expect_error.h"

namespace errata::errormodel {
namespace {

using errata::testing::example_table;
using errata::testing::expect_error;

std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    std::istringstream fields(line);
    for (std::string f; std::getline(fields, f, ',');) rows.back().push_back(f);
  }
  return rows;
}

TEST(Export, CsvHoldsEveryNumberOfEveryPoint) {
  std::vector<ErrorTable> points{example_table(), example_table()};
  points[1].temperature_kelvin = 350.5;
  const auto rows = rows_of(table_csv(points));
  ASSERT_EQ(rows[0].size(), 13u + 1u);
  std::map<std::string, std::size_t> count;
  for (std::size_t k = 1; k < rows.size(); ++k) ++count[rows[k][0] + rows[k][4]];
  const std::size_t nodes = points[0].axes.size();
  for (const char* point : {"0", "1"}) {
    EXPECT_EQ(count[std::string(point) + "mu"], nodes);
    EXPECT_EQ(count[std::string(point) + "source_variance"], 2 * nodes);
    EXPECT_EQ(count[std::string(point) + "chip"], 6u);
    EXPECT_EQ(count[std::string(point) + "level"], 6u);
    EXPECT_EQ(count[std::string(point) + "drift_exponent"], 3u);
  }
  // A number reads back to the same bits, at its place.
  std::size_t mu = 0;
  for (const auto& r : rows)
    if (r[0] == "1" && r[4] == "mu") {
      EXPECT_EQ(r[1], "350.5");
      EXPECT_EQ(std::stod(r[10]), points[1].mu[mu]);
      EXPECT_EQ(std::stod(r[8]), points[1].axes.y_at(mu / points[1].axes.a_points));
      EXPECT_LT(std::stod(r[11]), std::stod(r[10]));
      ++mu;
    }
  EXPECT_EQ(mu, nodes);
}

TEST(Export, NeurosimRowsAreDenseAndSayWhatTheyAre) {
  const ErrorTable t = example_table("offset_column");
  const auto e = neurosim_csv(t);
  const auto rows = rows_of(e.csv);
  EXPECT_EQ(rows[0][0], "output");
  EXPECT_EQ(rows[0][1], "mean");
  EXPECT_EQ(rows[0][2], "std");
  EXPECT_NE(rows[0][3].find("not_for_yield"), std::string::npos);
  EXPECT_EQ(e.adc_precision, 4);          // the axes reach 20, so 16 is the last power of two
  ASSERT_EQ(rows.size(), 1u + 16u + 1u);  // NeuroSim indexes by the output: 0 … 2^bits
  for (std::size_t k = 1; k < rows.size(); ++k) {
    EXPECT_EQ(std::stod(rows[k][0]), static_cast<double>(k - 1));
    EXPECT_GT(std::stod(rows[k][2]), 0.0);
  }
  EXPECT_GT(e.static_share, 0.3);
  EXPECT_LT(e.static_share, 1.0);
  const auto message = expect_error(ExitStatus::kArtifact, "E408", [] { neurosim_csv(example_table()); });
  EXPECT_NE(message.find("single-ended"), std::string::npos);
}

TEST(Export, MomentsAreThoseOfTheDraws) {
  // Draws at an ideal y over chips, columns and reads, a as the support weighs it. 6000 columns × 8 draws: the mean of
  // a column-dominated spread is known to σ/√6000 = 1.3 %, σ to about 1.5 %; five of which is below 1e-6.
  const ErrorTable t = example_table("offset_column");
  const double y = 7.0;
  const auto m = output_moments(t, 7, 7).front();
  std::vector<double> weight;
  double mass = 0;
  for (std::size_t j = 0; j < t.axes.a_points; ++j) {
    weight.push_back(surface_value(t.axes, t.support_count, y, t.axes.a_at(j)) + 1e-6);
    mass += weight.back();
  }
  double sum = 0, square = 0, n = 0;
  for (std::uint64_t chip = 0; chip < 6000; ++chip) {
    // Strata over a in proportion to the support.
    std::vector<double> ys(8, y), as;
    for (int k = 0; k < 8; ++k) {
      double at = (k + 0.5) / 8 * mass;
      std::size_t j = 0;
      while (j + 1 < weight.size() && at > weight[j]) at -= weight[j++];
      as.push_back(t.axes.a_at(j));
    }
    for (const double v : sample_conversions(t, ys, as, 1, chip, 3)) {
      sum += v;
      square += v * v;
      n += 1;
    }
  }
  const double mean = sum / n, sigma = std::sqrt(square / n - mean * mean);
  // The strata hold a to an eighth of the mass: means differ by what μ and φ change with a within that.
  EXPECT_NEAR(mean, m.mean, 0.07);
  EXPECT_NEAR(sigma, m.sigma, 0.08 * m.sigma);
}

TEST(Export, CodeViewIsThatOfTheDraws) {
  // P(code | ideal code) against columns drawn with their patterns. 3000 columns × 16 operands; a probability of 0.3 is
  // known to 0.02 from about 1500 draws of one ideal code that share columns.
  ErrorTable t = example_table();
  t.faults = {};
  t.dynamic_quantiles.clear();
  t.source_memory.clear();
  const auto operands = stratified_operands(t, 240);
  fill_code_view(t, operands);
  const auto codes = static_cast<std::size_t>(t.adc.codes());
  std::vector<double> drawn(codes * codes, 0.0), row(codes, 0.0);
  for (std::size_t c = 0; c < operands.size(); ++c) {
    const ColumnOperands& d = operands[c];
    for (std::uint64_t chip = 0; chip < 40; ++chip) {
      const auto s = draw_static_column(t, 2, chip, c, d.plus, d.minus);
      ReadSequence reads(t, 2, chip, c);
      for (std::size_t p = 0; p < d.count(); ++p) {
        double state = s.offset;
        for (std::size_t j = 0; j < d.rows; ++j)
          if (const auto x = d.input(p)[j]; x > 0) state += s.weight[(x - 1) * d.rows + j];
        const auto ideal = static_cast<std::size_t>(adc_code(t.adc, d.mac(p)) - t.adc.lowest_code());
        const double v = reads.next(state, d.second_axis(p, t.minimum_conductance));
        drawn[ideal * codes + static_cast<std::size_t>(adc_code(t.adc, v) - t.adc.lowest_code())] += 1;
        row[ideal] += 1;
      }
    }
  }
  int compared = 0;
  for (std::size_t i = 0; i < codes; ++i) {
    if (row[i] < 4000) continue;
    ++compared;
    double distance = 0, gap = 0;  // Wasserstein-1 in codes
    for (std::size_t k = 0; k < codes; ++k) {
      gap += drawn[i * codes + k] / row[i] - t.code_pmf[i * codes + k];
      distance += std::fabs(gap);
    }
    EXPECT_LT(distance, 0.15) << "ideal code " << i;
  }
  EXPECT_GE(compared, 4);
}

}  // namespace
}  // namespace errata::errormodel
