#include "behavioral/column_solver.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

namespace errata::behavioral {

namespace {

/// Sixteen inputs side by side (GCC vector extension: one source, any vector width).
using Vector = float __attribute__((vector_size(64)));
constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);

/// std::allocator forgets the alignment of a vector type that comes in as a template argument.
template <class T>
class AlignedArray {
 public:
  explicit AlignedArray(std::size_t size)
      : size_(size), data_(static_cast<T*>(::operator new (size * sizeof(T), std::align_val_t{64}))) {
    std::uninitialized_value_construct_n(data_, size);
  }
  ~AlignedArray() { ::operator delete (data_, std::align_val_t{64}); }
  AlignedArray(const AlignedArray&) = delete;
  AlignedArray& operator=(const AlignedArray&) = delete;
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  std::size_t size() const { return size_; }
  T* data() { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }

 private:
  std::size_t size_;
  T* data_;
};

inline double largest_magnitude(double v) { return std::fabs(v); }
inline double largest_magnitude(const Vector& v) {
  double largest = 0.0;
  for (std::size_t l = 0; l < kLanes; ++l) largest = std::max(largest, std::fabs(static_cast<double>(v[l])));
  return largest;
}

/// Coefficients of one row: those of an inactive row and what activity adds.
template <class Real>
struct Row {
  Real a, b, c, p, q, r, da, db, dc, dp, dq, dr;
};

template <class Real>
std::vector<Row<Real>> rows_of(const PreparedLine& line) {
  std::vector<Row<Real>> rows(line.rows);
  for (std::size_t j = 0; j < line.rows; ++j) {
    const CellExpansion &on = line.on[j], &off = line.off[j];
    const double values[12] = {off.a,        off.b,        off.c,        off.p,        off.q,        off.r,
                               on.a - off.a, on.b - off.b, on.c - off.c, on.p - off.p, on.q - off.q, on.r - off.r};
    Real* to = &rows[j].a;
    for (int k = 0; k < 12; ++k) to[k] = static_cast<Real>(values[k]);
  }
  return rows;
}

/// Unknowns: U, the voltage at row 1, and W_j = Σ_k (min(j,k) − 1) I_k, the moment that drops the bit line by r·W_j
/// and lifts the source line by r_s·W_j. W_1 = 0. The equations
///     −W_{j−1} + 2 W_j − W_{j+1} = I_j(U − r W_j, r_s W_j)   (last row: −W_{n−1} + W_n = I_n)
///     (V_clamp − U)/R_clamp = Σ I_j + I_offset
/// are tridiagonal in W with one border for U; each Newton step is one Thomas sweep with two right-hand sides.
/// V is double, or Vector with Real = float.
template <class V, class Real>
struct Ladder {
  struct Node {
    V w, upper, p, q, gb, h;
  };
  Real clamp_ohms, wire_ohms, source_ohms, offset;
  bool has_source_wire;
  AlignedArray<Node> node;
  V sag{};  ///< U − V_clamp

  explicit Ladder(const PreparedLine& line)
      : clamp_ohms(static_cast<Real>(line.clamp_ohms)),
        wire_ohms(static_cast<Real>(line.wire_ohms)),
        source_ohms(static_cast<Real>(line.source_line_ohms)),
        offset(static_cast<Real>(line.offset_amperes)),
        has_source_wire(line.source_line_ohms > 0),
        node(line.rows) {}

  __attribute__((always_inline)) inline V solve(const std::vector<Row<Real>>& rows, const V* x,
                                                double small_step_volts) {
    for (Node& k : node) k.w = V{};
    sag = V{};
    constexpr int kMostSteps = 10;
    for (int step = 0; step < kMostSteps; ++step) {
      const double moved = has_source_wire ? newton_step<true>(rows, x) : newton_step<false>(rows, x);
      if (moved < small_step_volts) break;
    }
    return has_source_wire ? total<true>(rows, x) : total<false>(rows, x);
  }

 private:
  template <bool Source>
  __attribute__((always_inline)) inline double newton_step(const std::vector<Row<Real>>& rows, const V* x) {
    const std::size_t n = node.size();
    V sum{}, sum_gb{};
    V before_w{}, upper{}, p{}, q{};
    for (std::size_t j = 0; j < n; ++j) {
      const Row<Real>& row = rows[j];
      Node& k = node[j];
      const V w = k.w, xj = x[j];
      const V drop = sag - wire_ohms * w;
      V a = row.a + xj * row.da, b = row.b + xj * row.db, c = row.c + xj * row.dc;
      V gb = b + (c + c) * drop;
      V current = a + drop * (b + c * drop);
      V h = -(wire_ohms * gb);
      if constexpr (Source) {
        const V rise = source_ohms * w;
        const V sp = row.p + xj * row.dp, sq = row.q + xj * row.dq, sr = row.r + xj * row.dr;
        current += rise * (sp + sq * drop + sr * rise);
        gb += sq * rise;
        h = source_ohms * (sp + sq * drop + (sr + sr) * rise) - wire_ohms * gb;
      }
      sum += current;
      sum_gb += gb;
      k.gb = gb;
      k.h = h;
      if (j > 0) {
        const bool last = j + 1 == n;
        const Real diagonal = last ? Real{1} : Real{2};
        const V below = last ? V{} : node[j + 1].w;
        const V residual = current - (diagonal * w - before_w - below);
        const V inverse = Real{1} / (diagonal - h - upper);
        upper = inverse;
        p = (residual + p) * inverse;
        q = (gb + q) * inverse;
      }
      k.upper = upper;
      k.p = p;
      k.q = q;
      before_w = w;
    }
    V sum_hp{}, sum_hq{};
    if (n > 1) {
      sum_hp = node[n - 1].h * p;
      sum_hq = node[n - 1].h * q;
    }
    for (std::size_t j = n > 0 ? n - 1 : 0; j-- > 1;) {
      Node& k = node[j];
      p = k.p += k.upper * p;
      q = k.q += k.upper * q;
      sum_hp += k.h * p;
      sum_hq += k.h * q;
    }
    // R·(Σ I + offset) + sag = 0, multiplied by R so that R = 0 needs no case of its own.
    const V residual = clamp_ohms * (sum + offset + sum_hp) + sag;
    const V delta = -residual / (Real{1} + clamp_ohms * (sum_gb + sum_hq));
    sag += delta;
    for (std::size_t j = 1; j < n; ++j) node[j].w += node[j].p + node[j].q * delta;
    const V end = n > 1 ? node[n - 1].p : V{};
    return std::max(largest_magnitude(delta), static_cast<double>(wire_ohms + source_ohms) * largest_magnitude(end));
  }

