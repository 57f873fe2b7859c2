#include "core/mismatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"
#include "core/statistics.h"
#include "core/text.h"

namespace errata {

namespace {
MismatchScope scope_of(const std::string& text) {
  if (text == "column") return MismatchScope::kColumn;
  if (text == "chip") return MismatchScope::kChip;
  return MismatchScope::kCell;
}
}  // namespace

std::vector<MismatchTerm> mismatch_terms(const Settings& settings, std::size_t levels) {
  const double severity = settings.number("circuit.severity");
  std::vector<MismatchTerm> terms;
  for (std::size_t i = 0; i < settings.count("circuit.mismatch"); ++i) {
    const std::string at = fmt::format("circuit.mismatch[{}].", i);
    MismatchTerm term;
    term.name = settings.text(at + "name");
    term.scope = scope_of(settings.text(at + "scope"));
    term.device = lower_case(settings.text(at + "device"));
    term.parameter = lower_case(settings.text(at + "parameter"));
    term.lognormal = settings.text(at + "distribution") == "lognormal";
    term.uniform = settings.text(at + "distribution") == "uniform";
    if (settings.has(at + "sigma")) {
      term.sigma = settings.numbers(at + "sigma");
    } else if (!settings.has(at + "width")) {
      term.pelgrom_volt_metres = severity * settings.number(at + "pelgrom_coefficient");
    } else {
      const double area = settings.number(at + "width") * settings.number(at + "length");
      term.sigma = {settings.number(at + "pelgrom_coefficient") / std::sqrt(area)};
    }
    if (settings.has(at + "nominal")) term.nominal = settings.number(at + "nominal");
    for (double& sigma : term.sigma) sigma *= severity;
    if (term.sigma.size() > 1) term.sigma.resize(levels, term.sigma.back());
    terms.push_back(std::move(term));
  }
  return terms;
}

namespace {
double normal_draw(std::uint64_t seed, const MismatchTerm& term, std::size_t term_index, LineId line, std::size_t row) {
  const std::uint64_t index = term_index << 32;
  switch (term.scope) {
    case MismatchScope::kCell:
      return RandomStream(seed, StreamPurpose::kCellMismatch, index | row, line.line, line.chip).normal();
    case MismatchScope::kColumn:
      return RandomStream(seed, StreamPurpose::kColumnMismatch, index, line.line, line.chip).normal();
    case MismatchScope::kChip:
      return RandomStream(seed, StreamPurpose::kChipVariation, index, 0, line.chip).normal();
  }
  return 0.0;
}

/// Even over ±√3 from a normal draw.
double even_draw(double z) { return std::sqrt(12.0) * (normal_cdf(z) - 0.5); }
}  // namespace

double unit_draw(std::uint64_t seed, const MismatchTerm& term, std::size_t term_index, LineId line, std::size_t row) {
  double z = 0.0;
  if (term.mix.empty()) z = normal_draw(seed, term, term_index, line, row);
  for (std::size_t k = 0; k < term.mix.size(); ++k)  // the terms it is correlated with have its scope
    if (term.mix[k] != 0.0) z += term.mix[k] * normal_draw(seed, term, k, line, row);
  return term.uniform ? even_draw(z) : z;
}

void unit_draws(std::uint64_t seed, const MismatchTerm& term, std::size_t term_index, LineId line,
                std::span<double> rows) {
  if (term.scope != MismatchScope::kCell) {  // one draw for all of them
    std::ranges::fill(rows, unit_draw(seed, term, term_index, line, 0));
    return;
  }
  const auto fill = [&](std::size_t index, std::span<double> out) {
    fill_normals({.seed = seed,
                  .purpose = StreamPurpose::kCellMismatch,
                  .a = std::uint64_t{index} << 32,
                  .b = line.line,
                  .c = line.chip,
                  .step_a = 1},
                 1, out);
  };
  if (term.mix.empty()) {
    fill(term_index, rows);
  } else {
    std::ranges::fill(rows, 0.0);
    std::vector<double> normal(rows.size());
    for (std::size_t k = 0; k < term.mix.size(); ++k) {
      if (term.mix[k] == 0.0) continue;
      fill(k, normal);
      for (std::size_t j = 0; j < rows.size(); ++j) rows[j] += term.mix[k] * normal[j];
    }
  }
  if (!term.uniform) return;
  for (double& z : rows) z = even_draw(z);
}

double moved_value(double nominal, double normal_sum, double lognormal_sum) {
  return (nominal + normal_sum) * std::exp(lognormal_sum);
}

std::vector<NoiseSource> noise_sources(const Settings& settings) {
  const double severity = settings.number("circuit.severity");
  std::vector<NoiseSource> sources;
  for (std::size_t i = 0; i < settings.count("circuit.noise_source"); ++i) {
    const std::string at = fmt::format("circuit.noise_source[{}].", i);
    NoiseSource source;
    source.name = settings.text(at + "name");
    source.cell_relative = settings.text(at + "kind") == "cell_relative";
    source.sigma = settings.numbers(at + "sigma");
    for (double& sigma : source.sigma) sigma *= severity;
    if (settings.has(at + "memory")) source.memory = settings.number(at + "memory");
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace errata
