// The nodal equations by CHOLMOD's supernodal Cholesky. A matrix of node conductances has its diagonal rounded, which
// takes digits from what small conductances contribute where wires conduct far better; solutions are therefore refined
// with residuals in extended precision (x86: 64-bit significand).
#include <cholmod.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "behavioral/crossbar/crossbar_dissection.h"
#include "behavioral/crossbar/crossbar_factor.h"
#include "core/error.h"

namespace errata::behavioral {

namespace {

[[noreturn]] void fail(int status) {
  throw Error(ExitStatus::kComputation, "E521", "CHOLMOD gave up with status " + std::to_string(status));
}

/// CHOLMOD's parameters and workspace; one for each use, so that threads share none.
class Common {
 public:
  Common() {
    cholmod_start(&common_);
    common_.supernodal = CHOLMOD_SUPERNODAL;
    common_.final_ll = 1;
    common_.nmethods = 1;
    common_.method[0].ordering = CHOLMOD_NATURAL;  // the nodes come in the dissection's order, ports last
    common_.print = 0;
  }
  ~Common() { cholmod_finish(&common_); }
  Common(const Common&) = delete;
  Common& operator=(const Common&) = delete;
  cholmod_common* get() { return &common_; }
  void check() const {
    if (common_.status != CHOLMOD_OK) fail(common_.status);
  }

 private:
  cholmod_common common_{};
};

/// A resistor: its two positions and its entries in the lower triangle.
struct Stamp {
  std::uint32_t a, b;
  std::size_t off_diagonal, diagonal_a, diagonal_b;
};

/// The nodal matrix in the order of elimination, column-compressed lower triangle.
struct Pattern {
  const CrossbarNetwork* network = nullptr;
  std::vector<std::uint32_t> position;
  std::vector<int> start, row;
  std::vector<Stamp> stamps;  ///< cells, then wires
};

Pattern make_pattern(const CrossbarNetwork& network, std::vector<std::uint32_t> position) {
  Pattern p{.network = &network, .position = std::move(position)};
  using Entry = std::pair<std::uint32_t, std::uint32_t>;  // column, row
  std::vector<Entry> ends;
  const auto add = [&](std::uint32_t a, std::uint32_t b) {
    ends.push_back(std::minmax({p.position[a], p.position[b]}));
  };
  for (std::size_t k = 0; k < network.cells(); ++k) add(network.word_node[k], network.bit_node[k]);
  for (const CrossbarWire& w : network.wires) add(w.a, w.b);
  std::vector<Entry> entries = ends;
  for (std::uint32_t n = 0; n < network.nodes(); ++n) entries.emplace_back(n, n);
  std::ranges::sort(entries);
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  p.start.assign(network.nodes() + 1, 0);
  for (const auto& [column, row] : entries) {
    ++p.start[column + 1];
    p.row.push_back(static_cast<int>(row));
  }
  for (std::size_t n = 0; n < network.nodes(); ++n) p.start[n + 1] += p.start[n];
  for (const Entry& e : ends)
    p.stamps.push_back({e.first, e.second,
                        static_cast<std::size_t>(std::ranges::lower_bound(entries, e) - entries.begin()),
                        static_cast<std::size_t>(p.start[e.first]), static_cast<std::size_t>(p.start[e.second])});
  return p;
}

/// The pattern with these values as CHOLMOD takes it.
cholmod_sparse view(const Pattern& p, std::vector<double>& values) {
  cholmod_sparse a{};
  a.nrow = a.ncol = p.network->nodes();
  a.nzmax = values.size();
  a.p = const_cast<int*>(p.start.data());
  a.i = const_cast<int*>(p.row.data());
  a.x = values.data();
  a.stype = -1;
  a.itype = CHOLMOD_INT;
  a.xtype = CHOLMOD_REAL;
  a.dtype = CHOLMOD_DOUBLE;
  a.sorted = a.packed = 1;
  return a;
}

using Extended = std::vector<long double>;

class CholmodFactor final : public CrossbarFactor {
 public:
  CholmodFactor(const Pattern& pattern, cholmod_factor* symbolic, std::span<const double> cell_siemens)
      : pattern_(pattern), siemens_(cell_siemens.begin(), cell_siemens.end()) {
    for (const CrossbarWire& w : pattern.network->wires) siemens_.push_back(w.siemens);
    factor_ = cholmod_copy_factor(symbolic, common_.get());
    if (factor_ == nullptr) fail(CHOLMOD_OUT_OF_MEMORY);
    try {
      std::vector<double> values = nodal_matrix();
      cholmod_sparse matrix = view(pattern, values);
      cholmod_factorize(&matrix, factor_, common_.get());
      common_.check();
      find_port_siemens();
    } catch (...) {
      cholmod_free_factor(&factor_, common_.get());
      throw;
    }
  }
  ~CholmodFactor() override { cholmod_free_factor(&factor_, common_.get()); }
  CholmodFactor(const CholmodFactor&) = delete;
  CholmodFactor& operator=(const CholmodFactor&) = delete;

