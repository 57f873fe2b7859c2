#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace errata::training {

/// A smooth staircase Σ_k D_k σ((x − k)/T) + bottom of one temperature, tabulated: cubic Hermite pieces of at most T/8.
/// The value is off by less than 1e-7 of a step's height, the slope by less than 1e-5 of the steepest (σ has a fourth
/// derivative below 0.13). Making it costs some 300 exponentials for any T.
class StaircaseTable {
 public:
  /// Below this the pieces become many and one or two steps are left: the formula is faster.
  static constexpr double kLowestTemperature = 0.02;

  /// `heights`[i] is D of the step at x = first_step + i.
  StaircaseTable(double bottom, std::span<const double> heights, int first_step, double temperature);

  struct Point {
    float value = 0.0f, slope = 0.0f;  ///< slope in 1/x
  };
  Point operator()(double x) const {
    const double place = (x - origin_) * pieces_per_step_;
    const double inside = place > 0.0 ? (place < last_ ? place : last_) : 0.0;  // NaN becomes 0
    const auto number = static_cast<std::size_t>(static_cast<int>(inside));
    const auto t = static_cast<float>(inside - static_cast<double>(static_cast<int>(inside)));
    const Piece& p = pieces_[number];
    return {p.value + t * (p.first + t * (p.second + t * p.third)),
            slope_scale_ * (p.first + t * (2.0f * p.second + 3.0f * t * p.third))};
  }

 private:
  struct Piece {
    float value, first, second, third;  ///< of the polynomial in t = 0 … 1
  };
  double origin_, pieces_per_step_, last_;
  float slope_scale_;
  std::vector<Piece> pieces_;
};

}  // namespace errata::training
