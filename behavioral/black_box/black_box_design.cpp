#include "behavioral/black_box/black_box_design.h"

#include <algorithm>
#include <cmath>

#include "behavioral/black_box/black_box.h"
#include "behavioral/cell_model.h"
#include "behavioral/fit.h"
#include "behavioral/fitting/draw_monomials.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

/// One line of one chip: its whole line's levels and draws.
struct LineState {
  std::vector<std::uint8_t> levels;
  std::vector<double> draws, periphery;
};

class Filler {
 public:
  Filler(const circuit::Characterization& data, int degree) : data_(data), m_(data.columns) {
    d_.inputs = data.array.input.count();
    d_.levels = data.cell.weight_levels.size();
    cell_terms_ = cell_terms_of(data);
    d_.terms = cell_terms_.size();
    if (d_.terms > 0) d_.exponents = CellModel::full_basis(d_.terms, degree);
    d_.monomials = monomial_count(d_.exponents, d_.terms);
    d_.seen.assign(d_.inputs * d_.levels, 0);
    group_periphery();
    for (std::size_t l = 0; l < m_.chips * m_.columns * m_.branches; ++l) states_.push_back(state(l));
    double cells = 0.0;
    for (const LineState& s : states_) {
      for (const double z : s.draws) cells = std::max(cells, std::fabs(z));
      for (const double z : s.periphery) d_.periphery_range = std::max(d_.periphery_range, std::fabs(z));
    }
    d_.mismatch_range = cells > 0.0 ? cells : 1.0;
  }

  LineDesign run() {
    number_reads();
    const auto n = static_cast<Eigen::Index>(d_.chip.size());
    d_.count.setZero(n, static_cast<Eigen::Index>(d_.features()));
    d_.moment.setZero(n, static_cast<Eigen::Index>(d_.features()));
    d_.active.setZero(n);
    d_.periphery.resize(n, static_cast<Eigen::Index>(groups_));
    d_.output.resize(n);
    for (std::size_t l = 0; l < states_.size(); ++l) fill_line(l);
    return std::move(d_);
  }

 private:
  LineState state(std::size_t l) const {
    const std::size_t per_chip = m_.columns * m_.branches;
    const LineId id{chips::kCharacterization + l / per_chip, l % per_chip};
    const std::uint64_t seed = data_.provenance.seed;
    const auto& selectable = m_.designs[l / m_.branches].branch(l % m_.branches);
    LineState s;
    s.levels = circuit::whole_line(data_.array, d_.levels, seed, id, selectable);
    s.draws = unit_draws_of_cells(data_.mismatch, cell_terms_, seed, id, s.levels.size());
    const auto draws = unit_draws_of_periphery(data_.array, data_.mismatch, seed, id);
    s.periphery.assign(groups_, 0.0);
    for (std::size_t q = 0; q < draws.size(); ++q) s.periphery[d_.group[q]] += d_.share[q] * draws[q];
    return s;
  }

  void group_periphery() {
    std::vector<PeripheryTerm> first;  // of each group
    std::vector<double> square, sigma;
    const auto alike = [&](const PeripheryTerm& a, const PeripheryTerm& b) {
      const MismatchTerm &s = data_.mismatch[a.term], &t = data_.mismatch[b.term];
      return a.complement == b.complement && s.device == t.device && s.parameter == t.parameter &&
             s.lognormal == t.lognormal;
    };
    for (const PeripheryTerm& term : periphery_terms(data_.array, data_.mismatch)) {
      const auto same = std::ranges::find_if(first, [&](const PeripheryTerm& other) { return alike(other, term); });
      d_.group.push_back(static_cast<std::size_t>(same - first.begin()));
      if (same == first.end()) first.push_back(term), square.push_back(0.0);
      sigma.push_back(data_.mismatch[term.term].sigma_at(0));
      square[d_.group.back()] += sigma.back() * sigma.back();
    }
    groups_ = first.size();
    for (std::size_t q = 0; q < sigma.size(); ++q)
      d_.share.push_back(sigma[q] > 0.0 ? sigma[q] / std::sqrt(square[d_.group[q]]) : 0.0);
  }

