#include "behavioral/model.h"

#include <algorithm>
#include <cmath>

namespace errata::behavioral {

namespace {
using Real = std::span<const double>;
}

std::unique_ptr<Line> BehavioralModel::prepare(std::uint64_t seed, LineId line,
                                               std::span<const std::uint8_t> levels) const {
  const auto all = circuit::whole_line(array, this->levels(), seed, line, levels);
  const auto draws = unit_draws_of_cells(mismatch, cell_terms, seed, line, all.size());
  const auto periphery = circuit::line_periphery(array, mismatch, seed, line);
  const auto periphery_draws = unit_draws_of_periphery(array, mismatch, seed, line);
  return family->line({array, noise, mismatch, periphery, all, draws, periphery_draws});
}

std::vector<PeripheryTerm> periphery_terms(const circuit::ArrayConstants& array,
                                           const std::vector<MismatchTerm>& mismatch) {
  std::vector<PeripheryTerm> all;
  for (const bool complement : {false, true})
    for (std::size_t t = 0; t < mismatch.size(); ++t)
      // What the netlist's own column varies exists once.
      if (mismatch[t].in_periphery() && (!complement || (array.complement && !mismatch[t].in_column())))
        all.push_back({t, complement});
  return all;
}

std::vector<double> unit_draws_of_periphery(const circuit::ArrayConstants& array,
                                            const std::vector<MismatchTerm>& mismatch, std::uint64_t seed,
                                            LineId line) {
  std::vector<double> draws;
  for (const auto& [term, complement] : periphery_terms(array, mismatch))
    draws.push_back(unit_draw(seed, mismatch[term], term, complement ? circuit::complement_line(line) : line, 0));
  return draws;
}

std::vector<double> unit_draws_of_cells(const std::vector<MismatchTerm>& mismatch,
                                        const std::vector<std::size_t>& cell_terms, std::uint64_t seed, LineId line,
                                        std::size_t rows) {
  const std::size_t terms = cell_terms.size();
  std::vector<double> draws(rows * terms), one(rows);
  for (std::size_t k = 0; k < terms; ++k) {
    unit_draws(seed, mismatch[cell_terms[k]], cell_terms[k], line, one);
    for (std::size_t j = 0; j < rows; ++j) draws[j * terms + k] = one[j];
  }
  return draws;
}

std::unique_ptr<Line> BehavioralModel::prepare_nominal(std::span<const std::uint8_t> levels) const {
  const auto all = circuit::whole_line(array, this->levels(), provenance.seed, {}, levels);
  const std::vector<double> draws(all.size() * cell_terms.size(), 0.0);
  const auto periphery = circuit::nominal_periphery(array, mismatch);
  return family->line({array, noise, mismatch, periphery, all, draws});
}

namespace {
/// Output of the first line less that of the second, where there is one.
template <class Prepare>
std::vector<double> read_branches(const ColumnOperands& o, const Prepare& prepare) {
  std::vector<double> output(o.count()), other(o.count());
  prepare(0)->read(o.inputs, o.rows, output);
  if (!o.differential()) return output;
  prepare(1)->read(o.inputs, o.rows, other);
  for (std::size_t p = 0; p < output.size(); ++p) output[p] -= other[p];
  return output;
}
}  // namespace

std::vector<double> BehavioralModel::read_column(std::uint64_t seed, std::uint64_t chip, std::uint64_t column,
                                                 const ColumnOperands& o) const {
  return read_branches(o, [&](std::size_t b) { return prepare(seed, {chip, o.branches() * column + b}, o.branch(b)); });
}

std::vector<double> BehavioralModel::read_nominal_column(const ColumnOperands& o) const {
  return read_branches(o, [&](std::size_t b) { return prepare_nominal(o.branch(b)); });
}

std::vector<std::string> BehavioralModel::noise_names() const {
  std::vector<std::string> names{"thermal"};
  for (const auto& source : noise) names.push_back(source.name);
  return names;
}

const FamilyEntry* find_family(const std::string& name, Measured measured) {
  for (const FamilyEntry& entry : families())
    if (name == entry.name || (name == "automatic" && entry.fits(measured))) return &entry;
  return nullptr;
}

void BehavioralModel::save(const std::filesystem::path& path) const {
  Hdf5Writer f(path);
  write_provenance(f, provenance);
  circuit::save_physics(f, array, mismatch, noise);
  const std::vector<std::int64_t> terms(cell_terms.begin(), cell_terms.end());
  f.write("/cell/mismatch_term", std::span<const std::int64_t>(terms), {terms.size()}, "1");
  f.attribute("/", "family", std::string_view(family->name()));
  f.attribute("/", "branches", static_cast<std::int64_t>(branches));
  family->save(f);
  f.write_scalar("/transfer/offset", transfer.offset, array.unit);
  f.write_scalar("/transfer/unit", transfer.unit, array.unit);
  f.write_scalar("/transfer/minimum_conductance", minimum_conductance, "level");
  f.write("/fit/tried", Real(fit_quality), {fit_quality.size() / 7, 7}, "1");
  f.write_strings("/fit/labels", fit_labels);
  f.attribute("/fit", "chosen", static_cast<std::int64_t>(chosen));
  f.attribute(
      "/fit", "columns",
      std::string_view("degree, rms, maximum, held_out_rms, held_out_maximum, condition, parameter_half_width"));
  const auto& v = validation;
  const double summary[] = {v.rms,         v.rms_low,    v.rms_high,       v.maximum,
                            v.bias,        v.r_squared,  v.worst_chip_rms, v.worst_operand_rms,
                            v.total_sigma, v.full_scale, v.unit,           v.noise_ratio};
  f.write("/validation/summary", Real(summary), {std::size(summary)}, "see columns");
  f.attribute("/validation", "columns",
              std::string_view("rms, rms_low, rms_high, maximum, bias, r_squared, worst_chip_rms, worst_operand_rms, "
                               "total_sigma, full_scale, unit, noise_ratio"));
  f.attribute("/validation", "passed", std::int64_t{v.passed});
  f.write("/validation/mac", Real(v.mac), {v.mac.size()}, "MAC unit");
  f.write("/validation/model_error", Real(v.model_error), {v.mac.size()}, "MAC unit");
  f.write("/validation/circuit_error", Real(v.circuit_error), {v.mac.size()}, "MAC unit");
  f.write("/validation/residual", Real(v.residual), {v.mac.size()}, "MAC unit");
  f.commit();
}

BehavioralModel BehavioralModel::load(const std::filesystem::path& path) {
  const Hdf5Reader f(path);
  BehavioralModel m;
  m.provenance = read_provenance(f, kFormat, kMajor);
  circuit::load_physics(f, m.array, m.mismatch, m.noise);
  for (const auto t : f.integers("/cell/mismatch_term")) m.cell_terms.push_back(static_cast<std::size_t>(t));
  m.branches = static_cast<std::size_t>(f.integer("/", "branches"));
  if (m.branches != 1 && m.branches != 2)
    throw Error(ExitStatus::kArtifact, "E403", path.string() + ": a conversion reads one or two lines");
  const std::string name = f.text("/", "family");
  const Measured measured{.read = m.array.read};
  const FamilyEntry* entry = find_family(name, measured);
  if (entry == nullptr || name == "automatic" || !entry->fits(measured))
    throw Error(ExitStatus::kArtifact, "E403", path.string() + ": column model '" + name + "' is not known here");
  const auto in_switch = std::ranges::count_if(m.mismatch, [](const MismatchTerm& term) { return term.in_switch(); });
  m.family = entry->load(
      f, {m.cell_terms.size(), static_cast<std::size_t>(in_switch), periphery_terms(m.array, m.mismatch).size()});
  if (m.input_levels() != m.array.input.count())
    throw Error(ExitStatus::kArtifact, "E403", path.string() + ": model and array have other input levels");
  circuit::check_levels(f, m.mismatch, m.noise, m.cell_terms, m.levels());
  m.transfer = {f.scalar("/transfer/offset"), f.scalar("/transfer/unit")};
  if (!std::isfinite(m.transfer.offset) || !std::isnormal(m.transfer.unit))
    throw Error(ExitStatus::kArtifact, "E403", path.string() + ": /transfer is no line");
  m.minimum_conductance = f.scalar("/transfer/minimum_conductance");
  m.fit_quality = f.doubles("/fit/tried");
  if (f.has("/fit/labels")) m.fit_labels = f.strings("/fit/labels");  // files of version 3.0 have none
  m.fit_labels.resize(m.fit_quality.size() / 7);
  m.chosen = static_cast<std::size_t>(f.integer("/fit", "chosen"));
  const auto s = f.doubles("/validation/summary", {12});
  auto& v = m.validation;
  v = {s[0],
       s[1],
       s[2],
       s[3],
       s[4],
       s[5],
       s[6],
       s[7],
       s[8],
       s[9],
       s[10],
       s[11],
       f.integer("/validation", "passed") != 0};
  v.mac = f.doubles("/validation/mac");
  const Shape same{v.mac.size()};
  v.model_error = f.doubles("/validation/model_error", same);
  v.circuit_error = f.doubles("/validation/circuit_error", same);
  v.residual = f.doubles("/validation/residual", same);
  return m;
}

}  // namespace errata::behavioral
