#include "behavioral/column_solver.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace errata::behavioral {

namespace {

/// Unknowns: U, the voltage at row 1, and W_j = Σ_k (min(j,k) − 1) I_k, the moment that drops the bit line by r·W_j
/// and lifts the source line by r_s·W_j. W_1 = 0. The equations
///     −W_{j−1} + 2 W_j − W_{j+1} = I_j(U − r W_j, r_s W_j)   (last row: −W_{n−1} + W_n = I_n)
///     (V_clamp − U)/R_clamp = Σ I_j + I_offset
/// are tridiagonal in W with one border for U; each Newton step is one Thomas sweep with two right-hand sides.
template <std::size_t Lanes>
class Ladder {
 public:
  Ladder(const PreparedLine& line, std::vector<double>& workspace) : line_(line), n_(line.rows) {
    workspace.resize(6 * n_ * Lanes);
    w_ = workspace.data();
    upper_ = w_ + n_ * Lanes;
    p_ = upper_ + n_ * Lanes;
    q_ = p_ + n_ * Lanes;
    gb_ = q_ + n_ * Lanes;
    h_ = gb_ + n_ * Lanes;
  }

  /// `x` is [rows][Lanes], 0.0 or 1.0. On return `current[lane]` is the total with the offset.
  __attribute__((always_inline)) inline void solve(const double* x, double* current) {
    std::fill(w_, w_ + n_ * Lanes, 0.0);
    double sag[Lanes] = {};  // U − V_clamp
    constexpr int kMostSteps = 8;
    constexpr double kSmallStepVolts = 1e-5;  // convergence is quadratic: about (1e-5 / 0.1)² relative is left
    for (int step = 0; step < kMostSteps; ++step) {
      double total[Lanes] = {}, sum_gb[Lanes] = {}, sum_h[Lanes] = {}, sum_hq[Lanes] = {};
      forward(x, sag, total, sum_gb);
      backward();
      for (std::size_t j = 1; j < n_; ++j)
        for (std::size_t l = 0; l < Lanes; ++l) {
          sum_h[l] += h_[j * Lanes + l] * p_[j * Lanes + l];
          sum_hq[l] += h_[j * Lanes + l] * q_[j * Lanes + l];
        }
      double largest = 0.0;
      double delta[Lanes];
      for (std::size_t l = 0; l < Lanes; ++l) {
        // R·(Σ I + offset) + sag = 0, multiplied by R so that R = 0 needs no case of its own
        const double residual = line_.clamp_ohms * (total[l] + line_.offset_amperes + sum_h[l]) + sag[l];
        delta[l] = -residual / (1.0 + line_.clamp_ohms * (sum_gb[l] + sum_hq[l]));
        sag[l] += delta[l];
        largest = std::max(largest, std::fabs(delta[l]));
      }
      for (std::size_t j = 1; j < n_; ++j)
        for (std::size_t l = 0; l < Lanes; ++l) w_[j * Lanes + l] += p_[j * Lanes + l] + q_[j * Lanes + l] * delta[l];
      double moment[Lanes];
      for (std::size_t l = 0; l < Lanes; ++l) moment[l] = std::fabs(p_[(n_ - 1) * Lanes + l]);
      for (std::size_t l = 0; l < Lanes; ++l)
        largest = std::max(largest, (line_.wire_ohms + line_.source_line_ohms) * (n_ > 1 ? moment[l] : 0.0));
      for (std::size_t l = 0; l < Lanes; ++l) sag_[l] = sag[l];
      if (largest < kSmallStepVolts) break;
    }
    totals(x, current);
  }

  const double* w() const { return w_; }
  const double* q() const { return q_; }
  const double* gb() const { return gb_; }
  const double* h() const { return h_; }
  double sag(std::size_t lane) const { return sag_[lane]; }

