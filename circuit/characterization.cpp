#include "circuit/characterization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "circuit/campaign/noise_file.h"
#include "core/random_stream.h"

namespace errata::circuit {

namespace {

using Real = std::span<const double>;

void save_charge(Hdf5Writer& f, const CellSurface& cell, const CellCharge& c) {
  f.write("/cell/axes/final_voltage", Real(c.final_volts), {c.final_volts.size()}, "V");
  f.write("/cell/charge", Real(c.charge_coulombs),
          {cell.input_levels_volts.size(), cell.weight_levels.size(), cell.mismatch_count(), c.final_volts.size()},
          "C");
  if (c.switch_farads.empty()) return;
  const std::vector<std::int64_t> terms(c.switch_terms.begin(), c.switch_terms.end());
  f.write("/switch/load", Real(c.switch_farads), {c.switch_farads.size()}, "F");
  f.write("/switch/mismatch_term", std::span<const std::int64_t>(terms), {terms.size()}, "1");
  f.write("/switch/mismatch_draw", Real(c.switch_points), {terms.empty() ? 0 : c.switch_count(), terms.size()}, "1");
  f.write("/switch/voltage", Real(c.switch_volts), {c.switch_farads.size(), c.switch_count()}, "V");
  f.write("/switch/probe_voltage", Real(c.switch_probe_volts), {c.switch_farads.size()}, "V");
}

void save_cell(Hdf5Writer& f, const CellSurface& c) {
  const std::size_t x = c.input_levels_volts.size(), l = c.weight_levels.size(), m = c.mismatch_count(),
                    s = c.source_line_volts.size(), b = c.bit_line_volts.size();
  f.write("/cell/axes/input_level", Real(c.input_levels_volts), {x}, "V");
  f.write("/cell/axes/weight_level", Real(c.weight_levels), {l}, "1");
  f.write("/cell/axes/bit_line_voltage", Real(c.bit_line_volts), {b}, "V");
  f.write("/cell/axes/source_line_voltage", Real(c.source_line_volts), {s}, "V");
  const std::vector<std::int64_t> terms(c.cell_terms.begin(), c.cell_terms.end());
  f.write("/cell/axes/mismatch_term", std::span<const std::int64_t>(terms), {terms.size()}, "1");
  f.write("/cell/axes/mismatch_draw", Real(c.mismatch_points), {c.cell_terms.empty() ? 0 : m, terms.size()}, "1");
  if (!c.current_amperes.empty()) f.write("/cell/current", Real(c.current_amperes), {x, l, m, s, b}, "A");
  if (!c.noise_square_amperes.empty()) f.write("/cell/noise_variance", Real(c.noise_square_amperes), {x, l}, "A^2");
}

[[noreturn]] void damaged(const Hdf5Reader& f, const std::string& what) {
  throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {}", f.path().string(), what),
              "the file is damaged; run the stage that makes it again");
}

CellCharge load_charge(const Hdf5Reader& f, const CellSurface& cell) {
  CellCharge c;
  c.final_volts = f.doubles("/cell/axes/final_voltage");
  c.charge_coulombs = f.doubles("/cell/charge", {cell.input_levels_volts.size(), cell.weight_levels.size(),
                                                 cell.mismatch_count(), c.final_volts.size()});
  if (!f.has("/switch/load")) return c;
  c.switch_farads = f.doubles("/switch/load");
  for (const auto t : f.integers("/switch/mismatch_term")) c.switch_terms.push_back(static_cast<std::size_t>(t));
  c.switch_points = f.doubles("/switch/mismatch_draw");
  const bool draws =
      c.switch_terms.empty() || (!c.switch_points.empty() && c.switch_points.size() % c.switch_terms.size() == 0);
  if (!draws || c.switch_farads.empty()) damaged(f, "/switch contradicts itself");
  c.switch_volts = f.doubles("/switch/voltage", {c.switch_farads.size(), c.switch_count()});
  c.switch_probe_volts = f.doubles("/switch/probe_voltage", {c.switch_farads.size()});
  return c;
}

CellSurface load_cell(const Hdf5Reader& f) {
  CellSurface c;
  c.input_levels_volts = f.doubles("/cell/axes/input_level");
  c.weight_levels = f.doubles("/cell/axes/weight_level");
  c.bit_line_volts = f.doubles("/cell/axes/bit_line_voltage");
  c.source_line_volts = f.doubles("/cell/axes/source_line_voltage");
  for (const auto t : f.integers("/cell/axes/mismatch_term")) c.cell_terms.push_back(static_cast<std::size_t>(t));
  c.mismatch_points = f.doubles("/cell/axes/mismatch_draw");
  if (f.has("/cell/current"))
    c.current_amperes =
        f.doubles("/cell/current", {c.input_levels_volts.size(), c.weight_levels.size(), c.mismatch_count(),
                                    c.source_line_volts.size(), c.bit_line_volts.size()});
  if (f.has("/cell/noise_variance"))
    c.noise_square_amperes = f.doubles("/cell/noise_variance", {c.input_levels_volts.size(), c.weight_levels.size()});
  const bool axes = c.input_levels_volts.size() >= 2 && c.input_levels_volts.size() <= 256 &&
                    !c.weight_levels.empty() && c.weight_levels.size() <= 256 &&
                    (c.noise_square_amperes.empty() || (!c.bit_line_volts.empty() && !c.source_line_volts.empty()));
  const bool draws =
      c.cell_terms.empty() || (!c.mismatch_points.empty() && c.mismatch_points.size() % c.cell_terms.size() == 0);
  if (!axes || !draws) damaged(f, "/cell contradicts itself");
  return c;
}

void save_columns(Hdf5Writer& f, const ColumnMeasurements& m, const ArrayConstants& array) {
  const std::size_t rows = array.rows;
  std::vector<std::uint8_t> levels, inputs;
  for (const auto& d : m.designs) {
    levels.insert(levels.end(), d.plus.begin(), d.plus.end());
    levels.insert(levels.end(), d.minus.begin(), d.minus.end());
    inputs.insert(inputs.end(), d.inputs.begin(), d.inputs.end());
  }
  const Shape shape{m.chips, m.columns, m.branches, m.operands};
  f.write("/columns/stored_level", std::span<const std::uint8_t>(levels), {m.chips, m.columns, m.branches, rows}, "1");
  f.write("/columns/input_level", std::span<const std::uint8_t>(inputs), {m.chips, m.columns, m.operands, rows}, "1");
  f.write("/columns/output", Real(m.output), shape, array.unit);
  f.write("/columns/status", std::span<const std::uint8_t>(m.status), shape, "1");
  f.write("/columns/noise_variance", Real(m.noise_square), {m.noise_chips, m.columns, m.branches, m.noise_operands},
          fmt::format("{}^2", array.unit));
  save_noise_shares(f, m, array.unit);
  std::vector<std::string> names, units;
  for (std::size_t i = 0; i < m.records.size(); ++i) {
    names.push_back(m.records[i].name);
    units.push_back(m.records[i].unit);
    f.write(fmt::format("/columns/record/{}", i), Real(m.records[i].values), shape, m.records[i].unit);
  }
  f.write_strings("/columns/record_names", names);
  f.write_strings("/columns/record_units", units);
}

ColumnMeasurements load_columns(const Hdf5Reader& f, std::size_t rows) {
  ColumnMeasurements m;
  const Shape shape = f.shape("/columns/output");
  if (shape.size() != 4 || shape[2] < 1 || shape[2] > 2) damaged(f, "/columns/output has no 4 axes");
  m.chips = shape[0];
  m.columns = shape[1];
  m.branches = shape[2];
  m.operands = shape[3];
  const auto levels = f.bytes("/columns/stored_level", {m.chips, m.columns, m.branches, rows});
  const auto inputs = f.bytes("/columns/input_level", {m.chips, m.columns, m.operands, rows});
  for (std::size_t i = 0; i < m.chips * m.columns; ++i) {
    ColumnOperands d;
    d.rows = rows;
    const auto at = levels.begin() + static_cast<std::ptrdiff_t>(m.branches * i * rows);
    const auto count = static_cast<std::ptrdiff_t>(rows);
    d.plus.assign(at, at + count);
    if (m.branches == 2) d.minus.assign(at + count, at + 2 * count);
    d.inputs.assign(inputs.begin() + i * m.operands * rows, inputs.begin() + (i + 1) * m.operands * rows);
    m.designs.push_back(std::move(d));
  }
  m.output = f.doubles("/columns/output");
  m.status = f.bytes("/columns/status", shape);
  const auto names = f.strings("/columns/record_names"), units = f.strings("/columns/record_units");
  for (std::size_t i = 0; i < names.size() && i < units.size(); ++i)
    m.records.push_back({names[i], units[i], f.doubles(fmt::format("/columns/record/{}", i), shape)});
  const Shape noise = f.shape("/columns/noise_variance");
  if (noise.size() != 4 || noise[0] > m.chips || noise[1] != m.columns || noise[2] != m.branches ||
      noise[3] > m.operands)
    damaged(f, "/columns/noise_variance has another shape than the columns");
  m.noise_chips = noise[0];
  m.noise_operands = noise[3];
  m.noise_square = f.doubles("/columns/noise_variance");
  load_noise_shares(f, m);
  return m;
}

}  // namespace

