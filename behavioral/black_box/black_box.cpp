#include "behavioral/black_box/black_box.h"

#include <fmt/format.h>

#include <algorithm>

#include "behavioral/fitting/draw_monomials.h"

namespace errata::behavioral {

namespace {

using Real = std::span<const double>;

[[noreturn]] void damaged(const Hdf5Reader& f, const char* what) {
  throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": " + what);
}

}  // namespace

std::size_t BlackBox::monomials() const { return monomial_count(exponents, terms); }

std::string BlackBox::validity() const {
  return fmt::format("active share {:.2f} ... {:.2f}, cells within {:.1f} sigma (held beyond), periphery within {:.1f}",
                     std::max(0.0, support.a_low), std::min(1.0, support.a_high), mismatch_range, periphery_range);
}

void BlackBox::save(Hdf5Writer& f) const {
  f.attribute("/column", "inputs", static_cast<std::int64_t>(stored_inputs));
  f.attribute("/column", "levels", static_cast<std::int64_t>(stored_levels));
  f.attribute("/column", "mismatch_range", mismatch_range);
  f.attribute("/column", "offset", offset);
  f.attribute("/column", "periphery_range", periphery_range);
  f.write("/column/exponents", std::span<const std::uint8_t>(exponents), {terms == 0 ? 0 : monomials(), terms}, "1");
  f.write("/column/contribution", Real(contribution), {stored_inputs, stored_levels, monomials()}, "output");
  f.write("/column/seen", std::span<const std::uint8_t>(seen), {stored_inputs, stored_levels}, "1");
  f.write("/column/periphery", Real(periphery), {periphery_terms, 3}, "output, 1, output");
  const double axes[] = {surface.u_center, surface.u_half, surface.p_center, surface.p_half};
  f.write("/column/surface/axes", Real(axes), {4}, "output");
  f.write("/column/surface/degrees", std::span<const std::uint8_t>(surface.exponents), {surface.terms(), 3}, "1");
  f.write("/column/surface/coefficients", Real(surface.coefficients), {surface.terms()}, "output");
  f.attribute("/column/support", "a_low", support.a_low);
  f.attribute("/column/support", "a_high", support.a_high);
  f.write("/column/support/box", Real(support.box), {ColumnSupport::kBins, 4}, "output");
  f.write("/column/support/reached", std::span<const std::uint8_t>(support.reached), {ColumnSupport::kBins}, "1");
  const double variance[] = {noise[0], noise[1], noise[2], noise_floor};
  f.write("/column/thermal_variance", Real(variance), {4}, "output^2, output^2, output, output^2");
}

std::shared_ptr<const ColumnFamily> BlackBox::load(const Hdf5Reader& f, TermCounts counts) {
  auto m = std::make_shared<BlackBox>();
  const std::int64_t inputs = f.integer("/column", "inputs"), levels = f.integer("/column", "levels");
  if (inputs < 2 || inputs > 256 || levels < 2 || levels > 256) damaged(f, "/column has impossible levels");
  m->stored_inputs = static_cast<std::size_t>(inputs);
  m->stored_levels = static_cast<std::size_t>(levels);
  m->terms = counts.cell;
  m->periphery_terms = counts.periphery;
  m->mismatch_range = f.real("/column", "mismatch_range");
  m->offset = f.real("/column", "offset");
  m->periphery_range = f.real("/column", "periphery_range");
  m->exponents = f.bytes("/column/exponents");
  if (!(m->mismatch_range > 0) || (m->terms == 0) != m->exponents.empty() ||
      (m->terms > 0 && m->exponents.size() % m->terms != 0))
    damaged(f, "/column/exponents is damaged");
  m->contribution = f.doubles("/column/contribution", {m->stored_inputs, m->stored_levels, m->monomials()});
  m->seen = f.bytes("/column/seen", {m->stored_inputs, m->stored_levels});
  m->periphery = f.doubles("/column/periphery", {m->periphery_terms, 3});
  const auto axes = f.doubles("/column/surface/axes", {4});
  m->surface = {axes[0], axes[1], axes[2], axes[3], f.bytes("/column/surface/degrees"), {}};
  const bool degrees = m->surface.exponents.size() % 3 == 0 &&
                       std::ranges::all_of(m->surface.exponents, [](int e) { return e <= ColumnSurface::kMostDegree; });
  if (!degrees || !(axes[1] > 0) || !(axes[3] > 0)) damaged(f, "/column/surface contradicts itself");
  m->surface.coefficients = f.doubles("/column/surface/coefficients", {m->surface.terms()});
  m->support.a_low = f.real("/column/support", "a_low");
  m->support.a_high = f.real("/column/support", "a_high");
  m->support.box = f.doubles("/column/support/box", {ColumnSupport::kBins, 4});
  m->support.reached = f.bytes("/column/support/reached", {ColumnSupport::kBins});
  bool ordered = m->support.a_low <= m->support.a_high;
  for (std::size_t k = 0; k < m->support.box.size(); k += 2)
    ordered = ordered && m->support.box[k] <= m->support.box[k + 1];
  if (!ordered) damaged(f, "/column/support contradicts itself");
  const auto variance = f.doubles("/column/thermal_variance", {4});
  m->noise = {variance[0], variance[1], variance[2]};
  m->noise_floor = variance[3];
  return m;
}

}  // namespace errata::behavioral
