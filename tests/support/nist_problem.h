#pragma once

#include <ceres/jet.h>

#include <array>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "behavioral/fitting/least_squares.h"

namespace errata::testing {

/// A problem of NIST's Statistical Reference Datasets as its file in tests/golden/nist states it.
struct NistProblem {
  std::string name;
  std::array<std::vector<double>, 2> starts;
  std::vector<double> certified, standard_deviations;
  double sum_of_squares = 0, residual_deviation = 0;
  std::vector<double> y;
  std::vector<std::array<double, 2>> x;

  static NistProblem load(const std::string& name);
};

/// Lines 41 on hold "bN = start1 start2 value deviation", data from line 61 on; both positions are fixed by the format.
inline NistProblem NistProblem::load(const std::string& name) {
  std::ifstream file(std::string(ERRATA_SOURCE_DIR) + "/tests/golden/nist/" + name + ".dat");
  NistProblem p{.name = name};
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream text(line);
    if (number < 41) continue;
    if (number < 61) {
      std::string word, equals;
      double first = 0, second = 0, value = 0, deviation = 0;
      if (line.starts_with("Residual Sum of Squares:")) {
        p.sum_of_squares = std::stod(line.substr(line.find(':') + 1));
      } else if (line.starts_with("Residual Standard Deviation:")) {
        p.residual_deviation = std::stod(line.substr(line.find(':') + 1));
      } else if (text >> word >> equals >> first >> second >> value >> deviation && word[0] == 'b') {
        p.starts[0].push_back(first);
        p.starts[1].push_back(second);
        p.certified.push_back(value);
        p.standard_deviations.push_back(deviation);
      }
      continue;
    }
    double y = 0;
    std::array<double, 2> x{};
    if (!(text >> y >> x[0])) continue;
    text >> x[1];
    p.y.push_back(y);
    p.x.push_back(x);
  }
  return p;
}

/// The model of a problem as its file prints it, for doubles and for numbers that carry derivatives.
template <class T>
T nist_model(const std::string& name, const T* b, const std::array<double, 2>& point) {
  const double x = point[0], pi = 3.141592653589793238462643383279;
  using std::atan;
  using std::cos;
  using std::exp;
  using std::pow;
  using std::sin;
  if (name == "Misra1a" || name == "BoxBOD") return b[0] * (1.0 - exp(-b[1] * x));
  if (name == "Misra1b") return b[0] * (1.0 - 1.0 / ((1.0 + b[1] * x / 2.0) * (1.0 + b[1] * x / 2.0)));
  if (name == "Misra1c") return b[0] * (1.0 - pow(1.0 + 2.0 * b[1] * x, -0.5));
  if (name == "Misra1d") return b[0] * b[1] * x / (1.0 + b[1] * x);
  if (name.starts_with("Chwirut")) return exp(-b[0] * x) / (b[1] + b[2] * x);
  if (name == "DanWood") return b[0] * pow(x, b[1]);
  if (name.starts_with("Gauss")) {
    const T u = (x - b[3]) / b[4], v = (x - b[6]) / b[7];
    return b[0] * exp(-b[1] * x) + b[2] * exp(-u * u) + b[5] * exp(-v * v);
  }
  if (name.starts_with("Lanczos")) return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x);
  if (name == "Nelson") return b[0] - b[1] * x * exp(-b[2] * point[1]);
  if (name == "Kirby2") return (b[0] + x * (b[1] + x * b[2])) / (1.0 + x * (b[3] + x * b[4]));
  if (name == "Hahn1" || name == "Thurber")
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1.0 + x * (b[4] + x * (b[5] + x * b[6])));
  if (name == "MGH09") return b[0] * (x * x + x * b[1]) / (x * x + x * b[2] + b[3]);
  if (name == "MGH10") return b[0] * exp(b[1] / (x + b[2]));
  if (name == "MGH17") return b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4]);
  if (name == "ENSO")
    return b[0] + b[1] * std::cos(2 * pi * x / 12) + b[2] * std::sin(2 * pi * x / 12) + b[4] * cos(2 * pi * x / b[3]) +
           b[5] * sin(2 * pi * x / b[3]) + b[7] * cos(2 * pi * x / b[6]) + b[8] * sin(2 * pi * x / b[6]);
  if (name == "Eckerle4") {
    const T u = (x - b[2]) / b[1];
    return b[0] / b[1] * exp(-0.5 * u * u);
  }
  if (name == "Rat42") return b[0] / (1.0 + exp(b[1] - b[2] * x));
  if (name == "Rat43") return b[0] / pow(1.0 + exp(b[1] - b[2] * x), 1.0 / b[3]);
  if (name == "Roszman1") return b[0] - b[1] * x - atan(b[2] / (x - b[3])) / pi;
  if (name == "Bennett5") return b[0] * pow(b[1] + x, -1.0 / b[2]);
  return T(NAN);
}

/// The problem as the fit takes it, with exact derivatives. Refers to `p`.
inline behavioral::LeastSquaresProblem least_squares_problem(const NistProblem& p) {
  behavioral::LeastSquaresProblem problem;
  problem.parameters = p.certified.size();
  // Nelson's model is of log y.
  const bool logarithm = p.name == "Nelson";
  for (const double y : p.y) problem.measured.push_back(logarithm ? std::log(y) : y);
  problem.residuals = [&p, measured = problem.measured](std::span<const double> b) {
    std::vector<double> r;
    for (std::size_t i = 0; i < measured.size(); ++i) r.push_back(nist_model(p.name, b.data(), p.x[i]) - measured[i]);
    return r;
  };
  problem.jacobian = [&p](std::span<const double> b) {
    constexpr int kMost = 9;
    using Jet = ceres::Jet<double, kMost>;
    std::array<Jet, kMost> jets;
    for (std::size_t j = 0; j < b.size(); ++j) jets[j] = Jet(b[j], static_cast<int>(j));
    std::vector<double> jacobian;
    for (const auto& x : p.x) {
      const Jet value = nist_model(p.name, jets.data(), x);
      jacobian.insert(jacobian.end(), value.v.data(), value.v.data() + b.size());
    }
    return jacobian;
  };
  return problem;
}

}  // namespace errata::testing