void save_physics(Hdf5Writer& f, const ArrayConstants& a, const std::vector<MismatchTerm>& mismatch,
                  const std::vector<NoiseSource>& noise) {
  f.attribute("/array", "rows", static_cast<std::int64_t>(a.rows));
  f.attribute("/array", "unselected_rows", static_cast<std::int64_t>(a.unselected_rows));
  f.attribute("/array", "dummy_rows", static_cast<std::int64_t>(a.dummy_rows));
  static constexpr const char* kInputUnits[] = {"V", "s", "1"};
  f.attribute("/array", "input_kind", static_cast<std::int64_t>(a.input.kind));
  f.write("/array/input_levels", Real(a.input.levels), {a.input.levels.size()},
          kInputUnits[static_cast<std::size_t>(a.input.kind)]);
  f.write_scalar("/array/input_low", a.input.low_volts, "V");
  f.write_scalar("/array/input_high", a.input.high_volts, "V");
  f.write_scalar("/array/input_period", a.input.period_seconds, "s");
  f.write_scalar("/array/wire_resistance", a.wire_ohms, "Ohm");
  f.write_scalar("/array/source_line_resistance", a.source_line_ohms, "Ohm");
  f.write_scalar("/array/clamp_resistance", a.clamp_ohms, "Ohm");
  f.write_scalar("/array/clamp_voltage", a.clamp_volts, "V");
  f.write_scalar("/array/temperature", a.temperature_kelvin, "K");
  if (a.supply_volts != 0.0) f.write_scalar("/array/supply_voltage", a.supply_volts, "V");
  f.write_scalar("/array/bandwidth", a.bandwidth_hertz, "Hz");
  f.attribute("/array", "read", static_cast<std::int64_t>(a.read));
  f.write_scalar("/array/precharge_voltage", a.precharge_volts, "V");
  f.write_scalar("/array/line_capacitance", a.line_farads, "F");
  f.write_scalar("/array/pulse", a.pulse_seconds, "s");
  f.attribute("/array", "unit", a.unit);
  f.attribute("/array", "complement", std::int64_t{a.complement});
  f.attribute("/mismatch", "count", static_cast<std::int64_t>(mismatch.size()));
  for (std::size_t i = 0; i < mismatch.size(); ++i) {
    const std::string at = fmt::format("/mismatch/{}", i);
    f.write(at + "/sigma", Real(mismatch[i].sigma), {mismatch[i].sigma.size()}, mismatch[i].lognormal ? "1" : "SI");
    f.attribute(at, "name", std::string_view(mismatch[i].name));
    f.attribute(at, "device", std::string_view(mismatch[i].device));
    f.attribute(at, "parameter", std::string_view(mismatch[i].parameter));
    f.attribute(at, "lognormal", std::int64_t{mismatch[i].lognormal});
    f.attribute(at, "uniform", std::int64_t{mismatch[i].uniform});
    f.attribute(at, "scope", static_cast<std::int64_t>(mismatch[i].scope));
    if (!mismatch[i].mix.empty()) f.write(at + "/mix", Real(mismatch[i].mix), {mismatch[i].mix.size()}, "1");
  }
  f.attribute("/noise", "count", static_cast<std::int64_t>(noise.size()));
  for (std::size_t i = 0; i < noise.size(); ++i) {
    const std::string at = fmt::format("/noise/{}", i);
    f.write(at + "/sigma", Real(noise[i].sigma), {noise[i].sigma.size()}, noise[i].cell_relative ? "1" : a.unit);
    f.attribute(at, "name", std::string_view(noise[i].name));
    f.attribute(at, "cell_relative", std::int64_t{noise[i].cell_relative});
    if (noise[i].memory != 0.0) f.attribute(at, "memory", noise[i].memory);
  }
}

