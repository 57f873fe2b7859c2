#include "behavioral/crossbar/crossbar_newton.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/crossbar/crossbar_parts.h"
#include "core/error.h"

namespace errata::behavioral {

namespace {

/// Every state satisfies the wires' equations for the cell currents it carries; only whether the cells carry these
/// currents at their voltages is open. So nothing is taken as a small difference across a good conductor.
struct State {
  std::vector<double> volts;    ///< nodes
  std::vector<double> across;   ///< cells
  std::vector<double> carried;  ///< cell currents that the wires hold
  /// Straight from the tangents' equations; parts of steps and a start with shunts carry rounding errors of currents
  /// that are not there any more.
  bool solves_network = false;
};

class Newton {
 public:
  Newton(const CrossbarParts& parts, const CrossbarCells& cells, std::span<const double> input_volts,
         const CrossbarNewtonOptions& options)
      : parts_(parts), network_(parts.network), cells_(cells), options_(options) {
    port_volts_.assign(network_.ports(), 0.0);
    std::ranges::copy(input_volts, port_volts_.begin());
  }

  CrossbarOperatingPoint run() {
    CrossbarOperatingPoint result;
    if (start(result)) {
      result.converged = accepted(result);
      while (!result.converged && result.steps < options_.most_steps && step(result))
        result.converged = accepted(result);
    }
    finish(result);
    return result;
  }

 private:
  /// The linear array of the cells' slopes at 0 V. Where that leaves a cell so much voltage that it would conduct far
  /// better than the wires (its tangent then says nothing, and its current may be beyond any number), all cells get a
  /// shunt that takes the voltage.
  bool start(CrossbarOperatingPoint& result) {
    constexpr double kSteep = 1e3;  // of the best wire's conductance
    constexpr int kTries = 6;
    double wire = 0;
    for (const CrossbarWire& w : network_.wires) wire = std::max(wire, w.siemens);
    const std::vector<double> none(network_.cells(), 0.0);
    if (!evaluate(none)) return false;
    const std::vector<double> amperes = amperes_, siemens = siemens_;
    double shunt = 0;
    for (int i = 0; i < kTries; ++i) {
      amperes_ = amperes;
      siemens_ = siemens;
      for (double& g : siemens_) g += shunt;
      state_ = full_step(none);
      state_.solves_network = i == 0;
      ++result.steps;
      const bool finite = evaluate(state_.across);
      if (finite && (network_.wires.empty() || std::ranges::max(siemens_) <= kSteep * wire)) return true;
      shunt = shunt == 0 ? 1e-3 * wire : 1e3 * shunt;
    }
    return evaluate(state_.across);
  }

  /// Currents and slopes at these voltages; false when one is no number.
  bool evaluate(const std::vector<double>& across) {
    amperes_.resize(across.size());
    siemens_.resize(across.size());
    slopes_.resize(across.size());
    for (std::size_t k = 0; k < across.size(); ++k) {
      const CellPoint p = cells_.at(k / network_.columns, k % network_.columns, across[k]);
      if (!std::isfinite(p.amperes) || !std::isfinite(p.siemens)) return false;
      amperes_[k] = p.amperes;
      slopes_[k] = p.siemens;
      const double chord = across[k] != 0 ? p.amperes / across[k] : 0.0;
      siemens_[k] = p.siemens > 0 ? p.siemens : std::max(chord, 0.0);
    }
    return true;
  }

  /// The network with every cell as its tangent at these voltages.
  State full_step(const std::vector<double>& across) const {
    std::vector<double> injected(network_.interior, 0.0);
    for (std::size_t k = 0; k < network_.cells(); ++k) {
      const double source = amperes_[k] - siemens_[k] * across[k];
      if (network_.word_node[k] < network_.interior) injected[network_.word_node[k]] -= source;
      if (network_.bit_node[k] < network_.interior) injected[network_.bit_node[k]] += source;
    }
    State next;
    next.volts = parts_.analysis->factor(siemens_)->solve(port_volts_, injected);
    next.across = differences(next.volts);
    next.carried.resize(network_.cells());
    for (std::size_t k = 0; k < network_.cells(); ++k)
      next.carried[k] = amperes_[k] + siemens_[k] * (next.across[k] - across[k]);
    next.solves_network = true;
    return next;
  }