  std::span<const double> port_siemens() const override { return port_siemens_; }

  std::vector<double> solve(std::span<const double> port_volts, std::span<const double> injected) const override {
    const CrossbarNetwork& network = *pattern_.network;
    const std::size_t nodes = network.nodes(), ports = network.ports(), interior = network.interior;
    const std::size_t count = port_volts.size() / ports;
    std::vector<double> volts(count * nodes);
    for (std::size_t first = 0; first < count; first += kBatch) {
      const std::size_t batch = std::min(kBatch, count - first);
      Extended current(batch * nodes, 0.0L);
      if (!injected.empty())
        for (std::size_t i = 0; i < batch; ++i)
          for (std::size_t k = 0; k < interior; ++k)
            current[i * nodes + pattern_.position[k]] = injected[(first + i) * interior + k];
      const Extended x = refined(port_volts.subspan(first * ports, batch * ports), current);
      for (std::size_t i = 0; i < batch; ++i)
        for (std::size_t k = 0; k < nodes; ++k)
          volts[(first + i) * nodes + k] = static_cast<double>(x[i * nodes + pattern_.position[k]]);
    }
    return volts;
  }

 private:
  /// The network as a whole floats, so every port gets a conductance to ground. It adds to the diagonal of the trailing
  /// block only and is large, so that taking L·Lᵀ of that block off the diagonal cancels nothing.
  std::vector<double> nodal_matrix() const {
    std::vector<double> values(pattern_.row.size(), 0.0);
    const CrossbarNetwork& network = *pattern_.network;
    for (std::size_t k = 0; k < siemens_.size(); ++k) {
      const Stamp& s = pattern_.stamps[k];
      values[s.off_diagonal] -= siemens_[k];
      values[s.diagonal_a] += siemens_[k];
      values[s.diagonal_b] += siemens_[k];
    }
    const auto diagonal = [&](std::size_t n) -> double& { return values[static_cast<std::size_t>(pattern_.start[n])]; };
    double largest = 0;
    for (std::size_t n = network.interior; n < network.nodes(); ++n) largest = std::max(largest, diagonal(n));
    for (std::size_t n = network.interior; n < network.nodes(); ++n) diagonal(n) += largest > 0 ? 4 * largest : 1;
    return values;
  }

  void find_port_siemens() {
    // Measured at 128 × 128: up to here the trailing block is right to better than 1e-10.
    constexpr double kWideRange = 1e4;
    double least = INFINITY, most = 0;
    for (const double g : siemens_)
      if (g > 0) {
        least = std::min(least, g);
        most = std::max(most, g);
      }
    const std::size_t n = pattern_.network->ports();
    port_siemens_.assign(n * n, 0.0);
    most > kWideRange* least ? find_by_refinement() : find_in_trailing_block();
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j) port_siemens_[i * n + j] = port_siemens_[j * n + i];
  }

