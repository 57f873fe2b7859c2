#include <algorithm>
#include <cmath>

#include "behavioral/black_box/black_box.h"
#include "behavioral/fitting/draw_monomials.h"
#include "behavioral/line/lane_polynomial.h"
#include "behavioral/line/row_sums.h"

namespace errata::behavioral {

namespace {

constexpr std::size_t kLanes = PackedInputs::kLanes;

class BlackBoxLine final : public Line {
 public:
  BlackBoxLine(const BlackBox& family, const LineConditions& c)
      : surface_(family.surface),
        polynomial_(family.surface),
        support_(family.support),
        noise_(family.noise),
        noise_floor_(family.noise_floor),
        inputs_(family.stored_inputs),
        rows_(c.array.rows),
        sources_(c.noise.size()),
        offset_(family.offset),
        position_(family.surface.uses_position() ? ColumnSurface::Position::kIncluded
                                                 : ColumnSurface::Position::kLeftOut) {
    scale_ = std::max(family.surface.u_half, 1e-300);
    for (std::size_t q = 0; q < family.periphery_terms; ++q) {
      const double d = q < c.periphery_draws.size() ? c.periphery_draws[q] : 0.0;
      offset_ += d * family.periphery[3 * q];
      gain_ += d * family.periphery[3 * q + 1];
      activity_ += d * family.periphery[3 * q + 2];
    }
    add_cells(family, c);
    for (const auto& source : c.noise) {
      declared_output_.push_back(source.cell_relative ? 0.0 : source.sigma_at(0) * source.sigma_at(0));
      for (std::size_t j = 0; j < rows_; ++j)
        relative_sigma_.push_back(source.cell_relative ? source.sigma_at(c.levels[j]) : 0.0);
      output_variance_ += declared_output_.back();
    }
  }

  std::size_t rows() const override { return rows_; }
  std::size_t input_levels() const override { return inputs_; }

  void read(const PackedInputs& inputs, std::span<double> output) const override {
    Lanes x;
    double value[kLanes];
    for (std::size_t block = 0; block < inputs.blocks(); ++block) {
      states(inputs, block, x);
      polynomial_.evaluate(x, value);
      for (std::size_t l = 0; l < inputs.filled(block); ++l) {
        const ColumnState state{x.u[l], x.a[l], x.p[l]};
        const bool inside = support_.hold(state, position_).inside;
        output[block * inputs.lanes() + l] =
            offset_ + (1.0 + gain_) * state.u + activity_ * state.a +
            (inside ? value[l] : bounded_value(surface_, support_, state, position_).value);
      }
    }
  }

  std::size_t extrapolated(const PackedInputs& inputs) const override {
    std::size_t outside = 0;
    Lanes x;
    for (std::size_t block = 0; block < inputs.blocks(); ++block) {
      states(inputs, block, x);
      for (std::size_t l = 0; l < inputs.filled(block); ++l) {
        bool inside = idle_seen_ && support_.hold({x.u[l], x.a[l], x.p[l]}, position_).inside;
        const std::uint8_t* levels = inputs.vector(block * inputs.lanes() + l);
        for (std::size_t j = 0; inside && !all_seen_ && j < rows_; ++j) inside = seen_[levels[j] * rows_ + j];
        outside += inside ? 0 : 1;
      }
    }
    return outside;
  }

  std::vector<double> noise_variances(const std::uint8_t* inputs) const override {
    ColumnState x = idle_;
    for (std::size_t j = 0; j < rows_; ++j) {
      if (inputs[j] == 0) continue;
      const Added& row = added(inputs[j], j);
      x.u += row.u, x.a += row.a, x.p += row.p;
    }
    const auto slope = bounded_value(surface_, support_, x, position_);
    std::vector<double> variances{thermal(x)};
    for (std::size_t n = 0; n < sources_; ++n) {
      double sum = declared_output_[n];
      for (std::size_t j = 0; j < rows_; ++j) {
        if (inputs[j] == 0) continue;
        const double gain = 1.0 + gain_ + slope.by_u + slope.by_p * weight_[j];
        sum += std::pow(relative_sigma_[n * rows_ + j] * gain * added(inputs[j], j).own, 2);
      }
      variances.push_back(sum);
    }
    return variances;
  }

  /// u, a and variance of the relative sources that the active row adds.
  NoiseSums row_noise(std::size_t j, std::size_t x) const override {
    const Added& row = added(x, j);
    double relative = 0.0;
    for (std::size_t n = 0; n < sources_; ++n) relative += std::pow(relative_sigma_[n * rows_ + j] * row.own, 2);
    return {row.u / scale_, row.a, relative / (scale_ * scale_)};
  }