  std::vector<double> differences(const std::vector<double>& volts) const {
    std::vector<double> across(network_.cells());
    for (std::size_t k = 0; k < across.size(); ++k)
      across[k] = volts[network_.word_node[k]] - volts[network_.bit_node[k]];
    return across;
  }

  bool accepted(CrossbarOperatingPoint& result) const {
    double largest = 0;
    result.error_amperes = 0;
    for (std::size_t k = 0; k < amperes_.size(); ++k) {
      largest = std::max(largest, std::fabs(amperes_[k]));
      result.error_amperes = std::max(result.error_amperes, std::fabs(amperes_[k] - state_.carried[k]));
    }
    return state_.solves_network && result.error_amperes <= options_.relative_error * largest;
  }

  /// Derivative of the co-content along the step: Σ (current of the cell − current that the wires hold) · ΔV.
  double slope(const State& state, const std::vector<double>& step) const {
    double sum = 0;
    for (std::size_t k = 0; k < step.size(); ++k) sum += (amperes_[k] - state.carried[k]) * step[k];
    return sum;
  }

  /// One damped step; false when no part of it gives numbers.
  bool step(CrossbarOperatingPoint& result) {
    constexpr int kHalvings = 40;
    constexpr double kEnough = 0.9;
    const State full = full_step(state_.across);
    ++result.steps;
    std::vector<double> move(full.across);
    std::ranges::transform(move, state_.across, move.begin(), std::minus<>());
    const double before = std::fabs(slope(state_, move));
    double share = 1.0;
    for (int i = 0; i < kHalvings; ++i, share /= 2) {
      State next = share == 1.0 ? full : between(full, share);
      // Beyond the minimum along the step the derivative turns positive; a little beyond is good enough.
      if (!evaluate(next.across) || slope(next, move) > kEnough * before) continue;
      state_ = std::move(next);
      return true;
    }
    evaluate(state_.across);
    return false;
  }

  State between(const State& full, double share) const {
    const auto mix = [share](const std::vector<double>& from, const std::vector<double>& to) {
      std::vector<double> mixed(from.size());
      for (std::size_t k = 0; k < mixed.size(); ++k) mixed[k] = from[k] + share * (to[k] - from[k]);
      return mixed;
    };
    return {mix(state_.volts, full.volts), mix(state_.across, full.across), mix(state_.carried, full.carried), false};
  }

  void finish(CrossbarOperatingPoint& result) const {
    result.cell_amperes = amperes_;
    result.cell_siemens = slopes_;
    result.output_amperes.assign(network_.columns, 0.0);
    if (state_.volts.empty()) return;
    for (std::size_t k = 0; k < network_.cells(); ++k) {
      result.voltages.word.push_back(state_.volts[network_.word_node[k]]);
      result.voltages.bit.push_back(state_.volts[network_.bit_node[k]]);
    }
    const auto add = [&](std::size_t node, double amperes) {
      if (node >= network_.output_node(0)) result.output_amperes[node - network_.output_node(0)] += amperes;
    };
    for (std::size_t k = 0; k < network_.cells(); ++k) add(network_.bit_node[k], state_.carried[k]);
    for (const CrossbarWire& w : network_.wires) {
      add(w.a, w.siemens * (state_.volts[w.b] - state_.volts[w.a]));
      add(w.b, w.siemens * (state_.volts[w.a] - state_.volts[w.b]));
    }
  }

  const CrossbarParts& parts_;
  const CrossbarNetwork& network_;
  const CrossbarCells& cells_;
  const CrossbarNewtonOptions& options_;
  std::vector<double> port_volts_;
  State state_;
  std::vector<double> amperes_, siemens_, slopes_;  ///< of the cells at the state's voltages; siemens_ never negative
};

}  // namespace

CrossbarOperatingPoint solve_crossbar(const Crossbar& crossbar, const CrossbarCells& cells,
                                      std::span<const double> input_volts, const CrossbarNewtonOptions& options) {
  const CrossbarParts& parts = crossbar.parts();
  if (input_volts.size() != parts.network.rows)
    throw Error(ExitStatus::kComputation, "E520",
                fmt::format("{} input voltages for {} word lines", input_volts.size(), parts.network.rows));
  return Newton(parts, cells, input_volts, options).run();
}

}  // namespace errata::behavioral