  /// Upper triangle of −L·Lᵀ of the trailing block.
  void find_in_trailing_block() {
    const std::size_t n = pattern_.network->ports(), interior = pattern_.network->interior;
    std::vector<double> lower(n * n, 0.0);  // [column][row]
    const int *super = static_cast<const int*>(factor_->super), *pi = static_cast<const int*>(factor_->pi);
    const int *px = static_cast<const int*>(factor_->px), *rows = static_cast<const int*>(factor_->s);
    const double* x = static_cast<const double*>(factor_->x);
    for (std::size_t s = 0; s < factor_->nsuper; ++s)
      for (int c = std::max<int>(super[s], static_cast<int>(interior)); c < super[s + 1]; ++c) {
        const int height = pi[s + 1] - pi[s], first = c - super[s];
        const double* column = x + px[s] + static_cast<std::ptrdiff_t>(first) * height;
        for (int i = first; i < height; ++i)
          lower[(static_cast<std::size_t>(c) - interior) * n + static_cast<std::size_t>(rows[pi[s] + i]) - interior] =
              column[i];
      }
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t i = k; i < n; ++i) {
        const double factor = lower[k * n + i];
        for (std::size_t j = i + 1; j < n; ++j) port_siemens_[i * n + j] -= factor * lower[k * n + j];
      }
  }

  /// Upper triangle from the currents into all ports with one of them at 1 V.
  void find_by_refinement() {
    const std::size_t n = pattern_.network->ports(), nodes = pattern_.network->nodes();
    for (std::size_t first = 0; first + 1 < n; first += kBatch) {
      const std::size_t batch = std::min(kBatch, n - 1 - first);
      std::vector<double> volts(batch * n, 0.0);
      for (std::size_t i = 0; i < batch; ++i) volts[i * n + first + i] = 1;
      const Extended none(batch * nodes, 0.0L);
      const Extended r = residual(refined(volts, none), none);
      for (std::size_t i = 0; i < batch; ++i)
        for (std::size_t j = first + i + 1; j < n; ++j)
          port_siemens_[(first + i) * n + j] = static_cast<double>(r[i * nodes + nodes - n + j]);
    }
  }

  /// What flows into each node in excess of what flows out, [count][nodes].
  Extended residual(const Extended& volts, const Extended& injected) const {
    const std::size_t nodes = pattern_.network->nodes();
    Extended r = injected;
    for (std::size_t start = 0; start < r.size(); start += nodes)
      for (std::size_t k = 0; k < siemens_.size(); ++k) {
        const Stamp& s = pattern_.stamps[k];
        const long double current = siemens_[k] * (volts[start + s.a] - volts[start + s.b]);
        r[start + s.a] -= current;
        r[start + s.b] += current;
      }
    return r;
  }

  /// Voltages by position [count][nodes] for these ports [count][ports] and injected currents [count][nodes], refined
  /// until the corrections are below a rounding error of extended precision.
  Extended refined(std::span<const double> port_volts, const Extended& injected) const {
    constexpr int kMostPasses = 8;
    const std::size_t interior = pattern_.network->interior, ports = pattern_.network->ports();
    Extended volts(injected.size(), 0.0L);
    for (std::size_t k = 0; k < port_volts.size(); ++k)
      volts[k / ports * (interior + ports) + interior + k % ports] = port_volts[k];
    for (int pass = 0; pass < kMostPasses; ++pass) {
      const std::vector<double> correction = solve_interior(residual(volts, injected));
      long double largest = 0, moved = 0;
      for (std::size_t k = 0; k < volts.size(); ++k) {
        volts[k] += correction[k];
        largest = std::max(largest, std::fabs(volts[k]));
        moved = std::max(moved, std::fabs(static_cast<long double>(correction[k])));
      }
      if (moved <= 1e-19L * largest) break;
    }
    return volts;
  }

