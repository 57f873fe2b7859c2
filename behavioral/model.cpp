#include "behavioral/model.h"

#include <fmt/format.h>

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

namespace {

void save_parameters(Hdf5Writer& f, const std::vector<FittedParameter>& parameters) {
  std::vector<std::string> regressions, names;
  std::vector<double> numbers;
  for (const auto& p : parameters) {
    regressions.push_back(p.regression);
    names.push_back(p.name);
    numbers.insert(numbers.end(), {p.interval.estimate, p.interval.low, p.interval.high, p.condition_number,
                                   p.identifiable ? 1.0 : 0.0});
  }
  f.write("/fit/parameters", Real(numbers), {parameters.size(), 5}, "of each regression");
  f.attribute("/fit/parameters", "columns", std::string_view("estimate, low, high, condition, identifiable"));
  f.write_strings("/fit/parameter_names", names);
  f.write_strings("/fit/parameter_regressions", regressions);
}

std::vector<FittedParameter> load_parameters(const Hdf5Reader& f) {
  if (!f.has("/fit/parameters")) return {};  // files before version 3.2
  const auto names = f.strings("/fit/parameter_names"), regressions = f.strings("/fit/parameter_regressions");
  const auto numbers = f.doubles("/fit/parameters", {names.size(), 5});
  if (regressions.size() != names.size())
    throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": /fit/parameter_regressions has another length");
  std::vector<FittedParameter> parameters;
  for (std::size_t k = 0; k < names.size(); ++k) {
    const double* n = numbers.data() + 5 * k;
    parameters.push_back({regressions[k], names[k], {n[0], n[1], n[2]}, n[3], n[4] != 0.0});
  }
  return parameters;
}

void save_curves(Hdf5Writer& f, const std::vector<CurveFit>& curves) {
  for (const CurveFit& c : curves) {
    const std::string at = fmt::format("/curve/{}", form_name(c.curve.form));
    std::vector<double> numbers;
    for (const Interval& i : c.parameters) numbers.insert(numbers.end(), {i.estimate, i.low, i.high});
    f.write(at, Real(numbers), {c.parameters.size(), 3}, "1");
    f.attribute(at, "full_scale", c.full_scale);
    f.attribute(at, "rms", c.rms);
    f.attribute(at, "maximum", c.maximum);
    f.attribute(at, "condition", c.condition_number);
    f.attribute(at, "converged", std::int64_t{c.converged});
  }
}

std::vector<CurveFit> load_curves(const Hdf5Reader& f) {
  std::vector<CurveFit> curves;
  for (const CurveForm form : {CurveForm::kPolynomial, CurveForm::kRational, CurveForm::kTanh}) {
    const std::string at = fmt::format("/curve/{}", form_name(form));
    if (!f.has(at)) continue;
    const std::size_t count = curve_parameter_names(form).size();
    const auto numbers = f.doubles(at, {count, 3});
    CurveFit c{.curve = {form, {}},
               .full_scale = f.real(at, "full_scale"),
               .parameters = {},
               .rms = f.real(at, "rms"),
               .maximum = f.real(at, "maximum"),
               .condition_number = f.real(at, "condition"),
               .converged = f.integer(at, "converged") != 0};
    for (std::size_t k = 0; k < count; ++k) {
      c.parameters.push_back({numbers[3 * k], numbers[3 * k + 1], numbers[3 * k + 2]});
      c.curve.parameters[k] = numbers[3 * k];
    }
    curves.push_back(std::move(c));
  }
  return curves;
}