void load_physics(const Hdf5Reader& f, ArrayConstants& a, std::vector<MismatchTerm>& mismatch,
                  std::vector<NoiseSource>& noise) {
  const std::int64_t rows = f.integer("/array", "rows");
  if (rows < 1 || rows > 4096) damaged(f, fmt::format("{} rows", rows));
  a.rows = static_cast<std::size_t>(rows);
  const auto extra = [&](const char* name) {
    const std::int64_t n = f.integer("/array", name);
    if (n < 0 || n > 65536) damaged(f, fmt::format("/array: {} = {}", name, n));
    return static_cast<std::size_t>(n);
  };
  a.unselected_rows = extra("unselected_rows");
  a.dummy_rows = extra("dummy_rows");
  const std::int64_t kind = f.integer("/array", "input_kind");
  if (kind < 0 || kind > static_cast<std::int64_t>(InputKind::kPulseCount)) damaged(f, "/array: unknown input kind");
  a.input = {static_cast<InputKind>(kind), f.doubles("/array/input_levels"), f.scalar("/array/input_low"),
             f.scalar("/array/input_high"), f.scalar("/array/input_period")};
  if (a.input.count() < 2 || a.input.count() > 256) damaged(f, "/array/input_levels has an impossible length");
  a.wire_ohms = f.scalar("/array/wire_resistance");
  a.source_line_ohms = f.scalar("/array/source_line_resistance");
  a.clamp_ohms = f.scalar("/array/clamp_resistance");
  a.clamp_volts = f.scalar("/array/clamp_voltage");
  a.temperature_kelvin = f.scalar("/array/temperature");
  a.supply_volts = f.has("/array/supply_voltage") ? f.scalar("/array/supply_voltage") : 0.0;
  a.bandwidth_hertz = f.scalar("/array/bandwidth");
  const std::int64_t read = f.integer("/array", "read");
  if (read < 0 || read > static_cast<std::int64_t>(ReadMode::kCharge)) damaged(f, "/array: unknown way to read");
  a.read = static_cast<ReadMode>(read);
  a.precharge_volts = f.scalar("/array/precharge_voltage");
  a.line_farads = f.scalar("/array/line_capacitance");
  a.pulse_seconds = f.scalar("/array/pulse");
  const std::string unit = f.text("/array", "unit");
  const auto known = std::ranges::find(kOutputUnits, unit);
  if (known == std::end(kOutputUnits)) damaged(f, fmt::format("/array: unknown unit '{}'", unit));
  a.unit = *known;
  a.complement = f.integer("/array", "complement") != 0;
  const auto count = [&](const char* group) {
    const std::int64_t n = f.integer(group, "count");
    if (n < 0 || n > 1000) damaged(f, fmt::format("{}: {} entries", group, n));
    return n;
  };
  for (const double value : {a.wire_ohms, a.source_line_ohms, a.clamp_ohms, a.temperature_kelvin, a.supply_volts,
                             a.bandwidth_hertz, a.line_farads, a.pulse_seconds})
    if (!std::isfinite(value) || value < 0) damaged(f, fmt::format("/array holds {}", value));
  if (!std::isfinite(a.clamp_volts) || !std::isfinite(a.precharge_volts))
    damaged(f, "/array holds a voltage that is no number");
  mismatch.clear();
  for (std::int64_t i = 0; i < count("/mismatch"); ++i) {
    const std::string at = fmt::format("/mismatch/{}", i);
    MismatchTerm t;
    t.name = f.text(at, "name");
    t.device = f.text(at, "device");
    t.parameter = f.text(at, "parameter");
    t.lognormal = f.integer(at, "lognormal") != 0;
    t.uniform = f.integer(at, "uniform") != 0;
    const std::int64_t scope = f.integer(at, "scope");
    if (scope < 0 || scope > static_cast<std::int64_t>(MismatchScope::kChip)) damaged(f, at + ": unknown scope");
    t.scope = static_cast<MismatchScope>(scope);
    t.sigma = f.doubles(at + "/sigma");
    if (t.sigma.empty()) damaged(f, at + "/sigma is empty");
    if (f.has(at + "/mix")) t.mix = f.doubles(at + "/mix", {static_cast<std::size_t>(i) + 1});
    mismatch.push_back(std::move(t));
  }
  noise.clear();
  for (std::int64_t i = 0; i < count("/noise"); ++i) {
    const std::string at = fmt::format("/noise/{}", i);
    NoiseSource s;
    s.name = f.text(at, "name");
    s.cell_relative = f.integer(at, "cell_relative") != 0;
    s.sigma = f.doubles(at + "/sigma");
    if (s.sigma.empty()) damaged(f, at + "/sigma is empty");
    if (f.has_attribute(at, "memory")) s.memory = f.real(at, "memory");
    if (!(s.memory >= 0.0 && s.memory < 1.0)) damaged(f, at + ": memory is no correlation below 1");
    noise.push_back(std::move(s));
  }
}