  /// Active rows are taken for evenly spread along the line.
  double read_variance(double, const NoiseSums& sums) const override {
    const double added = sums[0] * scale_;
    const ColumnState x{idle_.u + added, idle_.a + sums[1], idle_.p + added * mean_weight_};
    const auto slope = bounded_value(surface_, support_, x, position_);
    const double gain = 1.0 + gain_ + slope.by_u + slope.by_p * mean_weight_;
    return output_variance_ + thermal(x) + gain * gain * scale_ * scale_ * sums[2];
  }

 private:
  /// What a row at an input level adds to the idle line; `own` is the contribution itself.
  struct Added {
    double u = 0.0, a = 0.0, p = 0.0, own = 0.0;
  };
  const Added& added(std::size_t x, std::size_t j) const { return added_[(x - 1) * rows_ + j]; }

  void add_cells(const BlackBox& family, const LineConditions& c) {
    const std::size_t all = c.levels.size(), monomials = family.monomials();
    added_.resize((inputs_ - 1) * rows_);
    seen_.assign(inputs_ * rows_, true);
    for (std::size_t j = 0; j < all; ++j) {
      const auto z = draw_monomials(family.exponents, family.terms, family.mismatch_range,
                                    c.draws.subspan(j * family.terms, family.terms));
      const auto value = [&](std::size_t x) {
        const auto g = family.cell(x, c.levels[j]);
        double sum = 0.0;
        for (std::size_t m = 0; m < monomials; ++m) sum += g[m] * z[m];
        return sum;
      };
      const double idle = value(0), h = position_weight(j, all);
      idle_.u += idle, idle_.p += idle * h;
      const auto seen = [&](std::size_t x) { return family.seen[x * family.stored_levels + c.levels[j]] != 0; };
      if (j >= rows_) {
        idle_seen_ = idle_seen_ && seen(0);
        continue;
      }
      weight_.push_back(h);
      mean_weight_ += h / static_cast<double>(rows_);
      for (std::size_t x = 0; x < inputs_; ++x) seen_[x * rows_ + j] = seen(x), all_seen_ = all_seen_ && seen(x);
      const double share = 1.0 / static_cast<double>((inputs_ - 1) * rows_);
      for (std::size_t x = 1; x < inputs_; ++x) {
        const double own = value(x);
        added_[(x - 1) * rows_ + j] = {own - idle, static_cast<double>(x) * share, (own - idle) * h, own};
      }
    }
    std::vector<float> single;
    for (const Added& row : added_) {
      single.push_back(static_cast<float>(row.u / scale_));
      single.push_back(static_cast<float>(row.a));
      single.push_back(static_cast<float>(row.p / scale_));
    }
    sums_ = RowSums(std::move(single), 3);
  }

  void states(const PackedInputs& inputs, std::size_t block, Lanes& x) const {
    const std::size_t lanes = inputs.lanes();
    float sums[3 * kLanes] = {};
    sums_.add(inputs, block, sums);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t from = l % lanes;
      x.u[l] = idle_.u + scale_ * static_cast<double>(sums[from]);
      x.a[l] = idle_.a + static_cast<double>(sums[lanes + from]);
      x.p[l] = idle_.p + scale_ * static_cast<double>(sums[2 * lanes + from]);
    }
  }

  double thermal(const ColumnState& x) const {
    return std::max(noise_floor_, noise_[0] + noise_[1] * x.a + noise_[2] * x.u);
  }

  ColumnSurface surface_;
  LanePolynomial polynomial_;  ///< the same surface, without derivatives
  ColumnSupport support_;
  std::array<double, 3> noise_;
  double noise_floor_, scale_ = 1.0;
  std::size_t inputs_, rows_, sources_;
  double offset_, gain_ = 0.0, activity_ = 0.0;  ///< output = offset + (1 + gain) u + activity · a + surface
  ColumnSurface::Position position_;
  ColumnState idle_;          ///< without an active row
  std::vector<Added> added_;  ///< [inputs − 1][rows]
  RowSums sums_;              ///< the same (u, a, P), u and P in units of scale_
  std::vector<double> weight_;
  double mean_weight_ = 0.0;
  std::vector<bool> seen_;  ///< [inputs][rows] whether the design holds such a cell
  bool all_seen_ = true, idle_seen_ = true;
  std::vector<double> relative_sigma_;   ///< [sources][rows]
  std::vector<double> declared_output_;  ///< [sources]
  double output_variance_ = 0.0;
};

}  // namespace

double position_weight(std::size_t row, std::size_t rows) {
  const double far = 1.0 - static_cast<double>(row + 1) / static_cast<double>(rows);
  return 1.0 - far * far;
}

std::unique_ptr<Line> BlackBox::line(const LineConditions& c) const { return std::make_unique<BlackBoxLine>(*this, c); }

}  // namespace errata::behavioral
