#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace errata::behavioral {

/// Where a read of a column lies: the sum u of what its rows give and its position moment P, both in the output's unit,
/// and the active share a of its rows (methods.md §2, §5.2).
struct ColumnState {
  double u = 0.0, a = 0.0, p = 0.0;
};

/// Non-linear part of a column's output over (u, a, P): products of Legendre polynomials of bounded total degree, u and
/// P scaled to [−1, 1] over the design. Left out are the constant and the linear terms in u and a, which the rows'
/// contributions hold already.
struct ColumnSurface {
  static constexpr int kMostDegree = 6;

  double u_center = 0.0, u_half = 1.0, p_center = 0.0, p_half = 1.0;
  std::vector<std::uint8_t> exponents;  ///< [terms][3] degrees in u, a, P
  std::vector<double> coefficients;     ///< [terms] in the output's unit

  std::size_t terms() const { return exponents.size() / 3; }
  bool uses_position() const;

  enum class Position { kLeftOut, kIncluded };
  /// Degrees of all terms of a total degree.
  static std::vector<std::uint8_t> basis(int degree, Position position);

  /// Value, and derivatives by u and P.
  struct Value {
    double value = 0.0, by_u = 0.0, by_p = 0.0;
  };
  Value at(const ColumnState& state) const;
  /// The terms' own values, [terms].
  std::vector<double> term_values(const ColumnState& state) const;
};

/// The part of (u, a, P) that a design has reached: for each bin of a the range of u and P, widened by a twentieth of
/// the whole range. Beyond it a surface goes on along its tangent at the border.
struct ColumnSupport {
  static constexpr std::size_t kBins = 8;

  double a_low = 0.0, a_high = 1.0;
  std::vector<double> box;            ///< [kBins][4]: lowest and highest u, lowest and highest P
  std::vector<std::uint8_t> reached;  ///< [kBins] 0 where the design has no point: the box is a neighbour's

  /// Of these states; at least one.
  static ColumnSupport around(std::span<const ColumnState> states);

  /// The nearest state inside; P counts only where `positions` says so.
  struct Held {
    ColumnState state;
    bool inside = true;
  };
  Held hold(const ColumnState& state, ColumnSurface::Position position) const;
};

/// A surface inside its support and its tangents outside.
ColumnSurface::Value bounded_value(const ColumnSurface& surface, const ColumnSupport& support, const ColumnState& state,
                                   ColumnSurface::Position position);

}  // namespace errata::behavioral