  template <bool Source>
  __attribute__((always_inline)) inline V total(const std::vector<Row<Real>>& rows, const V* x) const {
    V sum = V{} + offset;
    for (std::size_t j = 0; j < node.size(); ++j) {
      const Row<Real>& row = rows[j];
      const V w = node[j].w, xj = x[j], drop = sag - wire_ohms * w;
      sum += row.a + xj * row.da + drop * (row.b + xj * row.db + (row.c + xj * row.dc) * drop);
      if constexpr (Source) {
        const V rise = source_ohms * w;
        sum += rise * (row.p + xj * row.dp + (row.q + xj * row.dq) * drop + (row.r + xj * row.dr) * rise);
      }
    }
    return sum;
  }
};

/// Newton stops once its last step was below this; convergence is quadratic, so about (step / 0.2 V)² is left.
constexpr double kBatchStepVolts = 3e-4, kExactStepVolts = 1e-6;

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void solve_blocks(
    const PreparedLine& line, const std::uint8_t* inputs, std::size_t stride, double* current, std::size_t count) {
  const auto rows = rows_of<float>(line);
  Ladder<Vector, float> ladder(line);
  AlignedArray<Vector> x(line.rows);
  for (std::size_t first = 0; first < count; first += kLanes) {
    const std::size_t filled = std::min(kLanes, count - first);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::uint8_t* source = inputs + (first + std::min(l, filled - 1)) * stride;
      for (std::size_t j = 0; j < line.rows; ++j) x[j][l] = source[j];
    }
    const Vector total = ladder.solve(rows, x.data(), kBatchStepVolts);
    for (std::size_t l = 0; l < filled; ++l) current[first + l] = total[l];
  }
}

}  // namespace

void solve_lines(const PreparedLine& line, std::span<const std::uint8_t> inputs, std::size_t stride,
                 std::span<double> current_amperes) {
  solve_blocks(line, inputs.data(), stride, current_amperes.data(), current_amperes.size());
}

double solve_line(const PreparedLine& line, const std::uint8_t* inputs, LineSensitivity& s) {
  const std::vector<double> x(inputs, inputs + line.rows);
  Ladder<double, double> ladder(line);
  const double current = ladder.solve(rows_of<double>(line), x.data(), kExactStepVolts);
  // A current injected across cell j adds itself and what the cells answer to the moments that it shifts:
  // 1 + λ_j with A λ = h, A the symmetric tridiagonal matrix of the last step. (Not 1 − (r + r_s) q_j: a transistor
  // answers more to its source than to its drain, so the ladder is not reciprocal once its source line has wire.)
  const std::size_t n = line.rows;
  std::vector<double> answer(n, 0.0);
  for (std::size_t j = 1; j < n; ++j) answer[j] = (ladder.node[j].h + answer[j - 1]) * ladder.node[j].upper;
  for (std::size_t j = n - 1; j-- > 1;) answer[j] += ladder.node[j].upper * answer[j + 1];
  double load = 0.0;
  for (const auto& k : ladder.node) load += k.gb + k.h * k.q;
  const double du = 1.0 / (1.0 + line.clamp_ohms * load);
  s.transfer_conductance = load * du;
  s.injection_gain.resize(line.rows);
  s.cell_amperes.resize(line.rows);
  for (std::size_t j = 0; j < line.rows; ++j) {
    const auto& k = ladder.node[j];
    s.injection_gain[j] = (1.0 + answer[j]) * du;
    const CellExpansion& e = inputs[j] != 0 ? line.on[j] : line.off[j];
    const double drop = ladder.sag - line.wire_ohms * k.w, rise = line.source_line_ohms * k.w;
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
        jacobian(j, k) -=
            gb * (-line.clamp_ohms - line.wire_ohms * moment(j, k)) + gs * line.source_line_ohms * moment(j, k);
    }
    const Eigen::VectorXd delta = jacobian.partialPivLu().solve(value - current);
    current += delta;
    if (delta.cwiseAbs().maxCoeff() < 1e-18) break;
  }
  return current.sum() + line.offset_amperes;
}

}  // namespace errata::behavioral
