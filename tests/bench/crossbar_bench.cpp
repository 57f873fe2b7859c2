// The crossbar solver against its targets: what was asked, what was measured. CPU time, one thread.
//   cmake --preset bench && ninja -C build/bench errata_crossbar_bench && build/bench/tests/errata_crossbar_bench
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>

#include "behavioral/crossbar/crossbar.h"
#include "behavioral/crossbar/crossbar_dissection.h"
#include "behavioral/crossbar/crossbar_kernel.h"
#include "behavioral/crossbar/crossbar_newton.h"
#include "tests/support/dense_crossbar.h"
#include "tests/support/spice_crossbar.h"

namespace errata::behavioral {
namespace {

using testing::random_cells;

constexpr double kCellOhms = 2e4;

double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Median CPU time of a few runs, s.
template <class Action>
double median_seconds(int runs, Action&& action) {
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const double start = cpu_seconds();
    action();
    seconds.push_back(cpu_seconds() - start);
  }
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

void row(const std::string& what, const std::string& asked, const std::string& measured, const std::string& note = {}) {
  fmt::print("{:<58} {:>12} {:>12}  {}\n", what, asked, measured, note);
  std::fflush(stdout);
}

std::string milliseconds(double seconds) { return fmt::format("{:.1f} ms", 1e3 * seconds); }

CrossbarOptions square(std::size_t n, double ratio = 1e-4) {
  CrossbarOptions o{.rows = n, .columns = n, .driver_ohms = 300, .sense_ohms = 100};
  o.word_wire_ohms = o.bit_wire_ohms = ratio * kCellOhms;
  return o;
}

CrossbarOptions both_ends(CrossbarOptions o) {
  o.drive = WordLineDrive::kBothEnds;
  o.sense = BitLineSense::kBothEnds;
  return o;
}

/// Multiplications and additions of the elimination.
double operations(const CrossbarOptions& options) {
  double sum = 0;
  for (const Front& front : dissect(make_crossbar_network(options)).fronts)
    for (std::size_t k = 0; k < front.pivots; ++k) {
      const auto left = static_cast<double>(front.pivots - k - 1 + front.boundary.size());
      sum += left * (left + 1);
    }
  return sum;
}

/// What the kernel reaches on operands in the first-level cache, operations per second.
double kernel_limit() {
  std::vector<double> a(64 * 64, 1e-3), b(64 * 64, 1e-3), c(64 * 64, 0.0);
  constexpr int kTimes = 2000;
  const double seconds = median_seconds(5, [&] {
    for (int i = 0; i < kTimes; ++i)
      fastest_kernels().multiply_add({c.data(), 64, a.data(), 1, 64, b.data(), 64, 32, 64, 64, 0});
  });
  return 2.0 * 64 * 64 * 32 * kTimes / seconds;
}

void speed(const std::string& name, const CrossbarOptions& options, const std::string& asked, int runs) {
  const auto cells = random_cells(options.rows * options.columns, 1);
  const double analysis = median_seconds(3, [&] { Crossbar{options}; });
  const Crossbar crossbar(options);
  const double factor = median_seconds(runs, [&] { crossbar.factor(cells); });
  std::string note = fmt::format("topology once {}", milliseconds(analysis));
  if (options.backend != CrossbarBackend::kCholmod)
    note +=
        fmt::format("; {:.0f} Mflop, {:.1f} Gflop/s", operations(options) * 1e-6, operations(options) / factor * 1e-9);
  row(name, asked, milliseconds(factor), note);
}

void speeds() {
  fmt::print("{:<58} {:>12} {:>12}\n", "", "asked", "measured");
  row("kernel on cached operands, one thread", "", fmt::format("{:.1f} Gflop/s", kernel_limit() * 1e-9));
  speed("128 x 128, effective conductance matrix", square(128), "<= 60 ms", 15);
  speed("128 x 128, both ends driven and sensed", both_ends(square(128)), "<= 60 ms", 15);
  speed("256 x 256, effective conductance matrix", square(256), "<= 300 ms", 7);
  speed("256 x 256, both ends driven and sensed", both_ends(square(256)), "<= 300 ms", 7);
  if (crossbar_has_cholmod())
    for (const std::size_t n : {128, 256}) {
      CrossbarOptions o = square(n, 1e-3);  // at smaller wire resistances it refines, which takes much longer
      o.backend = CrossbarBackend::kCholmod;
      speed(fmt::format("{0} x {0} by CHOLMOD", n), o, n == 128 ? "<= 60 ms" : "<= 300 ms", 5);
    }
  const auto factored = Crossbar(square(128)).factor(random_cells(128 * 128, 1));
  const std::vector<double> inputs(128 * 1000, 0.1);
  const double vectors = median_seconds(5, [&] { factored.output_amperes(inputs); });
  row("then per vector, 128 x 128", "", fmt::format("{:.0f}/s", 1000 / vectors));
  row("node voltages of one input, 128 x 128", "",
      milliseconds(median_seconds(5, [&] { factored.voltages(std::vector(128, 0.1)); })));
  row("gains of all cells to all 128 outputs", "", milliseconds(median_seconds(3, [&] { factored.cell_gains(); })));
}

class SinhCells final : public CrossbarCells {
 public:
  explicit SinhCells(std::vector<double> siemens, std::size_t columns)
      : siemens_(std::move(siemens)), columns_(columns) {}
  CellPoint at(std::size_t r, std::size_t c, double volts) const override {
    const double g = siemens_[r * columns_ + c];
    return {g * 0.1 * std::sinh(volts / 0.1), g * std::cosh(volts / 0.1)};
  }

