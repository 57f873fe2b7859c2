// Draws from a table. With + − × ÷ √ only, in this order of operations: errormodel/python repeats it bit for bit.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "errormodel/error_table.h"

namespace errata::errormodel {

namespace {

/// Coefficients of (C + K)·φ on [1, y, a] of one column of one chip.
std::array<double, 3> static_coefficients(const ErrorTable& t, std::uint64_t seed, std::uint64_t chip,
                                          std::uint64_t column) {
  const Covariance lc = cholesky_factor(t.chip), lk = cholesky_factor(t.column);
  RandomStream chip_stream(seed, StreamPurpose::kTableChip, 0, 0, chip);
  RandomStream column_stream(seed, StreamPurpose::kTableColumn, column, 0, chip);
  double nc[3], nk[3], theta[3] = {0, 0, 0};
  for (double& n : nc) n = chip_stream.normal();
  for (double& n : nk) n = column_stream.normal();
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j <= i; ++j) theta[i] += lc[3 * i + j] * nc[j] + lk[3 * i + j] * nk[j];
  std::array<double, 3> on = {0, 0, 0};
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t i = 0; i < 3; ++i) on[k] += theta[i] * t.basis[3 * i + k];
  return on;
}

/// Which level a cell holds that should hold `stored`; `u` is uniform.
std::size_t held_level(const ErrorTable& t, std::size_t stored, double u) {
  if (u < t.faults.lowest) return 0;
  if (u >= 1.0 - t.faults.highest) return t.levels - 1;
  return stored;
}

/// One cell as it is on the chip.
struct Cell {
  std::size_t level = 0;
  double normal = 0.0;  ///< frozen draw of its spread
  double loss = 0.0;    ///< relative change of its conductance since t0
};

/// Draws the cells of a column, row by row, plus before minus.
class CellDraws {
 public:
  CellDraws(const ErrorTable& t, std::uint64_t seed, std::uint64_t chip, std::uint64_t column)
      : t_(t),
        spread_(seed, StreamPurpose::kTableCell, column, 0, chip),
        drift_(seed, StreamPurpose::kTableDrift, column, 0, chip),
        fault_(seed, StreamPurpose::kTableFault, column, 0, chip),
        drifts_(t.drift.present() && t.elapsed_seconds > t.drift.reference_seconds),
        fails_(t.faults.present()) {
    if (drifts_) age_ = portable_log(t.elapsed_seconds / t.drift.reference_seconds);
  }

  Cell next(std::size_t stored) {
    Cell c{stored, spread_.normal(), 0.0};
    if (fails_) c.level = held_level(t_, stored, fault_.uniform());
    if (drifts_) {
      const double exponent = t_.drift.exponent[c.level] + t_.drift.exponent_sigma[c.level] * drift_.normal();
      c.loss = portable_exp(-exponent * age_) - 1.0;
    }
    return c;
  }

 private:
  const ErrorTable& t_;
  RandomStream spread_, drift_, fault_;
  bool drifts_, fails_;
  double age_ = 0.0;  ///< ln(t / t0)
};

/// What a cell adds to y_s at input level x. Levels of a pair count from its level 0, which conducts g_min as well.
double contribution(const ErrorTable& t, const Cell& c, std::size_t x, double g_min) {
  const std::size_t k = t.kind(x, c.level);
  const double g = t.level[k] + t.cell_sigma[k] * c.normal;
  if (c.loss == 0.0) return g;
  return g + (g + static_cast<double>(x) * g_min) * c.loss;
}

}  // namespace

