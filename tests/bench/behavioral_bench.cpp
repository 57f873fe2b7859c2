// Behavioural models against ngspice on every shipped macro: how well (methods.md §6.1) and how fast (performance.md
// §5), asked and measured side by side. CPU time, one thread, medians; ngspice (num_threads = 1, our own session) reads
// the same bit lines beside ours.
//   cmake --preset bench && ninja -C build/bench errata_behavioral_bench
//   build/bench/tests/errata_behavioral_bench [CHIPS COLUMNS OPERANDS [MACRO ...]]
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "behavioral/batch.h"
#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "tests/support/temporary_folder.h"

namespace errata::behavioral {
namespace {

double own_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Of this process and of the workers that have ended.
double all_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return own_seconds() + seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class Action>
double median_seconds(int runs, Action&& action) {
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const double start = own_seconds();
    action();
    seconds.push_back(own_seconds() - start);
  }
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

/// Bit lines with one input vector each: new chips, new columns, new operands.
std::vector<circuit::ColumnRequest> lines_of(const BehavioralModel& model, std::size_t count) {
  std::vector<circuit::ColumnRequest> lines;
  for (std::uint64_t k = 0; k < count; ++k) {
    const auto o = make_operands({.rows = model.array.rows,
                                  .levels = model.levels(),
                                  .operands = 1,
                                  .input_levels = model.input_levels(),
                                  .differential = model.branches == 2},
                                 1, 5 + k, k);
    lines.push_back({{5 + k, k}, o.plus, {o.input(0), o.input(0) + o.rows}});
  }
  return lines;
}

/// A bit line in ngspice and what the model makes of the same ones.
struct Reference {
  double seconds = 0.0;     ///< of one line: what more requests cost beyond the first, which loads netlist and workers
  double difference = 0.0;  ///< largest between model and ngspice, MAC units
};

Reference ngspice_reference(const Settings& s, const BehavioralModel& model, std::size_t count) {
  const auto lines = lines_of(model, count + 1);
  std::vector<double> output;
  const auto cost = [&](std::size_t some) {
    const double start = all_seconds();
    output = circuit::simulate_columns(s, s.seed(), {lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(some)},
                                       RunContext{});
    return all_seconds() - start;
  };
  const double first = cost(1);
  Reference r{.seconds = std::max(1e-9, (cost(count + 1) - first) / static_cast<double>(count))};
  for (std::size_t k = 0; k <= count; ++k) {
    double ours = 0.0;
    model.prepare(s.seed(), lines[k].line, lines[k].stored_levels)
        ->read(lines[k].input_levels, model.array.rows, {&ours, 1});
    r.difference = std::max(r.difference, std::fabs((ours - output[k]) / model.transfer.unit));
  }
  return r;
}

/// CPU seconds of one thread.
struct Speed {
  double cold = 0;        ///< a bit line prepared and read once
  double conversion = 0;  ///< all lines of a conversion, prepared, without noise
  double noisy = 0;       ///< the same with one noisy read, everything else included
  double observed = 0;  ///< a conversion as a table is compiled from: 40 operands a column, every noise source exactly
};

/// Columns side by side with common inputs.
BatchColumns columns_of(const BehavioralModel& model, std::size_t columns, std::size_t operands) {
  BatchColumns c{.rows = model.array.rows, .inputs = {}, .levels = {}};
  for (std::uint64_t k = 0; k < columns; ++k) {
    const auto o = make_operands({.rows = c.rows,
                                  .levels = model.levels(),
                                  .operands = k == 0 ? operands : 4,
                                  .input_levels = model.input_levels(),
                                  .differential = model.branches == 2},
                                 1, 2, k);
    if (k == 0) c.inputs = o.inputs;
    for (std::size_t b = 0; b < model.branches; ++b)
      c.levels.insert(c.levels.end(), o.branch(b).begin(), o.branch(b).end());
  }
  return c;
}

double cold_seconds(const BehavioralModel& model) {
  constexpr std::size_t kLines = 100;
  const auto lines = lines_of(model, kLines);
  double output = 0.0;
  return median_seconds(
             15,
             [&] {
               for (const auto& l : lines)
                 model.prepare(1, l.line, l.stored_levels)->read(l.input_levels, model.array.rows, {&output, 1});
             }) /
         kLines;
}

/// "Chip and weights prepared once": the reads of both lines and their difference in MAC units.
double conversion_seconds(const BehavioralModel& model, const BatchColumns& c, std::size_t columns) {
  std::vector<std::unique_ptr<Line>> lines;
  for (std::size_t l = 0; l < columns * model.branches; ++l)
    lines.push_back(model.prepare(1, {7, l}, std::span(c.levels).subspan(l * c.rows, c.rows)));
  const PackedInputs packed(c.inputs, c.rows, c.rows, model.input_levels());
  std::vector<double> output(packed.count()), other(packed.count());
  return median_seconds(7,
                        [&] {
                          for (std::size_t k = 0; k < columns; ++k) {
                            lines[model.branches * k]->read(packed, output);
                            if (model.branches == 2) lines[2 * k + 1]->read(packed, other);
                            for (std::size_t p = 0; p < output.size(); ++p)
                              output[p] = model.transfer.to_mac(output[p] - other[p]);
                          }
                        }) /
         static_cast<double>(columns * packed.count());
}

/// What errormodel/compile.cpp does for each conversion of a table: new columns, all variances by source.
double observed_seconds(const BehavioralModel& model) {
  constexpr std::size_t kColumns = 10, kOperands = 40;
  double sum = 0.0;
  const double seconds = median_seconds(5, [&] {
    std::vector<double> output(kOperands);
    for (std::uint64_t k = 0; k < kColumns; ++k) {
      const auto o = make_operands({.rows = model.array.rows,
                                    .levels = model.levels(),
                                    .operands = kOperands,
                                    .input_levels = model.input_levels(),
                                    .differential = model.branches == 2},
                                   1, 3, k);
      const PackedInputs packed(o.inputs, o.rows, o.rows, model.input_levels());
      for (std::size_t b = 0; b < o.branches(); ++b) {
        const auto line = model.prepare(1, {3, o.branches() * k + b}, o.branch(b));
        line->read(packed, output);
        for (const double v : line->all_noise_variances(packed)) sum += v;
        sum += output[0];
      }
    }
  });
  return std::isfinite(sum) ? seconds / static_cast<double>(kColumns * kOperands) : NAN;
}

Speed speed_of(const BehavioralModel& model) {
  constexpr std::size_t kColumns = 16, kOperands = 4096;
  const BatchColumns c = columns_of(model, kColumns, kOperands);
  BatchOptions o{.first_chip = 7};
  o.reads = 1;
  return {.cold = cold_seconds(model),
          .conversion = conversion_seconds(model, c, kColumns),
          .noisy = median_seconds(3, [&] { convert_batch(model, c, o); }) / static_cast<double>(kColumns * kOperands),
          .observed = observed_seconds(model)};
}

/// One line of the table: at most, or at least, what was asked.
void row(const char* what, double asked, double measured, const char* unit, bool at_most = true) {
  const bool meets = at_most ? measured <= asked : measured >= asked;
  fmt::print("  {:<62} {:>2} {:>9.4g} {:>10.4g} {:<3} {:>6.2f}  {}\n", what, at_most ? "<=" : ">=", asked, measured,
             unit, measured / asked, meets ? "meets" : "MISSES");
}

void report(const std::string& name, const BehavioralModel& model, const Reference& spice) {
  constexpr double kEightTransistorSeconds = 0.23, kConversions = 1e8, kCores = 2;
  const auto& v = model.validation;
  const Speed s = speed_of(model);
  fmt::print("{} ({}, {} rows, {} lines a conversion); ngspice {:.2f} ms a line, largest difference there {:.4f} MAC\n",
             name, model.family->name(), model.array.rows, model.branches, 1e3 * spice.seconds, spice.difference);
  fmt::print("  rms {:.4f} [{:.4f}, {:.4f}], largest {:.3f} MAC units; {:.2f} % of sigma, {:.3f} % of full scale: {}\n",
             v.rms, v.rms_low, v.rms_high, v.maximum, 100 * v.rms / v.total_sigma, 100 * v.rms / v.full_scale,
             v.passed ? "meets" : "MISSES");
  row("cold line: new chip, column and operand", 20, 1e6 * s.cold, "us");
  row("  times faster than an 8T transient of 230 ms", 1e4, kEightTransistorSeconds / s.cold, "", false);
  if (model.array.transient())
    row("  times faster than this ngspice line", 1e4, spice.seconds / s.cold, "", false);
  else
    fmt::print("  {:<62} {:>12} {:>10.4g}\n", "  times faster than this ngspice line (an operating point)", "-",
               spice.seconds / s.cold);
  row("conversion in a batch, all its lines", 100, 1e9 * s.conversion, "ns");
  row("  times faster than this ngspice line, for each line", 1e4,
      spice.seconds * static_cast<double>(model.branches) / s.conversion, "", false);
  fmt::print("  {:<62} {:>12} {:>10.4g} ns\n", "conversion by convert_batch, noise and preparation included", "-",
             1e9 * s.noisy);
  row("1e8 noisy conversions on two cores, by convert_batch", 300, kConversions / kCores * s.noisy, "s");
  row("1e8 on two cores as a table is compiled, exact variances", 300, kConversions / kCores * s.observed, "s");
  fmt::print("\n");
  std::fflush(stdout);
}

void run(const std::string& macro, const std::vector<SettingOverride>& design) {
  const testing::TemporaryFolder folder;
  const Settings s = read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists" / macro, design);
  const auto data = circuit::characterize(s, folder.path(), RunContext{});
  const auto model = fit_model(data, s, {.seed = s.seed()});
  report(macro, model, ngspice_reference(s, model, model.array.transient() ? 3 : 40));
}

}  // namespace
}  // namespace errata::behavioral

int main(int count, char** arguments) {
  using errata::SettingOverride;
  const auto number = [&](int k, const char* otherwise) { return std::string(count > k ? arguments[k] : otherwise); };
  const std::vector<SettingOverride> design = {{"circuit.design.chips", number(1, "4")},
                                               {"circuit.design.columns", number(2, "1")},
                                               {"circuit.design.operands", number(3, "8")}};
  std::vector<std::string> macros(arguments + std::min(count, 4), arguments + count);
  if (macros.empty()) macros = {"rram_1t1r", "fefet_1t", "sram_6t", "sram_8t", "cap_charge"};
  fmt::print("  {:<62} {:>12} {:>10} {:<3} {:>6}\n\n", "", "asked", "measured", "", "ratio");
  for (const auto& macro : macros) errata::behavioral::run(macro, design);
}