  void number_reads() {
    std::vector<double> outputs;
    const std::size_t per_chip = m_.columns * m_.branches * m_.operands;
    for (std::size_t i = 0; i < m_.output.size(); ++i) {
      const bool good = std::isfinite(m_.output[i]);
      d_.of_reading.push_back(good ? static_cast<std::ptrdiff_t>(outputs.size()) : -1);
      if (!good) continue;
      outputs.push_back(m_.output[i]);
      d_.chip.push_back(static_cast<std::uint32_t>(i / per_chip));
    }
    if (outputs.size() < 2) return;
    d_.center = mean(outputs);
    const double spread = standard_deviation(outputs);
    if (spread > 0.0) d_.scale = spread;
  }

  void fill_line(std::size_t l) {
    const LineState& s = states_[l];
    const ColumnOperands& design = m_.designs[l / m_.branches];
    const std::size_t all = s.levels.size(), rows = design.rows;
    std::vector<double> monomials;
    for (std::size_t j = 0; j < all; ++j) {
      const auto values =
          draw_monomials(d_.exponents, d_.terms, d_.mismatch_range, std::span(s.draws).subspan(j * d_.terms, d_.terms));
      monomials.insert(monomials.end(), values.begin(), values.end());
    }
    for (std::size_t o = 0; o < m_.operands; ++o) {
      const std::ptrdiff_t read = d_.of_reading[l * m_.operands + o];
      if (read < 0) continue;
      const auto r = static_cast<Eigen::Index>(read);
      d_.output(r) = (m_.output[l * m_.operands + o] - d_.center) / d_.scale;
      for (std::size_t q = 0; q < s.periphery.size(); ++q)
        d_.periphery(r, static_cast<Eigen::Index>(q)) = s.periphery[q];
      for (std::size_t j = 0; j < all; ++j) {
        const std::size_t x = j < rows ? design.input(o)[j] : 0;
        d_.seen[x * d_.levels + s.levels[j]] = 1;
        if (j < rows) d_.active(r) += static_cast<double>(x) / static_cast<double>((d_.inputs - 1) * rows);
        const double h = position_weight(j, all);
        for (std::size_t k = 0; k < d_.monomials; ++k) {
          const auto feature = d_.feature(x, s.levels[j], k);
          if (!feature) continue;
          const auto f = static_cast<Eigen::Index>(*feature);
          d_.count(r, f) += monomials[j * d_.monomials + k];
          d_.moment(r, f) += monomials[j * d_.monomials + k] * h;
        }
      }
    }
  }

  const circuit::Characterization& data_;
  const circuit::ColumnMeasurements& m_;
  LineDesign d_;
  std::vector<std::size_t> cell_terms_;
  std::size_t groups_ = 0;
  std::vector<LineState> states_;  ///< [chips][columns][branches]
};

}  // namespace

LineDesign line_design(const circuit::Characterization& data, int mismatch_degree) {
  return Filler(data, mismatch_degree).run();
}

LineDesign subset(const LineDesign& all, std::span<const std::uint8_t> keep) {
  std::vector<Eigen::Index> rows;
  for (std::size_t r = 0; r < keep.size(); ++r)
    if (keep[r] != 0) rows.push_back(static_cast<Eigen::Index>(r));
  LineDesign some = all;
  some.of_reading.clear();
  some.chip.clear();
  some.count = all.count(rows, Eigen::all);
  some.moment = all.moment(rows, Eigen::all);
  some.active = all.active(rows);
  some.periphery = all.periphery(rows, Eigen::all);
  some.output = all.output(rows);
  for (const auto r : rows) some.chip.push_back(all.chip[static_cast<std::size_t>(r)]);
  return some;
}

}  // namespace errata::behavioral