namespace {

void write(Hdf5Writer& f, const Characterization& c) {
  write_provenance(f, c.provenance);
  f.attribute("/", "simulator", std::string_view(c.simulator));
  f.attribute("/", "suspect_points", c.suspect_points);
  f.attribute("/", "failed_points", c.failed_points);
  f.attribute("/", "remedied_points", c.remedied_points);
  f.attribute("/", "strategy", std::string_view(c.strategy));
  f.write_strings("/trouble", c.trouble);
  f.attribute("/self_check", "points", static_cast<std::int64_t>(c.self_check.points));
  f.write_scalar("/self_check/rms", c.self_check.rms, c.array.unit);
  f.write_scalar("/self_check/maximum", c.self_check.maximum, c.array.unit);
  save_physics(f, c.array, c.mismatch, c.noise);
  save_cell(f, c.cell);
  save_cell_noise(f, c.cell, c.cell_noise);
  f.write_strings("/silent_elements", c.silent_elements);
  if (!c.charge.charge_coulombs.empty()) save_charge(f, c.cell, c.charge);
  save_columns(f, c.columns, c.array);
}

Characterization read(const Hdf5Reader& f) {
  Characterization c;
  c.provenance = read_provenance(f, Characterization::kFormat, Characterization::kMajor);
  c.simulator = f.text("/", "simulator");
  c.suspect_points = f.integer("/", "suspect_points");
  c.failed_points = f.integer("/", "failed_points");
  c.remedied_points = f.integer("/", "remedied_points");
  c.strategy = f.text("/", "strategy");
  c.trouble = f.strings("/trouble");
  c.self_check = {static_cast<std::size_t>(std::max<std::int64_t>(0, f.integer("/self_check", "points"))),
                  f.scalar("/self_check/rms"), f.scalar("/self_check/maximum")};
  load_physics(f, c.array, c.mismatch, c.noise);
  c.cell = load_cell(f);
  c.cell_noise = load_cell_noise(f, c.cell);
  if (f.has("/silent_elements")) c.silent_elements = f.strings("/silent_elements");
  if (f.has("/cell/charge")) c.charge = load_charge(f, c.cell);
  const bool measured = c.array.transient() ? !c.charge.charge_coulombs.empty() : !c.cell.current_amperes.empty();
  if (!c.cell.noise_square_amperes.empty() && !measured)
    damaged(f, c.array.transient() ? "/cell/charge is missing" : "/cell/current is missing");
  for (const auto term : c.charge.switch_terms)
    if (term >= c.mismatch.size()) damaged(f, "/switch has a mismatch term that /mismatch does not list");
  if (c.cell.input_levels_volts.size() != c.array.input.count()) damaged(f, "/cell and /array have other input levels");
  c.columns = load_columns(f, c.array.rows);
  check_levels(f, c.mismatch, c.noise, c.cell.cell_terms, c.cell.weight_levels.size());
  for (const auto& d : c.columns.designs) {
    const auto above = [](const std::vector<std::uint8_t>& values, std::size_t limit) {
      return std::ranges::any_of(values, [limit](std::uint8_t v) { return v >= limit; });
    };
    const std::size_t levels = c.cell.weight_levels.size();
    if (above(d.plus, levels) || above(d.minus, levels) || above(d.inputs, c.array.input.count()))
      damaged(f, "/columns holds levels that the cell does not have");
  }
  return c;
}

}  // namespace