 private:
  /// Cell currents and slopes at the present state, and the downward Thomas sweep.
  __attribute__((always_inline)) inline void forward(const double* x, const double* sag, double* total, double* sum_gb) {
    const double rb = line_.wire_ohms, rs = line_.source_line_ohms;
    for (std::size_t j = 0; j < n_; ++j) {
      const CellExpansion& on = line_.on[j];
      const CellExpansion& off = line_.off[j];
      const CellExpansion d{on.a - off.a, on.b - off.b, on.c - off.c, on.p - off.p, on.q - off.q, on.r - off.r};
      const double diagonal_base = j + 1 == n_ ? 1.0 : 2.0;
      for (std::size_t l = 0; l < Lanes; ++l) {
        const std::size_t k = j * Lanes + l;
        const double xl = x[k], w = w_[k];
        const double drop = sag[l] - rb * w, rise = rs * w;
        const double a = off.a + xl * d.a, b = off.b + xl * d.b, c = off.c + xl * d.c;
        const double p = off.p + xl * d.p, q = off.q + xl * d.q, r = off.r + xl * d.r;
        const double current = a + drop * (b + c * drop) + rise * (p + q * drop + r * rise);
        const double gb = b + 2.0 * c * drop + q * rise;
        const double gs = p + q * drop + 2.0 * r * rise;
        const double h = rs * gs - rb * gb;
        total[l] += current;
        sum_gb[l] += gb;
        gb_[k] = gb;
        h_[k] = h;
        if (j == 0) {
          upper_[k] = 0.0;
          p_[k] = 0.0;
          q_[k] = 0.0;
          continue;
        }
        const double below = j + 1 == n_ ? 0.0 : w_[k + Lanes];
        const double residual = current - (diagonal_base * w - w_[k - Lanes] - below);
        const double inverse = 1.0 / (diagonal_base - h - upper_[k - Lanes]);
        upper_[k] = inverse;
        p_[k] = (residual + p_[k - Lanes]) * inverse;
        q_[k] = (gb + q_[k - Lanes]) * inverse;
      }
    }
  }

  __attribute__((always_inline)) inline void backward() {
    for (std::size_t j = n_ - 1; j-- > 1;)
      for (std::size_t l = 0; l < Lanes; ++l) {
        const std::size_t k = j * Lanes + l;
        p_[k] += upper_[k] * p_[k + Lanes];
        q_[k] += upper_[k] * q_[k + Lanes];
      }
  }

  __attribute__((always_inline)) inline void totals(const double* x, double* current) {
    const double rb = line_.wire_ohms, rs = line_.source_line_ohms;
    double sum[Lanes];
    for (std::size_t l = 0; l < Lanes; ++l) sum[l] = line_.offset_amperes;
    for (std::size_t j = 0; j < n_; ++j) {
      const CellExpansion& on = line_.on[j];
      const CellExpansion& off = line_.off[j];
      for (std::size_t l = 0; l < Lanes; ++l) {
        const double xl = x[j * Lanes + l], w = w_[j * Lanes + l];
        const double drop = sag_[l] - rb * w, rise = rs * w;
        const double i1 = on.a + drop * (on.b + on.c * drop) + rise * (on.p + on.q * drop + on.r * rise);
        const double i0 = off.a + drop * (off.b + off.c * drop) + rise * (off.p + off.q * drop + off.r * rise);
        sum[l] += i0 + xl * (i1 - i0);
      }
    }
    for (std::size_t l = 0; l < Lanes; ++l) current[l] = sum[l];
  }

  const PreparedLine& line_;
  std::size_t n_;
  double *w_, *upper_, *p_, *q_, *gb_, *h_;
  double sag_[Lanes];
};

constexpr std::size_t kLanes = 8;

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void solve_block(const PreparedLine& line,
                                                                                const double* x,
                                                                                std::vector<double>& workspace,
                                                                                double* current) {
  Ladder<kLanes> ladder(line, workspace);
  ladder.solve(x, current);
}

}  // namespace

