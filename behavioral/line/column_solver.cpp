#include "behavioral/line/column_solver.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <optional>

#include "behavioral/line/line_shooting.h"

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

/// Coefficients of one row at input level 0 and what each further level adds.
template <class Real>
struct Row {
  Real a, b, c, p, q, r;
};

template <class Real>
std::vector<Row<Real>> rows_of(const PreparedLine& line) {
  std::vector<Row<Real>> rows(line.inputs * line.all_rows());
  for (std::size_t x = 0; x < line.inputs; ++x)
    for (std::size_t j = 0; j < line.all_rows(); ++j) {
      const CellExpansion &e = line.cell(x, j), &idle = line.cell(0, j);
      const double at[6] = {e.a, e.b, e.c, e.p, e.q, e.r}, zero[6] = {idle.a, idle.b, idle.c, idle.p, idle.q, idle.r};
      Real* to = &rows[x * line.all_rows() + j].a;
      for (int k = 0; k < 6; ++k) to[k] = static_cast<Real>(x == 0 ? at[k] : at[k] - zero[k]);
    }
  return rows;
}

/// One where a number is above a limit, else zero.
inline double above(double v, double limit) { return v > limit ? 1.0 : 0.0; }
inline Vector above(const Vector& v, float limit) {
  Vector one;
  for (std::size_t l = 0; l < kLanes; ++l) one[l] = v[l] > limit ? 1.0f : 0.0f;
  return one;
}
inline double magnitude(double v) { return std::fabs(v); }
inline Vector magnitude(const Vector& v) {
  Vector m;
  for (std::size_t l = 0; l < kLanes; ++l) m[l] = std::fabs(v[l]);
  return m;
}
inline bool any(double v) { return v != 0.0; }
inline bool any(const Vector& v) {
  for (std::size_t l = 0; l < kLanes; ++l)
    if (v[l] != 0.0f) return true;
  return false;
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
  std::size_t selectable, levels;
  AlignedArray<Node> node;
  V sag{};  ///< U − V_clamp

  explicit Ladder(const PreparedLine& line)
      : clamp_ohms(static_cast<Real>(line.clamp_ohms)),
        wire_ohms(static_cast<Real>(line.wire_ohms)),
        source_ohms(static_cast<Real>(line.source_line_ohms)),
        offset(static_cast<Real>(line.offset_amperes)),
        has_source_wire(line.source_line_ohms > 0),
        selectable(line.rows),
        levels(line.inputs),
        node(line.all_rows()) {}

  /// `x` holds, for each input level from 1 on, a mask for each selectable row. Entries of a vector are independent:
  /// each stays as it is once its own step was small.
  __attribute__((always_inline)) inline V solve(const std::vector<Row<Real>>& rows, const V* x, Real small_step_volts) {
    for (Node& k : node) k.w = V{};
    sag = V{};
    V active = V{} + Real{1};
    constexpr int kMostSteps = 10;
    for (int step = 0; step < kMostSteps && any(active); ++step) {
      const V moved = has_source_wire ? newton_step<true>(rows, x, active) : newton_step<false>(rows, x, active);
      active *= above(moved, small_step_volts);
    }
    return has_source_wire ? total<true>(rows, x) : total<false>(rows, x);
  }

 private:
  struct Blend {
    V a, b, c, p, q, r;
  };
  template <bool Source>
  __attribute__((always_inline)) inline Blend blend(const std::vector<Row<Real>>& rows, const V* x,
                                                    std::size_t j) const {
    const Row<Real>& idle = rows[j];
    Blend s{V{} + idle.a, V{} + idle.b, V{} + idle.c, V{}, V{}, V{}};
    if constexpr (Source) s.p = V{} + idle.p, s.q = V{} + idle.q, s.r = V{} + idle.r;
    for (std::size_t level = 1; level < levels && j < selectable; ++level) {
      const Row<Real>& add = rows[level * node.size() + j];
      const V mask = x[(level - 1) * selectable + j];
      s.a += mask * add.a;
      s.b += mask * add.b;
      s.c += mask * add.c;
      if constexpr (Source) s.p += mask * add.p, s.q += mask * add.q, s.r += mask * add.r;
    }
    return s;
  }

  template <bool Source>
  __attribute__((always_inline)) inline V newton_step(const std::vector<Row<Real>>& rows, const V* x, const V& active) {
    const std::size_t n = node.size();
    V sum{}, sum_gb{};
    V before_w{}, upper{}, p{}, q{};
    for (std::size_t j = 0; j < n; ++j) {
      const Blend row = blend<Source>(rows, x, j);
      Node& k = node[j];
      const V w = k.w;
      const V drop = sag - wire_ohms * w;
      V gb = row.b + (row.c + row.c) * drop;
      V current = row.a + drop * (row.b + row.c * drop);
      V h = -(wire_ohms * gb);
      if constexpr (Source) {
        const V rise = source_ohms * w;
        current += rise * (row.p + row.q * drop + row.r * rise);
        gb += row.q * rise;
        h = source_ohms * (row.p + row.q * drop + (row.r + row.r) * rise) - wire_ohms * gb;
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
    sag += active * delta;
    for (std::size_t j = 1; j < n; ++j) node[j].w += active * (node[j].p + node[j].q * delta);
    const V end = n > 1 ? node[n - 1].p : V{};
    return magnitude(delta) + (wire_ohms + source_ohms) * magnitude(end);
  }

  template <bool Source>
  __attribute__((always_inline)) inline V total(const std::vector<Row<Real>>& rows, const V* x) const {
    V sum = V{} + offset;
    for (std::size_t j = 0; j < node.size(); ++j) {
      const Blend row = blend<Source>(rows, x, j);
      const V w = node[j].w, drop = sag - wire_ohms * w;
      sum += row.a + drop * (row.b + row.c * drop);
      if constexpr (Source) {
        const V rise = source_ohms * w;
        sum += rise * (row.p + row.q * drop + row.r * rise);
      }
    }
    return sum;
  }
};

/// Newton stops once its last step was below this; convergence is quadratic, so about (step / 0.2 V)² is left.
constexpr double kBatchStepVolts = 3e-4, kExactStepVolts = 1e-6;

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void newton_blocks(
    const PreparedLine& line, const PackedInputs& inputs, std::span<double> current) {
  const auto rows = rows_of<float>(line);
  Ladder<Vector, float> ladder(line);
  const std::size_t masks = (line.inputs - 1) * line.rows;
  AlignedArray<Vector> x(masks);
  const std::size_t width = inputs.lanes();
  for (std::size_t first = 0; first < inputs.count(); first += kLanes) {
    const std::size_t block = first / width, lane = first % width;
    for (std::size_t k = 0; k < masks; ++k)
      for (std::size_t l = 0; l < kLanes; ++l) x[k][l] = inputs.masks(block)[k * width + lane + l % width];
    const Vector total = ladder.solve(rows, x.data(), static_cast<float>(kBatchStepVolts));
    for (std::size_t l = 0; l < std::min(kLanes, inputs.count() - first); ++l) current[first + l] = total[l];
  }
}

/// Newton in fp64 on one input; the ladder keeps its last step.
double newton_exact(Ladder<double, double>& ladder, const std::vector<Row<double>>& rows, const PreparedLine& line,
                    const std::uint8_t* inputs) {
  std::vector<double> x((line.inputs - 1) * line.rows, 0.0);
  for (std::size_t j = 0; j < line.rows; ++j)
    if (inputs[j] > 0) x[(inputs[j] - 1) * line.rows + j] = 1.0;
  return ladder.solve(rows, x.data(), kExactStepVolts);
}

}  // namespace

void solve_lines(const PreparedLine& line, const PackedInputs& inputs, std::span<double> current_amperes) {
  solve_lines(line, LineShooting(line), inputs, current_amperes);
}

void solve_lines(const PreparedLine& line, const LineShooting& shooting, const PackedInputs& inputs,
                 std::span<double> current_amperes) {
  if (!shooting.suits()) {
    newton_blocks(line, inputs, current_amperes);
    return;
  }
  shooting.solve(inputs, current_amperes);
  std::optional<Ladder<double, double>> ladder;
  std::vector<Row<double>> rows;
  for (std::size_t i = 0; i < inputs.count(); ++i) {
    if (!std::isnan(current_amperes[i])) continue;
    if (!ladder) {
      ladder.emplace(line);
      rows = rows_of<double>(line);
    }
    current_amperes[i] = newton_exact(*ladder, rows, line, inputs.vector(i));
  }
}

double solve_line(const PreparedLine& line, const std::uint8_t* inputs, LineSensitivity& s) {
  Ladder<double, double> ladder(line);
  const double current = newton_exact(ladder, rows_of<double>(line), line, inputs);
  // A current injected across cell j adds itself and what the cells answer to the moments that it shifts:
  // 1 + λ_j with A λ = h, A the symmetric tridiagonal matrix of the last step. (Not 1 − (r + r_s) q_j: a transistor
  // answers more to its source than to its drain, so the ladder is not reciprocal once its source line has wire.)
  const std::size_t n = line.all_rows();
  std::vector<double> answer(n, 0.0);
  for (std::size_t j = 1; j < n; ++j) answer[j] = (ladder.node[j].h + answer[j - 1]) * ladder.node[j].upper;
  for (std::size_t j = n - 1; j-- > 1;) answer[j] += ladder.node[j].upper * answer[j + 1];
  double load = 0.0;
  for (const auto& k : ladder.node) load += k.gb + k.h * k.q;
  const double du = 1.0 / (1.0 + line.clamp_ohms * load);
  s.transfer_conductance = load * du;
  s.injection_gain.resize(n);
  s.cell_amperes.resize(n);
  for (std::size_t j = 0; j < n; ++j) {
    const auto& k = ladder.node[j];
    s.injection_gain[j] = (1.0 + answer[j]) * du;
    const CellExpansion& e = line.cell(j < line.rows ? inputs[j] : 0, j);
    const double drop = ladder.sag - line.wire_ohms * k.w, rise = line.source_line_ohms * k.w;
    s.cell_amperes[j] = e.a + drop * (e.b + e.c * drop) + rise * (e.p + e.q * drop + e.r * rise);
  }
  return current;
}

double solve_line_dense(const PreparedLine& line, const std::uint8_t* inputs) {
  // Unknown drop and rise of each row: d_j = sag − r W_j and s_j = r_s W_j with W = M I, M_jk = min(j,k) − 1.
  const auto n = static_cast<Eigen::Index>(line.all_rows());
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
      const auto row = static_cast<std::size_t>(j);
      const CellExpansion& e = line.cell(row < line.rows ? inputs[row] : 0, row);
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
