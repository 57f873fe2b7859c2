#include "behavioral/line/floating_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/fitting/draw_monomials.h"
#include "behavioral/line/released_line.h"

namespace errata::behavioral {

namespace {

using Real = std::span<const double>;

[[noreturn]] void damaged(const Hdf5Reader& f, const char* what) {
  throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": " + what);
}

bool ascending(const std::vector<double>& x) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]) || (i > 0 && !(x[i] > x[i - 1]))) return false;
  return true;
}

}  // namespace

std::vector<double> FloatingLine::monomials(Real draws) const {
  return draw_monomials(exponents, terms, mismatch_range, draws);
}

void FloatingLine::cell_charge(std::size_t input, std::size_t level, Real monomials, std::span<double> charge) const {
  const double* c = charge_coulombs.data() + (input * stored_levels + level) * end_volts.size() * monomials.size();
  for (std::size_t f = 0; f < end_volts.size(); ++f, c += monomials.size()) {
    charge[f] = 0.0;
    for (std::size_t k = 0; k < monomials.size(); ++k) charge[f] += c[k] * monomials[k];
  }
}

double FloatingLine::switch_charge(double farads, Real draws) const {
  const auto monomials = draw_monomials(switch_exponents, switch_terms, mismatch_range, draws);
  const auto at = [&](std::size_t s) {
    double sum = 0.0;
    for (std::size_t k = 0; k < monomials.size(); ++k) sum += switch_coulombs[s * monomials.size() + k] * monomials[k];
    return sum;
  };
  // Linear in 1 / C between the loads: the slower the line follows, the less the split depends on it.
  std::size_t k = 0;
  while (k + 2 < switch_farads.size() && switch_farads[k + 1] < farads) ++k;
  const double u = 1 / farads, a = 1 / switch_farads[k], b = 1 / switch_farads[k + 1];
  const double share = std::clamp((u - a) / (b - a), 0.0, 1.0);
  return at(k) + share * (at(k + 1) - at(k));
}

std::unique_ptr<Line> FloatingLine::line(const LineConditions& c) const {
  return std::make_unique<ReleasedLine>(*this, c);
}

std::string FloatingLine::validity() const {
  if (end_volts.empty()) return "nothing";
  return fmt::format("line ends between {:.3f} and {:.3f} V (tangents beyond), cells within {:.1f} sigma (held beyond)",
                     end_volts.front(), end_volts.back(), mismatch_range);
}

void FloatingLine::save(Hdf5Writer& f) const {
  const std::size_t count = monomial_count(exponents, terms), nodes = end_volts.size();
  f.attribute("/cell", "inputs", static_cast<std::int64_t>(stored_inputs));
  f.attribute("/cell", "levels", static_cast<std::int64_t>(stored_levels));
  f.attribute("/cell", "degree", static_cast<std::int64_t>(degree));
  f.attribute("/cell", "mismatch_range", mismatch_range);
  f.write("/cell/end_voltage", Real(end_volts), {nodes}, "V");
  f.write("/cell/exponents", std::span<const std::uint8_t>(exponents), {terms == 0 ? 0 : count, terms}, "1");
  f.write("/cell/charge", Real(charge_coulombs), {stored_inputs, stored_levels, nodes, count}, "C");
  f.write("/cell/thermal_variance", Real(thermal_square_coulombs), {stored_inputs, stored_levels}, "C^2");
  if (switch_farads.empty()) return;
  const std::size_t switch_count = monomial_count(switch_exponents, switch_terms);
  f.attribute("/switch", "load_farads", switch_load_farads);
  f.attribute("/switch", "terms", static_cast<std::int64_t>(switch_terms));
  f.write("/switch/load", Real(switch_farads), {switch_farads.size()}, "F");
  f.write("/switch/exponents", std::span<const std::uint8_t>(switch_exponents),
          {switch_terms == 0 ? 0 : switch_count, switch_terms}, "1");
  f.write("/switch/charge", Real(switch_coulombs), {switch_farads.size(), switch_count}, "C");
}

std::shared_ptr<const ColumnFamily> FloatingLine::load(const Hdf5Reader& f, TermCounts counts) {
  auto m = std::make_shared<FloatingLine>();
  const std::int64_t levels = f.integer("/cell", "levels");
  if (levels < 2 || levels > 256) damaged(f, "/cell has an impossible number of levels");
  m->stored_levels = static_cast<std::size_t>(levels);
  const std::int64_t inputs = f.integer("/cell", "inputs");
  if (inputs < 2 || inputs > 256) damaged(f, "/cell has an impossible number of input levels");
  m->stored_inputs = static_cast<std::size_t>(inputs);
  m->terms = counts.cell;
  m->degree = static_cast<int>(f.integer("/cell", "degree"));
  m->mismatch_range = f.real("/cell", "mismatch_range");
  m->end_volts = f.doubles("/cell/end_voltage");
  if (m->end_volts.size() < 4 || m->end_volts.size() > kMostNodes || !ascending(m->end_volts) ||
      !(m->mismatch_range > 0) || m->degree < 0 || m->degree > 8)
    damaged(f, "the cell model's description contradicts itself");
  m->exponents = f.bytes("/cell/exponents");
  if (counts.cell > 0 && (m->exponents.empty() || m->exponents.size() % counts.cell != 0))
    damaged(f, "/cell/exponents is damaged");
  for (const auto e : m->exponents)
    if (e > m->degree) damaged(f, "/cell/exponents is damaged");
  m->charge_coulombs = f.doubles("/cell/charge", {m->stored_inputs, m->stored_levels, m->end_volts.size(),
                                                  monomial_count(m->exponents, counts.cell)});
  m->thermal_square_coulombs = f.doubles("/cell/thermal_variance", {m->stored_inputs, m->stored_levels});
  if (!f.has("/switch/load")) return m;
  const std::int64_t terms = f.integer("/switch", "terms");
  m->switch_load_farads = f.real("/switch", "load_farads");
  m->switch_farads = f.doubles("/switch/load");
  m->switch_exponents = f.bytes("/switch/exponents");
  if (terms < 0 || static_cast<std::size_t>(terms) != counts.reset_switch || !(m->switch_load_farads >= 0) ||
      m->switch_farads.size() < 2 || !ascending(m->switch_farads) ||
      (terms > 0 && (m->switch_exponents.empty() || m->switch_exponents.size() % static_cast<std::size_t>(terms) != 0)))
    damaged(f, "/switch contradicts itself");
  m->switch_terms = static_cast<std::size_t>(terms);
  m->switch_coulombs =
      f.doubles("/switch/charge", {m->switch_farads.size(), monomial_count(m->switch_exponents, m->switch_terms)});
  return m;
}

}  // namespace errata::behavioral
