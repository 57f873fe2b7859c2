#include <cmath>

#include "behavioral/cell_model.h"
#include "behavioral/line/column_solver.h"
#include "tests/property/property.h"
#include "tests/support/random_line.h"

namespace errata::behavioral {
namespace {

using testing::check_property;
using testing::LineShape;
using testing::real;

LineShape any_shape() {
  const auto zero_or = [](double high) { return *rc::gen::arbitrary<bool>() ? 0.0 : *real(0, high); };
  return {.rows = *rc::gen::inRange<std::size_t>(1, 40),
          .wire_ohms = zero_or(20),
          .source_line_ohms = zero_or(5),
          .clamp_ohms = zero_or(300),
          .offset_amperes = *real(-5e-6, 5e-6)};
}

TEST(Property, SolversAgree) {
  check_property("ladder and dense solver give the same current", [] {
    const LineShape shape = any_shape();
    const std::uint64_t which = *rc::gen::inRange<std::uint64_t>(0, 1000000);
    const PreparedLine line = testing::random_line(shape, which);
    const auto inputs = testing::random_inputs(shape.rows, 3, which);
    std::vector<double> current(3);
    solve_lines(line, PackedInputs(inputs, shape.rows, shape.rows, 2), current);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::uint8_t* x = inputs.data() + i * shape.rows;
      const double expected = solve_line_dense(line, x);
      // Relative to the largest part: offset and cell currents may cancel.
      double scale = std::fabs(shape.offset_amperes);
      LineSensitivity s;
      const double exact = solve_line(line, x, s);
      for (const double a : s.cell_amperes) scale += std::fabs(a);
      RC_ASSERT(std::fabs(exact - expected) <= 1e-9 * scale);
      RC_ASSERT(std::fabs(current[i] - expected) <= 5e-6 * scale);
    }
  });
}

TEST(Property, GainsLieBetweenNothingAndOne) {
  check_property("an injected current never comes out amplified, and no further away comes out more", [] {
    LineShape shape = any_shape();
    shape.source_line_ohms = 0;
    const std::uint64_t which = *rc::gen::inRange<std::uint64_t>(0, 1000000);
    const PreparedLine line = testing::random_line(shape, which);
    const auto inputs = testing::random_inputs(shape.rows, 1, which);
    LineSensitivity s;
    solve_line(line, inputs.data(), s);
    double last = 1.0 + 1e-12;
    for (const double gain : s.injection_gain) {
      RC_ASSERT(gain > 0 && gain <= last);
      last = gain + 1e-12;
    }
  });
}

TEST(Property, AnotherActiveRowNeverLowersTheCurrent) {
  check_property("the current is monotone in the inputs", [] {
    const LineShape shape = any_shape();
    const std::uint64_t which = *rc::gen::inRange<std::uint64_t>(0, 1000000);
    const PreparedLine line = testing::random_line(shape, which);
    auto inputs = testing::random_inputs(shape.rows, 1, which);
    LineSensitivity s;
    const double before = solve_line(line, inputs.data(), s);
    inputs[*rc::gen::inRange<std::size_t>(0, shape.rows)] = 1;
    RC_ASSERT(solve_line(line, inputs.data(), s) >= before - 1e-9 * std::fabs(before) - 1e-15);
  });
}

TEST(Property, CellCurrentsArePositiveAboveTheSourceLine) {
  check_property("positive for any coefficients", [] {
    CellModel m{.inputs = 1, .levels = 1, .terms = 2, .degree = 2};
    m.exponents = CellModel::full_basis(3, 2);
    m.coefficients = *rc::gen::container<std::vector<double>>(m.monomials(), real(-5, 5));
    const double draws[] = {*real(-9, 9), *real(-9, 9)};
    const double current = m.current(0, 0, *real(0.01, 0.3), 0.0, draws);
    RC_ASSERT(current > 0 && std::isfinite(current));
  });
}

}  // namespace
}  // namespace errata::behavioral
