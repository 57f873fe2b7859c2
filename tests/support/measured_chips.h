#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/operand_design.h"
#include "core/random_stream.h"
#include "core/settings.h"
#include "errormodel/compile_measured.h"
#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// Test chips whose truth is known, and the CSV files that somebody who measures them would write.
struct MeasuredChips {
  std::size_t chips = 24, columns = 6, operands = 32, reads = 4, rows = 32, levels = 3;
  double chip_sigma = 0.3, column_sigma = 0.6, gain_sigma = 0.03, read_sigma = 0.3, compression = 0.004;
  std::vector<double> cell_sigma = {0.02, 0.08, 0.15};
  std::vector<double> level = {0.0, 1.04, 1.95};
  std::uint64_t seed = 9;
  int adc_bits = 7;
  double adc_range = 24.0;

  /// What a campaign looks like in a file.
  struct Style {
    const char* quantity = "code";  ///< code, mac, value[V]
    bool patterns = true;
  };

  /// Variance of C + K and of K at an operand.
  double column_variance(double y, double /*a*/) const {
    return column_sigma * column_sigma + gain_sigma * gain_sigma * y * y;
  }

  std::string project(Style style) const {
    return fmt::format(
        "[project]\nname = \"silicon\"\n[array]\nrows = {}\n[hardware]\ncell_levels = {}\nadc_bits = {}\n"
        "adc_range = {}\n[errormodel]\nmeasurements = \"measurements.csv\"\n{}mac_points = 21\nactivity_points = 7\n",
        rows, levels, adc_bits, adc_range,
        style.patterns ? "measured_weights = \"weights.csv\"\nmeasured_inputs = \"inputs.csv\"\n" : "");
  }

  /// Writes the project and its CSV files; chips are numbered from `first_chip`.
  void write(const TemporaryFolder& folder, std::uint64_t first_chip, Style style) const {
    const OperandDesign design{.rows = rows, .levels = levels, .operands = operands, .mac_limit = 0.9 * adc_range};
    const AdcOptions adc{.bits = adc_bits, .range = adc_range};
    std::string data = fmt::format("chip,column,operand,read,{}{}\n", style.patterns ? "" : "y,a,", style.quantity);
    std::string weights = "chip,column,row,plus,minus\n", inputs = "operand,row,input\n";
    for (std::uint64_t chip = first_chip; chip < first_chip + chips; ++chip) {
      RandomStream at_chip(seed, StreamPurpose::kTest, 1, 0, chip);
      const double c0 = chip_sigma * at_chip.normal();
      for (std::size_t column = 0; column < columns; ++column) {
        RandomStream at(seed, StreamPurpose::kTest, 2, column, chip);
        const double k0 = column_sigma * at.normal(), k1 = gain_sigma * at.normal();
        const ColumnOperands d = make_operands(design, seed, chip, column);
        std::vector<double> cell;
        for (std::size_t j = 0; j < rows; ++j) {
          weights += style.patterns ? fmt::format("{},{},{},{},{}\n", chip, column, j, d.plus[j], d.minus[j]) : "";
          const double p = level[d.plus[j]] + cell_sigma[d.plus[j]] * at.normal();
          cell.push_back(p - level[d.minus[j]] - cell_sigma[d.minus[j]] * at.normal());
        }
        for (std::size_t p = 0; p < d.count(); ++p) {
          const double y = d.mac(p), a = d.second_axis(p, 0.0);
          double state = c0 + k0 + k1 * y;
          for (std::size_t j = 0; j < rows; ++j) {
            state += d.input(p)[j] != 0 ? cell[j] : 0.0;
            if (style.patterns && (d.input(p)[j] != 0 || j == 0))
              inputs += fmt::format("{}.{}.{},{},{}\n", chip, column, p, j, d.input(p)[j]);
          }
          state -= compression * state * std::fabs(state);
          for (std::size_t r = 0; r < reads; ++r) {
            const double v = state + read_sigma * at.normal();
            const std::string shown = std::string(style.quantity) == "code"  ? fmt::format("{}", adc_code(adc, v))
                                      : std::string(style.quantity) == "mac" ? fmt::format("{}", v)
                                                                             : fmt::format("{}", 0.4 - 0.003 * v);
            const std::string axes = style.patterns ? "" : fmt::format("{},{},", y, a);
            data += fmt::format("{},{},{}.{}.{},{},{}{}\n", chip, column, chip, column, p, r, axes, shown);
          }
        }
      }
    }
    folder.write("measurements.csv", data);
    folder.write("errata.toml", project(style));
    if (!style.patterns) return;
    folder.write("weights.csv", weights);
    folder.write("inputs.csv", inputs);
  }

  errormodel::ErrorTable table(std::uint64_t first_chip, Style style, std::vector<std::string>& warnings) const {
    const TemporaryFolder folder;
    write(folder, first_chip, style);
    const Settings s = read_project(folder.path(), {});
    RunContext context;
    context.warn = [&](const Diagnostic& d) { warnings.push_back(d.message); };
    return errormodel::compile_measured(errormodel::project_campaign(s), s, {errormodel::ErrorTable::kFormat}, context);
  }
  errormodel::ErrorTable table(std::uint64_t first_chip, Style style) const {
    std::vector<std::string> ignored;
    return table(first_chip, style, ignored);
  }
  /// In MAC units, without patterns: the quickest.
  errormodel::ErrorTable table(std::uint64_t first_chip) const { return table(first_chip, {"mac", false}); }
};

}  // namespace errata::testing