void save_characterizations(std::span<const Characterization> points, const std::filesystem::path& path) {
  Hdf5Writer f(path);
  for (std::size_t k = 0; k < points.size(); ++k) {
    if (k > 0) f.enter(operating_point_group(k));
    write(f, points[k]);
  }
  f.commit();
}

std::vector<Characterization> load_characterizations(const std::filesystem::path& path) {
  std::vector<Characterization> points{Characterization::load(path)};
  for (const Hdf5Reader f(path); f.has(operating_point_group(points.size()));)
    points.push_back(read(Hdf5Reader(path, operating_point_group(points.size()))));
  return points;
}

void Characterization::save(const std::filesystem::path& path) const { save_characterizations({this, 1}, path); }

Characterization Characterization::load(const std::filesystem::path& path) { return read(Hdf5Reader(path)); }

void check_levels(const Hdf5Reader& f, const std::vector<MismatchTerm>& mismatch, const std::vector<NoiseSource>& noise,
                  const std::vector<std::size_t>& cell_terms, std::size_t levels) {
  for (const auto& term : mismatch)
    if (term.sigma.size() != 1 && term.sigma.size() != levels) damaged(f, "/mismatch has a sigma for other levels");
  for (const auto& source : noise)
    if (source.sigma.size() != 1 && source.sigma.size() != levels) damaged(f, "/noise has a sigma for other levels");
  for (const auto term : cell_terms)
    if (term >= mismatch.size()) damaged(f, "the cell has a mismatch term that /mismatch does not list");
}