 private:
  std::vector<double> siemens_;
  std::size_t columns_;
};

void newton() {
  const Crossbar crossbar(square(128));
  const SinhCells cells(random_cells(128 * 128, 1), 128);
  CrossbarOperatingPoint point;
  const double seconds = median_seconds(3, [&] { point = solve_crossbar(crossbar, cells, std::vector(128, 0.3)); });
  row("128 x 128 sinh cells by Newton, one input", "", milliseconds(seconds),
      fmt::format("{} steps, {}", point.steps, point.converged ? "converged" : "NOT converged"));
}

double relative_error(std::span<const double> values, std::span<const double> reference) {
  double largest = 0, worst = 0;
  for (const double r : reference) largest = std::max(largest, std::fabs(r));
  for (std::size_t k = 0; k < reference.size(); ++k)
    worst = std::max(worst, std::fabs(values[k] - reference[k]) / std::max(std::fabs(reference[k]), 1e-6 * largest));
  return worst;
}

void against_dense() {
  double worst = 0, worst_cholmod = 0;
  std::uint64_t seed = 0;
  for (const auto& [rows, columns] : {std::pair{3, 5}, {8, 8}, {12, 7}})
    for (const auto drive : {WordLineDrive::kLeft, WordLineDrive::kRight, WordLineDrive::kBothEnds})
      for (const auto sense : {BitLineSense::kBottom, BitLineSense::kTop, BitLineSense::kBothEnds})
        for (const double ratio : {0.0, 1e-9, 1e-6, 1e-3, 1e-1, 10.0}) {
          CrossbarOptions o = square(static_cast<std::size_t>(rows), ratio);
          o.columns = static_cast<std::size_t>(columns);
          o.drive = drive;
          o.sense = sense;
          const auto cells = random_cells(o.rows * o.columns, ++seed);
          const auto reference = testing::DenseCrossbar(o, cells).effective_siemens();
          worst = std::max(worst, relative_error(Crossbar(o).factor(cells).effective_siemens(), reference));
          o.backend = CrossbarBackend::kCholmod;
          if (crossbar_has_cholmod())
            worst_cholmod =
                std::max(worst_cholmod, relative_error(Crossbar(o).factor(cells).effective_siemens(), reference));
        }
  row("error against dense, 162 arrays, wire/cell 0 ... 10", "<= 1e-9", fmt::format("{:.1e}", worst));
  if (crossbar_has_cholmod()) row("the same by CHOLMOD", "<= 1e-9", fmt::format("{:.1e}", worst_cholmod));
}

void against_spice() {
  for (const std::size_t n : {8, 32}) {
    double worst = 0, spice_seconds = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto cells = random_cells(n * n, seed);
      auto input = testing::random_volts(n, seed);
      for (double& v : input) v += 0.25;
      const auto o = square(n, 1e-2);
      timespec before{}, after{};
      ::clock_gettime(CLOCK_MONOTONIC, &before);
      const auto spice = testing::run_spice_crossbar(o, cells, input);
      ::clock_gettime(CLOCK_MONOTONIC, &after);
      spice_seconds += static_cast<double>(after.tv_sec - before.tv_sec) +
                       1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec);
      if (spice.amperes.empty()) {
        row(fmt::format("ngspice, {0} x {0}", n), "", "gave nothing");
        return;
      }
      const auto own = Crossbar(o).factor(cells).output_amperes(input);
      for (std::size_t c = 0; c < n; ++c) worst = std::max(worst, std::fabs(own[c] / spice.amperes[c] - 1));
    }
    row(fmt::format("error against ngspice, {0} x {0}, wire/cell 1e-2, 10 arrays", n), "<= 1e-6",
        fmt::format("{:.1e}", worst), fmt::format("ngspice {} a vector (wall)", milliseconds(spice_seconds / 10)));
  }
}

void at_any_wire_resistance() {
  double worst = 0;
  for (const double ratio : {0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0}) {
    const auto factored = Crossbar(square(128, ratio)).factor(random_cells(128 * 128, 3));
    const CrossbarPower power = factored.power(testing::random_volts(128, 4));
    worst = std::max(worst, std::fabs(power.dissipated() / power.sources - 1));
  }
  row("energy balance, 128 x 128, wire/cell 0, 1e-9 ... 10", "<= 1e-9", fmt::format("{:.1e}", worst));
}

}  // namespace
}  // namespace errata::behavioral

int main() {
  using namespace errata::behavioral;
  speeds();
  newton();
  against_dense();
  against_spice();
  at_any_wire_resistance();
}
