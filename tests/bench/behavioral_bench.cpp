// Behavioural models against ngspice on every shipped macro: how well (methods.md §6.1) and how fast (performance.md
// §5). CPU time, one thread; ngspice runs beside ours.
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

/// One bit line in ngspice: what more requests cost beyond the first, which loads netlist and workers.
double ngspice_seconds(const Settings& s, const BehavioralModel& model, std::size_t lines) {
  const auto o = make_operands({.rows = model.array.rows,
                                .levels = model.levels(),
                                .operands = lines + 1,
                                .input_levels = model.input_levels(),
                                .differential = model.branches == 2},
                               1, 2, 3);
  const auto cost = [&](std::size_t count) {
    std::vector<circuit::ColumnRequest> requests;
    for (std::size_t k = 0; k < count; ++k) requests.push_back({{5, k}, o.plus, {o.input(k), o.input(k) + o.rows}});
    const double start = all_seconds();
    circuit::simulate_columns(s, s.seed(), requests, RunContext{});
    return all_seconds() - start;
  };
  const double first = cost(1);
  return std::max(1e-9, (cost(lines + 1) - first) / static_cast<double>(lines));
}

struct Speed {
  double cold, batch, noisy;  ///< s per conversion
};

Speed speed_of(const BehavioralModel& model) {
  constexpr std::size_t kColumns = 16, kOperands = 4096;
  BatchColumns c{.rows = model.array.rows, .inputs = {}, .levels = {}};
  for (std::uint64_t k = 0; k < kColumns; ++k) {
    const auto o = make_operands({.rows = c.rows,
                                  .levels = model.levels(),
                                  .operands = k == 0 ? kOperands : 4,
                                  .input_levels = model.input_levels(),
                                  .differential = model.branches == 2},
                                 1, 2, k);
    if (k == 0) c.inputs = o.inputs;
    for (std::size_t b = 0; b < model.branches; ++b)
      c.levels.insert(c.levels.end(), o.branch(b).begin(), o.branch(b).end());
  }
  const auto levels = std::span(c.levels).first(c.rows);
  const auto inputs = std::span(c.inputs).first(c.rows);
  double output = 0.0;
  Speed speed{};
  constexpr int kCold = 50;
  speed.cold = median_seconds(5,
                              [&] {
                                for (std::uint64_t k = 0; k < kCold; ++k)
                                  model.prepare(1, {7, k}, levels)->read(inputs, c.rows, {&output, 1});
                              }) /
               kCold;
  // "Chip and weights prepared once": the lines' reads alone.
  std::vector<std::unique_ptr<Line>> lines;
  for (std::size_t l = 0; l < kColumns * model.branches; ++l)
    lines.push_back(model.prepare(1, {7, l}, std::span(c.levels).subspan(l * c.rows, c.rows)));
  const PackedInputs packed(c.inputs, c.rows, c.rows, model.input_levels());
  std::vector<double> outputs(kOperands);
  speed.batch = median_seconds(3,
                               [&] {
                                 for (const auto& line : lines) line->read(packed, outputs);
                               }) /
                static_cast<double>(lines.size() * kOperands);
  BatchOptions o{.first_chip = 7};
  o.reads = 1;
  speed.noisy = median_seconds(3, [&] { convert_batch(model, c, o); }) / static_cast<double>(kColumns * kOperands);
  return speed;
}

void report(const std::string& name, const BehavioralModel& model, double ngspice) {
  const auto& v = model.validation;
  const Speed s = speed_of(model);
  fmt::print("{:<12} {:<13} {:.4f} [{:.4f}, {:.4f}] {:>7.3f} {:>7.2f}% {:>7.3f}% {:>5}  ", name, model.family->name(),
             v.rms, v.rms_low, v.rms_high, v.maximum, 100 * v.rms / v.total_sigma, 100 * v.rms / v.full_scale,
             v.passed ? "yes" : "NO");
  fmt::print("{:>9.2f} {:>8.1f} {:>8.1f} {:>8.1f} {:>10.0f} {:>10.0f}\n", 1e3 * ngspice, 1e6 * s.cold, 1e9 * s.batch,
             1e9 * s.noisy, ngspice / s.cold, ngspice / s.batch);
  std::fflush(stdout);
}

void run(const std::string& macro, const std::vector<SettingOverride>& design) {
  const testing::TemporaryFolder folder;
  const Settings s = read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists" / macro, design);
  const auto data = circuit::characterize(s, folder.path(), RunContext{});
  const auto model = fit_model(data, s, {.seed = s.seed()});
  report(macro, model, ngspice_seconds(s, model, model.array.transient() ? 3 : 40));
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
  fmt::print(
      "asked: rms <= max(0.1 MAC unit, 10 % of sigma) and <= 1 % of full scale; cold <= 20 us; batch <= 100 ns; "
      "ngspice / cold >= 1e4\n\n");
  fmt::print("{:<12} {:<13} {:<24} {:>7} {:>8} {:>8} {:>5}  {:>9} {:>8} {:>8} {:>8} {:>10} {:>10}\n", "macro", "family",
             "rms [95 %], MAC units", "largest", "of sigma", "of range", "meets", "spice, ms", "cold, us", "read, ns",
             "noisy,ns", "spice/cold", "spice/read");
  for (const auto& macro : macros) errata::behavioral::run(macro, design);
}
