#include "behavioral/crossbar/crossbar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/crossbar/crossbar_kernel.h"
#include "behavioral/crossbar/crossbar_parts.h"
#include "core/error.h"

namespace errata::behavioral {

namespace {

constexpr double kBoltzmann = 1.380649e-23;                     // J/K
constexpr double kLeastSiemens = 1e-100, kMostSiemens = 1e100;  // products of three conductances stay finite

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw Error(ExitStatus::kComputation, "E520", message, hint);
}

std::unique_ptr<const CrossbarAnalysis> analyze(const CrossbarOptions& options, const CrossbarNetwork& network) {
  if (options.backend != CrossbarBackend::kCholmod) return analyze_by_dissection(network);
#ifdef ERRATA_WITH_CHOLMOD
  return analyze_by_cholmod(network);
#else
  refuse("this build has no CHOLMOD", "configure with ERRATA_WITH_CHOLMOD=ON, or take the automatic back end");
#endif
}

void check_inputs(const CrossbarNetwork& network, std::span<const double> input_volts, std::size_t vectors) {
  if (input_volts.size() != vectors * network.rows)
    refuse(fmt::format("{} input voltages for {} word lines", input_volts.size(), network.rows));
}

void check_output(const CrossbarNetwork& network, std::size_t output) {
  if (output >= network.columns)
    refuse(fmt::format("output {} of an array with {} bit lines", output, network.columns));
}

/// Voltage between the nodes a and b of every cell.
std::vector<double> cell_differences(const std::vector<double>& volts, const std::vector<std::uint32_t>& a,
                                     const std::vector<std::uint32_t>& b) {
  std::vector<double> difference(a.size());
  for (std::size_t k = 0; k < a.size(); ++k) difference[k] = volts[a[k]] - volts[b[k]];
  return difference;
}

/// Σ g ΔV² of cells and wires for node voltages, into the fields of the same names of `Sums`.
template <class Sums>
void add_squares(const CrossbarNetwork& network, std::span<const double> cell_siemens, const std::vector<double>& volts,
                 double factor, Sums& sums) {
  for (std::size_t k = 0; k < network.cells(); ++k) {
    const double v = volts[network.word_node[k]] - volts[network.bit_node[k]];
    sums.cells += factor * cell_siemens[k] * v * v;
  }
  for (const CrossbarWire& w : network.wires) {
    const double v = volts[w.a] - volts[w.b];
    double& sum = w.kind == BranchKind::kWordWire  ? sums.word_wires
                  : w.kind == BranchKind::kBitWire ? sums.bit_wires
                  : w.kind == BranchKind::kDriver  ? sums.drivers
                                                   : sums.senses;
    sum += factor * w.siemens * v * v;
  }
}

}  // namespace

bool crossbar_has_cholmod() {
#ifdef ERRATA_WITH_CHOLMOD
  return true;
#else
  return false;
#endif
}

std::vector<double> CrossbarVoltages::across() const {
  std::vector<double> volts(word.size());
  std::ranges::transform(word, bit, volts.begin(), std::minus<>());
  return volts;
}

Crossbar::Crossbar(const CrossbarOptions& options) {
  auto parts = std::make_shared<CrossbarParts>();
  parts->options = options;
  parts->network = make_crossbar_network(options);
  parts->analysis = analyze(options, parts->network);
  parts_ = std::move(parts);
}

const CrossbarOptions& Crossbar::options() const { return parts_->options; }

FactoredCrossbar Crossbar::factor(std::span<const double> cell_siemens) const {
  if (cell_siemens.size() != parts_->network.cells())
    refuse(fmt::format("{} conductances for {} cells", cell_siemens.size(), parts_->network.cells()));
  for (std::size_t k = 0; k < cell_siemens.size(); ++k) {
    const double g = cell_siemens[k];
    if (!(g == 0 || (g >= kLeastSiemens && g <= kMostSiemens)))
      refuse(fmt::format("cell ({}, {}) has a conductance of {} S; it must be 0 or positive",
                         k / parts_->network.columns, k % parts_->network.columns, g));
  }
  return FactoredCrossbar(parts_, cell_siemens);
}

FactoredCrossbar::FactoredCrossbar(std::shared_ptr<const CrossbarParts> parts, std::span<const double> cell_siemens)
    : parts_(std::move(parts)),
      factor_(parts_->analysis->factor(cell_siemens)),
      cells_(std::make_shared<const std::vector<double>>(cell_siemens.begin(), cell_siemens.end())) {
  const std::size_t inputs = rows(), outputs = columns(), ports = inputs + outputs;
  effective_.resize(inputs * outputs);
  for (std::size_t i = 0; i < inputs; ++i)
    std::copy_n(port_siemens().begin() + static_cast<std::ptrdiff_t>(i * ports + inputs), outputs,
                effective_.begin() + static_cast<std::ptrdiff_t>(i * outputs));
}

std::size_t FactoredCrossbar::rows() const { return parts_->network.rows; }
std::size_t FactoredCrossbar::columns() const { return parts_->network.columns; }
std::span<const double> FactoredCrossbar::port_siemens() const { return factor_->port_siemens(); }

