// The numeric half of the nested dissection: a multifrontal elimination without subtractions.
#include <algorithm>
#include <array>

#include "behavioral/crossbar/crossbar_dissection.h"
#include "behavioral/crossbar/crossbar_factor.h"
#include "behavioral/crossbar/crossbar_kernel.h"

namespace errata::behavioral {

namespace {

std::size_t padded(std::size_t count) { return (count + kKernelColumns - 1) / kKernelColumns * kKernelColumns; }

/// Where a front's results lie.
struct FrontPlace {
  std::size_t pivot_shares = 0, boundary_shares = 0, boundary_stride = 0;
};

struct Plan {
  const CrossbarNetwork* network = nullptr;
  Dissection dissection;
  std::vector<FrontPlace> places;
  std::size_t shares = 0;  ///< numbers in all fronts' results
  std::size_t most_pivot_work = 0;
  std::array<std::size_t, 2> stack{};  ///< numbers that the boundary matrices of even and odd levels need at once
};

Plan make_plan(const CrossbarNetwork& network) {
  Plan plan{.network = &network, .dissection = dissect(network)};
  std::array<std::size_t, 2> used{};
  const auto size = [&](const Front& f) { return f.boundary.size() * padded(f.boundary.size()); };
  for (const Front& f : plan.dissection.fronts) {
    const std::size_t p = f.pivots, stride = padded(f.boundary.size());
    plan.places.push_back({plan.shares, plan.shares + p * p, stride});
    plan.shares += p * (p + stride);
    plan.most_pivot_work = std::max(plan.most_pivot_work, p * (p + stride));
    const std::size_t own = f.level % 2, other = 1 - own;
    used[own] += size(f);
    plan.stack[own] = std::max(plan.stack[own], used[own]);
    for (const std::int32_t child : f.children)
      if (child >= 0) used[other] -= size(plan.dissection.fronts[static_cast<std::size_t>(child)]);
  }
  return plan;
}

/// A buffer that is not set to zero first.
std::unique_ptr<double[]> uninitialized(std::size_t count) { return std::make_unique_for_overwrite<double[]>(count); }

/// Eliminates front by front. The boundary matrix of a front lives until its parent has taken it in; those of one
/// parity of levels form a stack.
class Elimination {
 public:
  Elimination(const Plan& plan, std::span<const double> cell_siemens, double* shares, double* pivot_ohms)
      : plan_(plan),
        cells_(cell_siemens),
        shares_(shares),
        pivot_ohms_(pivot_ohms),
        work_(uninitialized(plan.most_pivot_work)),
        stacks_{uninitialized(plan.stack[0]), uninitialized(plan.stack[1])},
        top_{stacks_[0].get(), stacks_[1].get()} {}

  /// Returns the root's boundary matrix [ports][padded ports], valid above the diagonal.
  const double* run() {
    const auto eliminate = fastest_kernels().eliminate;
    for (std::size_t f = 0; f < plan_.dissection.fronts.size(); ++f) {
      const Front& front = plan_.dissection.fronts[f];
      const FrontMatrix matrix = place(f);
      assemble(front, matrix);
      if (front.pivots > 0) eliminate(matrix);
    }
    return stacks_[0].get();
  }

 private:
  FrontMatrix place(std::size_t f) {
    const Front& front = plan_.dissection.fronts[f];
    const FrontPlace& at = plan_.places[f];
    double*& top = top_[front.level % 2];
    FrontMatrix m{.pivots = front.pivots, .boundary = front.boundary.size(), .boundary_stride = at.boundary_stride};
    m.among_pivots = work_.get();
    m.to_boundary = work_.get() + m.pivots * m.pivots;
    m.among_boundary = top;
    m.pivot_shares = shares_ + at.pivot_shares;
    m.boundary_shares = shares_ + at.boundary_shares;
    m.pivot_ohms = pivot_ohms_ + front.first;
    top += m.boundary * m.boundary_stride;
    return m;
  }

  void assemble(const Front& front, const FrontMatrix& m) {
    std::fill_n(work_.get(), m.pivots * (m.pivots + m.boundary_stride), 0.0);
    std::fill_n(m.among_boundary, m.boundary * m.boundary_stride, 0.0);
    for (const FrontEntry& e : front.entries) {
      const double siemens =
          e.branch < cells_.size() ? cells_[e.branch] : plan_.network->wires[e.branch - cells_.size()].siemens;
      at(m, e.row, e.column) += siemens;
    }
    for (std::size_t c = 2; c-- > 0;)
      if (front.children[c] >= 0) take_in(plan_.dissection.fronts[static_cast<std::size_t>(front.children[c])], m);
  }