void solve_lines(const PreparedLine& line, std::span<const std::uint8_t> inputs, std::size_t stride,
                 std::span<double> current_amperes) {
  std::vector<double> workspace, x(line.rows * kLanes);
  for (std::size_t first = 0; first < current_amperes.size(); first += kLanes) {
    const std::size_t count = std::min(kLanes, current_amperes.size() - first);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::uint8_t* source = inputs.data() + (first + std::min(l, count - 1)) * stride;
      for (std::size_t j = 0; j < line.rows; ++j) x[j * kLanes + l] = source[j];
    }
    double current[kLanes];
    solve_block(line, x.data(), workspace, current);
    std::copy(current, current + count, current_amperes.begin() + static_cast<std::ptrdiff_t>(first));
  }
}

double solve_line(const PreparedLine& line, const std::uint8_t* inputs, LineSensitivity& s) {
  std::vector<double> workspace, x(inputs, inputs + line.rows);
  Ladder<1> ladder(line, workspace);
  double current = 0.0;
  ladder.solve(x.data(), &current);
  // By reciprocity a current injected across cell j moves the output as V_j moves with V_clamp. dW/dU is q.
  double load = 0.0;
  for (std::size_t j = 0; j < line.rows; ++j) load += ladder.gb()[j] + ladder.h()[j] * (j == 0 ? 0.0 : ladder.q()[j]);
  const double du = 1.0 / (1.0 + line.clamp_ohms * load);
  s.transfer_conductance = load * du;
  s.injection_gain.resize(line.rows);
  s.cell_amperes.resize(line.rows);
  for (std::size_t j = 0; j < line.rows; ++j) {
    const double q = j == 0 ? 0.0 : ladder.q()[j], w = ladder.w()[j];
    s.injection_gain[j] = (1.0 - (line.wire_ohms + line.source_line_ohms) * q) * du;
    const CellExpansion& e = inputs[j] != 0 ? line.on[j] : line.off[j];
    const double drop = ladder.sag(0) - line.wire_ohms * w, rise = line.source_line_ohms * w;
    s.cell_amperes[j] = e.a + drop * (e.b + e.c * drop) + rise * (e.p + e.q * drop + e.r * rise);
  }
  return current;
}

double solve_line_dense(const PreparedLine& line, const std::uint8_t* inputs) {
  // Unknown drop and rise of each row: d_j = sag − r W_j and s_j = r_s W_j with W = M I, M_jk = min(j,k) − 1.
  const auto n = static_cast<Eigen::Index>(line.rows);
  Eigen::VectorXd current = Eigen::VectorXd::Zero(n);
  Eigen::MatrixXd moment(n, n);
  for (Eigen::Index j = 0; j < n; ++j)
    for (Eigen::Index k = 0; k < n; ++k) moment(j, k) = static_cast<double>(std::min(j, k));
  for (int step = 0; step < 60; ++step) {
    const Eigen::VectorXd w = moment * current;
    const double sag = -line.clamp_ohms * (current.sum() + line.offset_amperes);
    Eigen::VectorXd value(n);
    Eigen::MatrixXd jacobian = Eigen::MatrixXd::Identity(n, n);
    for (Eigen::Index j = 0; j < n; ++j) {
      const CellExpansion& e = inputs[j] != 0 ? line.on[j] : line.off[j];
      const double d = sag - line.wire_ohms * w(j), s = line.source_line_ohms * w(j);
      value(j) = e.a + e.b * d + e.c * d * d + e.p * s + e.q * s * d + e.r * s * s;
      const double gb = e.b + 2 * e.c * d + e.q * s, gs = e.p + e.q * d + 2 * e.r * s;
      for (Eigen::Index k = 0; k < n; ++k)
        jacobian(j, k) -= gb * (-line.clamp_ohms - line.wire_ohms * moment(j, k)) + gs * line.source_line_ohms * moment(j, k);
    }
    const Eigen::VectorXd delta = jacobian.partialPivLu().solve(value - current);
    current += delta;
    if (delta.cwiseAbs().maxCoeff() < 1e-18) break;
  }
  return current.sum() + line.offset_amperes;
}

}  // namespace errata::behavioral