LineId complement_line(LineId line) { return {line.chip, line.line | (std::uint64_t{1} << 40)}; }

LinePeriphery line_periphery(const ArrayConstants& array, const std::vector<MismatchTerm>& terms, std::uint64_t seed,
                             LineId line) {
  enum { kClampVoltage, kClampResistance, kOffsetCurrent, kPrecharge, kOffsetVoltage, kCount };
  double normal[kCount] = {}, lognormal[kCount] = {};
  LinePeriphery p;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    const MismatchTerm& term = terms[t];
    if (!term.in_periphery()) continue;
    const double draw = unit_draw(seed, term, t, line, 0);
    p.draws.push_back(draw);
    if (term.in_switch()) p.switch_draws.push_back(draw);
    if (term.device.find('.') != std::string::npos) continue;
    const int which = term.device == "precharge"       ? kPrecharge
                      : term.device == "sense"         ? kOffsetVoltage
                      : term.parameter == "voltage"    ? kClampVoltage
                      : term.parameter == "resistance" ? kClampResistance
                                                       : kOffsetCurrent;
    (term.lognormal ? lognormal : normal)[which] += term.sigma_at(0) * draw;
  }
  p.clamp_volts = moved_value(array.clamp_volts, normal[kClampVoltage], lognormal[kClampVoltage]);
  p.clamp_ohms = moved_value(array.clamp_ohms, normal[kClampResistance], lognormal[kClampResistance]);
  p.offset_amperes = normal[kOffsetCurrent];
  p.precharge_volts = moved_value(array.precharge_volts, normal[kPrecharge], lognormal[kPrecharge]);
  p.offset_volts = normal[kOffsetVoltage];
  return p;
}

std::vector<std::uint8_t> whole_line(const ArrayConstants& array, std::size_t levels, std::uint64_t seed, LineId line,
                                     std::span<const std::uint8_t> selectable) {
  std::vector<std::uint8_t> all(selectable.begin(), selectable.end());
  RandomStream stream(seed, StreamPurpose::kOperandWeights, line.line, 1, line.chip);
  for (std::size_t j = 0; j < array.unselected_rows; ++j)
    all.push_back(static_cast<std::uint8_t>(stream.below(levels)));
  all.resize(all.size() + array.dummy_rows, 0);
  return all;
}

LinePeriphery nominal_periphery(const ArrayConstants& array, const std::vector<MismatchTerm>& terms) {
  LinePeriphery p;
  p.clamp_volts = array.clamp_volts;
  p.clamp_ohms = array.clamp_ohms;
  p.precharge_volts = array.precharge_volts;
  for (const auto& term : terms) {
    if (term.in_switch()) p.switch_draws.push_back(0.0);
    if (term.in_periphery()) p.draws.push_back(0.0);
  }
  return p;
}

}  // namespace errata::circuit