StaticColumn draw_static_column(const ErrorTable& t, std::uint64_t seed, std::uint64_t chip, std::uint64_t column,
                                std::span<const std::uint8_t> plus, std::span<const std::uint8_t> minus) {
  // (C + K)·φ with φ = basis·[1, y, a] is a constant, a gain on y and a gain on a; the gains fold into the rows.
  const auto on = static_coefficients(t, seed, chip, column);
  const bool pair = !minus.empty();
  const double g_min = pair ? t.minimum_conductance : 0.0;
  StaticColumn s;
  s.offset = on[0];
  const std::size_t rows = plus.size();
  s.weight.resize((t.inputs - 1) * rows);
  s.drive.resize(rows);
  CellDraws cells(t, seed, chip, column);
  for (std::size_t j = 0; j < rows; ++j) {
    const Cell p = cells.next(plus[j]), m = cells.next(pair ? minus[j] : 0);
    const auto wp = static_cast<double>(p.level), wm = pair ? static_cast<double>(m.level) : 0.0;
    s.drive[j] = pair ? wp + wm + 2 * t.minimum_conductance : 1.0;
    const double gain = on[1] * (wp - wm) + on[2] * s.drive[j];
    for (std::size_t x = 1; x < t.inputs; ++x) {
      double weight = contribution(t, p, x, g_min);
      if (pair) weight -= contribution(t, m, x, g_min);
      s.weight[(x - 1) * rows + j] = weight + static_cast<double>(x) * gain;
    }
  }
  return s;
}

ReadSequence::ReadSequence(const ErrorTable& table, std::uint64_t seed, std::uint64_t chip, std::uint64_t column)
    : table_(table), state_(std::max<std::size_t>(1, table.source_names.size()), 0.0) {
  for (std::size_t s = 0; s < state_.size(); ++s)
    streams_.emplace_back(seed, StreamPurpose::kTableRead, column, s, chip);
}

double ReadSequence::next(double y_s, double a) {
  const SurfaceCell cell = locate(table_.axes, y_s, a);
  const auto value = [&](std::span<const double> nodes) {
    return cell.weight[0] * nodes[cell.node[0]] + cell.weight[1] * nodes[cell.node[1]] +
           cell.weight[2] * nodes[cell.node[2]] + cell.weight[3] * nodes[cell.node[3]];
  };
  const std::size_t size = table_.axes.size();
  double sum = 0.0, variance = 0.0;
  for (std::size_t s = 0; s < state_.size(); ++s) {
    const double memory = first_ || table_.source_memory.empty() ? 0.0 : table_.source_memory[s];
    const double fresh = streams_[s].normal();
    state_[s] = memory * state_[s] + std::sqrt(1.0 - memory * memory) * fresh;
    if (table_.source_names.empty()) break;
    const double own = value(std::span(table_.source_variance).subspan(s * size, size));
    sum += std::sqrt(own) * state_[s];
    variance += own;
  }
  first_ = false;
  const double standard = variance > 0.0 ? sum / std::sqrt(variance) : state_[0];
  return y_s + value(table_.mu) + value(table_.dynamic_sigma) * table_.dynamic_error(standard);
}

std::vector<double> sample_conversions(const ErrorTable& t, std::span<const double> y, std::span<const double> a,
                                       std::uint64_t seed, std::uint64_t chip, std::uint64_t column) {
  if (t.marginal_shift.size() != t.axes.size() || t.marginal_cell_variance.size() != t.axes.size())
    throw Error(ExitStatus::kArtifact, "E406", "the table has no marginal view, so it says nothing without a pattern",
                "draw columns with their stored levels, or compile the table again");
  const auto on = static_coefficients(t, seed, chip, column);
  RandomStream stream(seed, StreamPurpose::kTableSample, column, 0, chip);
  std::vector<double> value;
  value.reserve(y.size());
  for (std::size_t k = 0; k < y.size(); ++k) {
    const double cells = std::sqrt(surface_value(t.axes, t.marginal_cell_variance, y[k], a[k])) * stream.normal();
    const double fixed = on[0] + on[1] * y[k] + on[2] * a[k];
    const double y_s = y[k] + surface_value(t.axes, t.marginal_shift, y[k], a[k]) + fixed + cells;
    value.push_back(y_s + t.mean_shift(y_s, a[k]) + t.read_sigma(y_s, a[k]) * t.dynamic_error(stream.normal()));
  }
  return value;
}

}  // namespace errata::errormodel