  /// A_ii⁻¹ r, with A_ii the block of the inner nodes: the leading part of L is its factor. 0 at the ports.
  std::vector<double> solve_interior(const Extended& r) const {
    Common common;
    const std::size_t nodes = pattern_.network->nodes(), ports = pattern_.network->ports();
    std::vector<double> right(r.begin(), r.end());
    cholmod_dense b{};
    b.nrow = b.d = nodes;
    b.ncol = right.size() / nodes;
    b.nzmax = right.size();
    b.x = right.data();
    b.xtype = CHOLMOD_REAL;
    b.dtype = CHOLMOD_DOUBLE;
    const auto zero_ports = [&] {
      for (std::size_t end = nodes; end <= right.size(); end += nodes)
        std::fill_n(right.begin() + static_cast<std::ptrdiff_t>(end - ports), ports, 0.0);
    };
    zero_ports();
    for (const int system : {CHOLMOD_L, CHOLMOD_Lt}) {
      cholmod_dense* x = cholmod_solve(system, factor_, &b, common.get());
      if (x == nullptr) fail(CHOLMOD_OUT_OF_MEMORY);
      std::copy_n(static_cast<const double*>(x->x), right.size(), right.data());
      cholmod_free_dense(&x, common.get());
      zero_ports();
    }
    return right;
  }

  static constexpr std::size_t kBatch = 16;  ///< right-hand sides side by side

  const Pattern& pattern_;
  std::vector<double> siemens_;  ///< cells, then wires
  Common common_;
  cholmod_factor* factor_ = nullptr;
  std::vector<double> port_siemens_;
};

class CholmodAnalysis final : public CrossbarAnalysis {
 public:
  explicit CholmodAnalysis(const CrossbarNetwork& network) {
    const std::vector<std::uint32_t> position = dissect(network).position;
    pattern_ = make_pattern(network, position);
    common_.get()->postorder = 1;
    analyze();
    // The postorder of the elimination tree joins columns to few supernodes; take it over into the positions. A network
    // of ports only may lose their order by it and is left as it was.
    std::vector<std::uint32_t> moved(network.nodes());
    const int* perm = static_cast<const int*>(symbolic_->Perm);
    for (std::uint32_t k = 0; k < moved.size(); ++k) moved[static_cast<std::size_t>(perm[k])] = k;
    const auto ports = static_cast<std::ptrdiff_t>(network.interior);
    if (std::is_sorted(moved.begin() + ports, moved.end()) && moved[network.interior] == network.interior) {
      std::vector<std::uint32_t> joined;
      for (const std::uint32_t p : position) joined.push_back(moved[p]);
      pattern_ = make_pattern(network, joined);
    }
    common_.get()->postorder = 0;
    analyze();
  }
  ~CholmodAnalysis() override { cholmod_free_factor(&symbolic_, common_.get()); }
  CholmodAnalysis(const CholmodAnalysis&) = delete;
  CholmodAnalysis& operator=(const CholmodAnalysis&) = delete;

  std::unique_ptr<const CrossbarFactor> factor(std::span<const double> cell_siemens) const override {
    return std::make_unique<CholmodFactor>(pattern_, symbolic_, cell_siemens);
  }

 private:
  void analyze() {
    cholmod_free_factor(&symbolic_, common_.get());
    std::vector<double> values(pattern_.row.size(), 1.0);
    cholmod_sparse matrix = view(pattern_, values);
    symbolic_ = cholmod_analyze(&matrix, common_.get());
    if (symbolic_ == nullptr) fail(CHOLMOD_OUT_OF_MEMORY);
  }

  Pattern pattern_;
  Common common_;
  cholmod_factor* symbolic_ = nullptr;
};

}  // namespace

std::unique_ptr<const CrossbarAnalysis> analyze_by_cholmod(const CrossbarNetwork& network) {
  return std::make_unique<CholmodAnalysis>(network);
}

}  // namespace errata::behavioral
