#include "behavioral/model.h"

#include <cmath>

#include "core/quantity.h"

namespace errata::behavioral {

namespace {

using Real = std::span<const double>;

/// Second-order expansion around the clamp voltage from values at three (six) biases: exact there, and within
/// about 1e-5 between, where the cubic term of the cell's current is all that is left.
CellExpansion expand_cell(const CellModel& cell, std::size_t input, std::size_t level, double clamp_volts, Real draws) {
  const double d1 = -0.14 * clamp_volts, d2 = 2 * d1;
  const auto at = [&](double drop, double rise) { return cell.current(input, level, clamp_volts + drop, rise, draws); };
  CellExpansion e;
  e.a = at(0, 0);
  const double f1 = at(d1, 0), f2 = at(d2, 0);
  e.c = (f2 - 2 * f1 + e.a) / (2 * d1 * d1);
  e.b = (f1 - e.a) / d1 - e.c * d1;
  if (!cell.source_axis) return e;
  const double s1 = -d1, s2 = -d2;
  const double g1 = at(0, s1), g2 = at(0, s2);
  e.r = (g2 - 2 * g1 + e.a) / (2 * s1 * s1);
  e.p = (g1 - e.a) / s1 - e.r * s1;
  e.q = (at(d1, s1) - e.a - e.b * d1 - e.c * d1 * d1 - e.p * s1 - e.r * s1 * s1) / (d1 * s1);
  return e;
}

}  // namespace

PreparedLine BehavioralModel::expand(const circuit::LinePeriphery& periphery, std::span<const std::uint8_t> levels,
                                     Real draws) const {
  PreparedLine line;
  line.rows = levels.size();
  line.clamp_volts = periphery.clamp_volts;
  line.clamp_ohms = periphery.clamp_ohms;
  line.offset_amperes = periphery.offset_amperes;
  line.wire_ohms = array.wire_ohms;
  line.source_line_ohms = array.source_line_ohms;
  line.levels.assign(levels.begin(), levels.end());
  line.off.resize(line.rows);
  line.on.resize(line.rows);
  const std::size_t terms = cell.terms;
  for (std::size_t j = 0; j < line.rows; ++j) {
    const Real z = draws.subspan(j * terms, terms);
    line.off[j] = expand_cell(cell, 0, levels[j], line.clamp_volts, z);
    line.on[j] = expand_cell(cell, 1, levels[j], line.clamp_volts, z);
  }
  return line;
}

PreparedLine BehavioralModel::prepare(std::uint64_t seed, LineId line, std::span<const std::uint8_t> levels) const {
  std::vector<double> draws(levels.size() * cell_terms.size());
  for (std::size_t j = 0; j < levels.size(); ++j)
    for (std::size_t t = 0; t < cell_terms.size(); ++t)
      draws[j * cell_terms.size() + t] = unit_draw(seed, mismatch[cell_terms[t]], cell_terms[t], line, j);
  return expand(circuit::line_periphery(array, mismatch, seed, line), levels, draws);
}

PreparedLine BehavioralModel::prepare_nominal(std::span<const std::uint8_t> levels) const {
  const std::vector<double> draws(levels.size() * cell_terms.size(), 0.0);
  return expand({array.clamp_volts, array.clamp_ohms, 0.0}, levels, draws);
}

std::vector<double> BehavioralModel::noise_variances(const PreparedLine& line, const std::uint8_t* inputs) const {
  LineSensitivity s;
  solve_line(line, inputs, s);
  std::vector<double> variances(1 + noise.size(), 0.0);
  const double clamp_noise =
      4 * kBoltzmannJoulesPerKelvin * array.temperature_kelvin * line.clamp_ohms * array.bandwidth_hertz;
  variances[0] = clamp_noise * s.transfer_conductance * s.transfer_conductance;
  for (std::size_t j = 0; j < line.rows; ++j) {
    const double gain = s.injection_gain[j] * s.injection_gain[j];
    variances[0] += gain * thermal_square_amperes[inputs[j] * cell.levels + line.levels[j]];
    if (inputs[j] == 0) continue;
    for (std::size_t n = 0; n < noise.size(); ++n) {
      if (!noise[n].cell_relative) continue;
      const double sigma = noise[n].sigma_at(line.levels[j]) * s.cell_amperes[j];
      variances[1 + n] += gain * sigma * sigma;
    }
  }
  for (std::size_t n = 0; n < noise.size(); ++n)
    if (!noise[n].cell_relative) variances[1 + n] = noise[n].sigma_at(0) * noise[n].sigma_at(0);
  return variances;
}

ReadNoise BehavioralModel::read_noise(const PreparedLine& line) const {
  ReadNoise n;
  n.idle_current = line.offset_amperes;
  n.clamp_volts = line.clamp_volts;
  n.clamp = 4 * kBoltzmannJoulesPerKelvin * array.temperature_kelvin * line.clamp_ohms * array.bandwidth_hertz;
  for (const auto& source : noise)
    if (!source.cell_relative) n.output += source.sigma_at(0) * source.sigma_at(0);
  for (std::size_t j = 0; j < line.rows; ++j) {
    const double off = thermal_square_amperes[line.levels[j]];
    n.idle_thermal += off;
    n.idle_current += line.off[j].a;
    n.thermal.push_back(thermal_square_amperes[cell.levels + line.levels[j]] - off);
    n.current.push_back(line.on[j].a - line.off[j].a);
    double relative = 0.0;
    for (const auto& source : noise)
      if (source.cell_relative) relative += std::pow(source.sigma_at(line.levels[j]) * line.on[j].a, 2);
    n.relative.push_back(relative);
  }
  return n;
}

std::vector<std::string> BehavioralModel::noise_names() const {
  std::vector<std::string> names{"thermal"};
  for (const auto& source : noise) names.push_back(source.name);
  return names;
}

void BehavioralModel::save(const std::filesystem::path& path) const {
  Hdf5Writer f(path);
  write_provenance(f, provenance);
  circuit::save_physics(f, array, mismatch, noise);
  const std::vector<std::int64_t> terms(cell_terms.begin(), cell_terms.end());
  f.write("/cell/mismatch_term", std::span<const std::int64_t>(terms), {terms.size()}, "1");
  f.attribute("/cell", "inputs", static_cast<std::int64_t>(cell.inputs));
  f.attribute("/cell", "levels", static_cast<std::int64_t>(cell.levels));
  f.attribute("/cell", "degree", static_cast<std::int64_t>(cell.degree));
  f.attribute("/cell", "source_axis", std::int64_t{cell.source_axis});
  f.attribute("/cell", "center_volts", cell.center_volts);
  f.attribute("/cell", "scale_volts", cell.scale_volts);
  f.attribute("/cell", "mismatch_range", cell.mismatch_range);
  f.attribute("/cell", "lowest_volts", cell.lowest_volts);
  f.attribute("/cell", "highest_volts", cell.highest_volts);
  f.write("/cell/exponents", std::span<const std::uint8_t>(cell.exponents), {cell.monomials(), cell.variables()}, "1");
  f.write("/cell/coefficients", Real(cell.coefficients), {cell.inputs, cell.levels, cell.monomials()}, "1");
  f.write("/cell/thermal_variance", Real(thermal_square_amperes), {cell.inputs, cell.levels}, "A^2");
  f.write_scalar("/transfer/offset", transfer.offset_amperes, "A");
  f.write_scalar("/transfer/unit", transfer.unit_amperes, "A");
  f.write_scalar("/transfer/minimum_conductance", minimum_conductance, "level");
  f.write("/fit/tried", Real(fit_quality), {fit_quality.size() / 7, 7}, "1");
  f.attribute("/fit", "chosen", static_cast<std::int64_t>(chosen));
  f.attribute(
      "/fit", "columns",
      std::string_view("degree, rms, maximum, held_out_rms, held_out_maximum, condition, parameter_half_width"));
  const auto& v = validation;
  const double summary[] = {v.rms,         v.rms_low,    v.rms_high,       v.maximum,
                            v.bias,        v.r_squared,  v.worst_chip_rms, v.worst_operand_rms,
                            v.total_sigma, v.full_scale, v.unit_amperes,   v.noise_ratio};
  f.write("/validation/summary", Real(summary), {std::size(summary)}, "see columns");
  f.attribute("/validation", "columns",
              std::string_view("rms, rms_low, rms_high, maximum, bias, r_squared, worst_chip_rms, worst_operand_rms, "
                               "total_sigma, full_scale, unit_amperes, noise_ratio"));
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
  CellModel& c = m.cell;
  c.inputs = static_cast<std::size_t>(f.integer("/cell", "inputs"));
  c.levels = static_cast<std::size_t>(f.integer("/cell", "levels"));
  c.terms = m.cell_terms.size();
  c.degree = static_cast<int>(f.integer("/cell", "degree"));
  c.source_axis = f.integer("/cell", "source_axis") != 0;
  c.center_volts = f.real("/cell", "center_volts");
  c.scale_volts = f.real("/cell", "scale_volts");
  c.mismatch_range = f.real("/cell", "mismatch_range");
  c.lowest_volts = f.real("/cell", "lowest_volts");
  c.highest_volts = f.real("/cell", "highest_volts");
  c.exponents = f.bytes("/cell/exponents");
  const bool sane = c.inputs == 2 && c.levels >= 2 && c.levels <= 256 && c.degree >= 0 && c.degree < 8 &&
                    c.variables() <= CellModel::kMostVariables && c.exponents.size() % c.variables() == 0 &&
                    c.scale_volts > 0 && c.mismatch_range > 0;
  if (!sane)
    throw Error(ExitStatus::kArtifact, "E403", path.string() + ": the cell model's description contradicts itself");
  for (const auto e : c.exponents)
    if (e > c.degree) throw Error(ExitStatus::kArtifact, "E403", path.string() + ": /cell/exponents is damaged");
  circuit::check_levels(f, m.mismatch, m.noise, m.cell_terms, c.levels);
  c.coefficients = f.doubles("/cell/coefficients", {c.inputs, c.levels, c.monomials()});
  m.thermal_square_amperes = f.doubles("/cell/thermal_variance", {c.inputs, c.levels});
  m.transfer = {f.scalar("/transfer/offset"), f.scalar("/transfer/unit")};
  if (!std::isfinite(m.transfer.offset_amperes) || !std::isnormal(m.transfer.unit_amperes))
    throw Error(ExitStatus::kArtifact, "E403", path.string() + ": /transfer is no line");
  m.minimum_conductance = f.scalar("/transfer/minimum_conductance");
  m.fit_quality = f.doubles("/fit/tried");
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