std::vector<double> FactoredCrossbar::pair_siemens() const {
  if (columns() % 2 != 0) refuse(fmt::format("{} bit lines make no pairs", columns()));
  std::vector<double> pairs(rows() * columns() / 2);
  for (std::size_t k = 0; k < pairs.size(); ++k) pairs[k] = effective_[2 * k] - effective_[2 * k + 1];
  return pairs;
}

std::vector<double> FactoredCrossbar::output_amperes(std::span<const double> input_volts) const {
  const std::size_t inputs = rows(), outputs = columns(), count = input_volts.size() / inputs;
  check_inputs(parts_->network, input_volts, count);
  // The kernel takes columns in groups; the rest is done the same way, one by one.
  const std::size_t grouped = outputs / kKernelColumns * kKernelColumns;
  std::vector<double> amperes(count * outputs, 0.0);
  fastest_kernels().multiply_add({.target = amperes.data(),
                                  .target_stride = outputs,
                                  .weight = input_volts.data(),
                                  .weight_row_step = inputs,
                                  .weight_depth_step = 1,
                                  .row = effective_.data(),
                                  .row_stride = outputs,
                                  .depth = inputs,
                                  .rows = count,
                                  .columns = grouped});
  for (std::size_t v = 0; v < count; ++v)
    for (std::size_t i = 0; i < inputs; ++i)
      for (std::size_t k = grouped; k < outputs; ++k)
        amperes[v * outputs + k] += input_volts[v * inputs + i] * effective_[i * outputs + k];
  return amperes;
}

std::vector<double> FactoredCrossbar::node_volts(std::span<const double> input_volts) const {
  check_inputs(parts_->network, input_volts, 1);
  std::vector<double> ports(rows() + columns(), 0.0);
  std::ranges::copy(input_volts, ports.begin());
  return factor_->solve(ports, {});
}

CrossbarVoltages FactoredCrossbar::voltages(std::span<const double> input_volts) const {
  const std::vector<double> volts = node_volts(input_volts);
  const CrossbarNetwork& network = parts_->network;
  CrossbarVoltages result;
  for (std::size_t k = 0; k < network.cells(); ++k) {
    result.word.push_back(volts[network.word_node[k]]);
    result.bit.push_back(volts[network.bit_node[k]]);
  }
  return result;
}

CrossbarPower FactoredCrossbar::power(std::span<const double> input_volts) const {
  const std::vector<double> volts = node_volts(input_volts);
  CrossbarPower power;
  add_squares(parts_->network, *cells_, volts, 1.0, power);
  const std::size_t ports = rows() + columns();
  for (std::size_t i = 0; i < rows(); ++i) {
    double amperes = 0;
    for (std::size_t k = 0; k < ports; ++k)
      amperes += port_siemens()[i * ports + k] * (input_volts[i] - (k < rows() ? input_volts[k] : 0.0));
    power.sources += input_volts[i] * amperes;
  }
  return power;
}

std::vector<double> FactoredCrossbar::adjoint_volts(std::size_t output) const {
  check_output(parts_->network, output);
  std::vector<double> ports(rows() + columns(), 0.0);
  ports[rows() + output] = 1.0;
  return factor_->solve(ports, {});
}

std::vector<double> FactoredCrossbar::cell_gain(std::size_t output) const {
  return cell_differences(adjoint_volts(output), parts_->network.bit_node, parts_->network.word_node);
}

std::vector<double> FactoredCrossbar::cell_gains() const {
  constexpr std::size_t kBatch = 32;
  const CrossbarNetwork& network = parts_->network;
  const std::size_t ports = network.ports(), cells = network.cells();
  std::vector<double> gains;
  gains.reserve(columns() * cells);
  for (std::size_t first = 0; first < columns(); first += kBatch) {
    const std::size_t count = std::min(kBatch, columns() - first);
    std::vector<double> unit(count * ports, 0.0);
    for (std::size_t i = 0; i < count; ++i) unit[i * ports + rows() + first + i] = 1.0;
    const std::vector<double> volts = factor_->solve(unit, {});
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t k = 0; k < cells; ++k)
        gains.push_back(volts[i * network.nodes() + network.bit_node[k]] -
                        volts[i * network.nodes() + network.word_node[k]]);
  }
  return gains;
}

std::vector<double> FactoredCrossbar::conductance_sensitivity(std::span<const double> input_volts,
                                                              std::size_t output) const {
  std::vector<double> sensitivity = cell_gain(output);
  const CrossbarNetwork& network = parts_->network;
  const std::vector<double> across = cell_differences(node_volts(input_volts), network.word_node, network.bit_node);
  std::ranges::transform(sensitivity, across, sensitivity.begin(), std::multiplies<>());
  return sensitivity;
}

double FactoredCrossbar::output_variance(std::size_t output, std::span<const double> cell_square_amperes) const {
  const std::vector<double> gain = cell_gain(output);
  if (cell_square_amperes.size() != gain.size())
    refuse(fmt::format("{} variances for {} cells", cell_square_amperes.size(), gain.size()));
  double variance = 0;
  for (std::size_t k = 0; k < gain.size(); ++k) variance += gain[k] * gain[k] * cell_square_amperes[k];
  return variance;
}

CrossbarNoise FactoredCrossbar::thermal_noise(std::size_t output, double kelvin) const {
  CrossbarNoise noise;
  add_squares(parts_->network, *cells_, adjoint_volts(output), 4 * kBoltzmann * kelvin, noise);
  return noise;
}

}  // namespace errata::behavioral