  static double& at(const FrontMatrix& m, std::size_t row, std::size_t column) {
    if (column < m.pivots) return m.among_pivots[row * m.pivots + column];
    const std::size_t b = column - m.pivots;
    return row < m.pivots ? m.to_boundary[row * m.boundary_stride + b]
                          : m.among_boundary[(row - m.pivots) * m.boundary_stride + b];
  }

  /// Adds the boundary matrix on top of the child's stack and takes it off.
  void take_in(const Front& child, const FrontMatrix& m) {
    const std::size_t count = child.boundary.size(), stride = padded(count);
    double*& top = top_[child.level % 2];
    top -= count * stride;
    const std::uint32_t* to = child.parent.data();
    const auto pivots = static_cast<std::uint32_t>(m.pivots);
    const auto split = static_cast<std::size_t>(std::lower_bound(to, to + count, pivots) - to);
    for (std::size_t i = 0; i < count; ++i) {
      const double* from = top + i * stride;
      double* boundary_row;
      if (i < split) {
        double* pivot_row = m.among_pivots + to[i] * m.pivots;
        for (std::size_t j = i + 1; j < split; ++j) pivot_row[to[j]] += from[j];
        boundary_row = m.to_boundary + to[i] * m.boundary_stride;
      } else {
        boundary_row = m.among_boundary + (to[i] - pivots) * m.boundary_stride;
      }
      for (std::size_t j = std::max(i + 1, split); j < count; ++j) boundary_row[to[j] - pivots] += from[j];
    }
  }

  const Plan& plan_;
  std::span<const double> cells_;
  double *shares_, *pivot_ohms_;
  std::unique_ptr<double[]> work_;
  std::array<std::unique_ptr<double[]>, 2> stacks_;
  std::array<double*, 2> top_;
};

class FrontFactor final : public CrossbarFactor {
 public:
  FrontFactor(const Plan& plan, std::span<const double> cell_siemens)
      : plan_(plan), shares_(uninitialized(plan.shares)), pivot_ohms_(plan.network->interior) {
    Elimination elimination(plan, cell_siemens, shares_.get(), pivot_ohms_.data());
    const double* ports = elimination.run();
    const std::size_t n = plan.network->ports(), stride = padded(n);
    port_siemens_.resize(n * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j)
        port_siemens_[i * n + j] = port_siemens_[j * n + i] = ports[i * stride + j];
  }

  std::span<const double> port_siemens() const override { return port_siemens_; }

  std::vector<double> solve(std::span<const double> port_volts, std::span<const double> injected) const override {
    const CrossbarNetwork& network = *plan_.network;
    const std::size_t count = port_volts.size() / network.ports();
    std::vector<double> volts(count * network.nodes());
    for (std::size_t start = 0; start < count;) {
      const std::size_t lanes = count - start == 1 ? 1 : std::min(kKernelColumns, count - start);
      const auto ports = port_volts.subspan(start * network.ports(), lanes * network.ports());
      const auto currents =
          injected.empty() ? injected : injected.subspan(start * network.interior, lanes * network.interior);
      const auto out = std::span(volts).subspan(start * network.nodes(), lanes * network.nodes());
      lanes == 1 ? solve_lanes<1>(ports, currents, out) : solve_lanes<kKernelColumns>(ports, currents, out);
      start += lanes;
    }
    return volts;
  }

 private:
  /// Up to Lanes right-hand sides side by side, x[position][lane].
  template <std::size_t Lanes>
  void solve_lanes(std::span<const double> port_volts, std::span<const double> injected,
                   std::span<double> volts) const {
    const CrossbarNetwork& network = *plan_.network;
    const std::size_t nodes = network.nodes(), interior = network.interior, lanes = volts.size() / nodes;
    const auto& position = plan_.dissection.position;
    std::vector<double> x(nodes * Lanes, 0.0);
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t k = 0; k < network.ports(); ++k)
        x[(interior + k) * Lanes + l] = port_volts[l * network.ports() + k];
    if (!injected.empty()) {
      for (std::size_t l = 0; l < lanes; ++l)
        for (std::size_t k = 0; k < interior; ++k) x[position[k] * Lanes + l] = injected[l * interior + k];
      move_to_ports<Lanes>(x);
    }
    spread_from_ports<Lanes>(x);
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t k = 0; k < nodes; ++k) volts[l * nodes + k] = x[position[k] * Lanes + l];
  }