void write(Hdf5Writer& f, const BehavioralModel& m) {
  write_provenance(f, m.provenance);
  circuit::save_physics(f, m.array, m.mismatch, m.noise);
  const std::vector<std::int64_t> terms(m.cell_terms.begin(), m.cell_terms.end());
  f.write("/cell/mismatch_term", std::span<const std::int64_t>(terms), {terms.size()}, "1");
  f.attribute("/", "family", std::string_view(m.family->name()));
  f.attribute("/", "branches", static_cast<std::int64_t>(m.branches));
  m.family->save(f);
  f.write_scalar("/transfer/offset", m.transfer.offset, m.array.unit);
  f.write_scalar("/transfer/unit", m.transfer.unit, m.array.unit);
  f.write_scalar("/transfer/minimum_conductance", m.minimum_conductance, "level");
  f.write("/fit/tried", Real(m.fit_quality), {m.fit_quality.size() / 7, 7}, "1");
  f.write_strings("/fit/labels", m.fit_labels);
  f.attribute("/fit", "chosen", static_cast<std::int64_t>(m.chosen));
  f.attribute(
      "/fit", "columns",
      std::string_view("degree, rms, maximum, held_out_rms, held_out_maximum, condition, parameter_half_width"));
  save_parameters(f, m.parameters);
  save_curves(f, m.curves);
  const auto& v = m.validation;
  const double summary[] = {v.rms,         v.rms_low,    v.rms_high,       v.maximum,
                            v.bias,        v.r_squared,  v.worst_chip_rms, v.worst_operand_rms,
                            v.total_sigma, v.full_scale, v.unit,           v.noise_ratio};
  f.write("/validation/summary", Real(summary), {std::size(summary)}, "see columns");
  f.attribute("/validation", "columns",
              std::string_view("rms, rms_low, rms_high, maximum, bias, r_squared, worst_chip_rms, worst_operand_rms, "
                               "total_sigma, full_scale, unit, noise_ratio"));
  f.attribute("/validation", "passed", std::int64_t{v.passed});
  if (std::isfinite(v.interpolation_rms))
    f.write_scalar("/validation/interpolation_rms", v.interpolation_rms, "MAC unit");
  f.write("/validation/mac", Real(v.mac), {v.mac.size()}, "MAC unit");
  f.write("/validation/model_error", Real(v.model_error), {v.mac.size()}, "MAC unit");
  f.write("/validation/circuit_error", Real(v.circuit_error), {v.mac.size()}, "MAC unit");
  f.write("/validation/residual", Real(v.residual), {v.mac.size()}, "MAC unit");
}

BehavioralModel read(const Hdf5Reader& f) {
  const auto& path = f.path();
  BehavioralModel m;
  m.provenance = read_provenance(f, BehavioralModel::kFormat, BehavioralModel::kMajor);
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
  m.parameters = load_parameters(f);
  m.curves = load_curves(f);
  const auto s = f.doubles("/validation/summary", {12});
  auto& v = m.validation;
  double* const numbers[] = {&v.rms,         &v.rms_low,    &v.rms_high,       &v.maximum,
                             &v.bias,        &v.r_squared,  &v.worst_chip_rms, &v.worst_operand_rms,
                             &v.total_sigma, &v.full_scale, &v.unit,           &v.noise_ratio};
  for (std::size_t i = 0; i < s.size(); ++i) *numbers[i] = s[i];
  v.passed = f.integer("/validation", "passed") != 0;
  if (f.has("/validation/interpolation_rms")) v.interpolation_rms = f.scalar("/validation/interpolation_rms");
  v.mac = f.doubles("/validation/mac");
  const Shape same{v.mac.size()};
  v.model_error = f.doubles("/validation/model_error", same);
  v.circuit_error = f.doubles("/validation/circuit_error", same);
  v.residual = f.doubles("/validation/residual", same);
  return m;
}

}  // namespace

void save_models(std::span<const BehavioralModel> points, const std::filesystem::path& path) {
  Hdf5Writer f(path);
  for (std::size_t k = 0; k < points.size(); ++k) {
    if (k > 0) f.enter(operating_point_group(k));
    write(f, points[k]);
  }
  f.commit();
}

std::vector<BehavioralModel> load_models(const std::filesystem::path& path) {
  std::vector<BehavioralModel> points{BehavioralModel::load(path)};
  for (const Hdf5Reader f(path); f.has(operating_point_group(points.size()));)
    points.push_back(read(Hdf5Reader(path, operating_point_group(points.size()))));
  return points;
}

void BehavioralModel::save(const std::filesystem::path& path) const { save_models({this, 1}, path); }

BehavioralModel BehavioralModel::load(const std::filesystem::path& path) { return read(Hdf5Reader(path)); }

}  // namespace errata::behavioral