  template <std::size_t Lanes>
  static void add(double* to, double factor, const double* from) {
    for (std::size_t l = 0; l < Lanes; ++l) to[l] += factor * from[l];
  }

  /// to[i] += Σ_k weight(i, k) from[k] for `rows` groups of lanes.
  template <std::size_t Lanes>
  void product(double* to, std::size_t rows, const double* weight, std::size_t row_step, std::size_t depth_step,
               const double* from, std::size_t depth) const {
    if constexpr (Lanes == kKernelColumns) {
      kernels_.multiply_add({.target = to,
                             .target_stride = Lanes,
                             .weight = weight,
                             .weight_row_step = row_step,
                             .weight_depth_step = depth_step,
                             .row = from,
                             .row_stride = Lanes,
                             .depth = depth,
                             .rows = rows,
                             .columns = Lanes});
    } else {
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t k = 0; k < depth; ++k) to[i] += weight[i * row_step + k * depth_step] * from[k];
    }
  }

  /// Currents injected at inner nodes, moved on by each elimination step; those that reach a port are dropped.
  template <std::size_t Lanes>
  void move_to_ports(std::vector<double>& x) const {
    const std::size_t interior = plan_.network->interior;
    std::vector<double> moved;
    for (std::size_t f = 0; f < plan_.places.size(); ++f) {
      const Front& front = plan_.dissection.fronts[f];
      const FrontPlace& at = plan_.places[f];
      const std::size_t p = front.pivots, stride = at.boundary_stride;
      double* const own = x.data() + front.first * Lanes;
      for (std::size_t k = 0; k < p; ++k)
        for (std::size_t j = k + 1; j < p; ++j)
          add<Lanes>(own + j * Lanes, shares_[at.pivot_shares + k * p + j], own + k * Lanes);
      const std::size_t inner = static_cast<std::size_t>(
          std::ranges::lower_bound(front.boundary, static_cast<std::uint32_t>(interior)) - front.boundary.begin());
      moved.assign(inner * Lanes, 0.0);
      product<Lanes>(moved.data(), inner, shares_.get() + at.boundary_shares, 1, stride, own, p);
      for (std::size_t j = 0; j < inner; ++j) add<Lanes>(x.data() + front.boundary[j] * Lanes, 1, &moved[j * Lanes]);
    }
  }

  /// Each node's voltage is the mean of its neighbours' at its elimination, weighted by its shares, and its injected
  /// current times its resistance.
  template <std::size_t Lanes>
  void spread_from_ports(std::vector<double>& x) const {
    std::vector<double> boundary;
    for (std::size_t f = plan_.places.size(); f-- > 0;) {
      const Front& front = plan_.dissection.fronts[f];
      const FrontPlace& at = plan_.places[f];
      const std::size_t p = front.pivots;
      double* const own = x.data() + front.first * Lanes;
      for (std::size_t k = 0; k < p; ++k)
        for (std::size_t l = 0; l < Lanes; ++l) own[k * Lanes + l] *= pivot_ohms_[front.first + k];
      boundary.resize(front.boundary.size() * Lanes);
      for (std::size_t j = 0; j < front.boundary.size(); ++j)
        std::copy_n(x.data() + front.boundary[j] * Lanes, Lanes, boundary.data() + j * Lanes);
      product<Lanes>(own, p, shares_.get() + at.boundary_shares, at.boundary_stride, 1, boundary.data(),
                     front.boundary.size());
      for (std::size_t k = p; k-- > 0;)
        for (std::size_t j = k + 1; j < p; ++j)
          add<Lanes>(own + k * Lanes, shares_[at.pivot_shares + k * p + j], own + j * Lanes);
    }
  }

  const Plan& plan_;
  const CrossbarKernels& kernels_ = fastest_kernels();
  std::unique_ptr<double[]> shares_;
  std::vector<double> pivot_ohms_;  ///< in order of elimination
  std::vector<double> port_siemens_;
};

class FrontAnalysis final : public CrossbarAnalysis {
 public:
  explicit FrontAnalysis(const CrossbarNetwork& network) : plan_(make_plan(network)) {}
  std::unique_ptr<const CrossbarFactor> factor(std::span<const double> cell_siemens) const override {
    return std::make_unique<FrontFactor>(plan_, cell_siemens);
  }

 private:
  Plan plan_;
};

}  // namespace

std::unique_ptr<const CrossbarAnalysis> analyze_by_dissection(const CrossbarNetwork& network) {
  return std::make_unique<FrontAnalysis>(network);
}

}  // namespace errata::behavioral
