#include "errormodel/error_table.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random_stream.h"

namespace errata::errormodel {

namespace {
using Real = std::span<const double>;

void write_intervals(Hdf5Writer& f, const std::string& name, const std::vector<Interval>& intervals,
                     const char* units) {
  std::vector<double> flat;
  for (const auto& i : intervals) flat.insert(flat.end(), {i.estimate, i.low, i.high});
  f.write(name, Real(flat), {intervals.size(), 3}, units);
}

std::vector<Interval> read_intervals(const Hdf5Reader& f, const std::string& name, std::size_t count) {
  const auto flat = f.doubles(name, {count, 3});
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < count; ++i) intervals.push_back({flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]});
  return intervals;
}
}  // namespace

std::array<double, 3> ErrorTable::phi(double y, double a) const {
  return {basis[0] + basis[1] * y + basis[2] * a, basis[3] + basis[4] * y + basis[5] * a,
          basis[6] + basis[7] * y + basis[8] * a};
}

double ErrorTable::static_sum(const ColumnOperands& o, std::size_t operand) const {
  const std::uint8_t* x = o.input(operand);
  double sum = 0.0;
  for (std::size_t j = 0; j < o.rows; ++j) {
    if (x[j] == 0) continue;
    sum += level[kind(x[j], o.plus[j])];
    if (o.differential()) sum -= level[kind(x[j], o.minus[j])];
  }
  return sum;
}

Covariance ErrorTable::factor(const Covariance& c) {
  Covariance l{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j <= i; ++j) {
      double sum = c[3 * i + j];
      for (int k = 0; k < j; ++k) sum -= l[3 * i + k] * l[3 * j + k];
      if (i == j)
        l[3 * i + i] = sum > 0 ? std::sqrt(sum) : 0.0;
      else
        l[3 * i + j] = l[3 * j + j] > 0 ? sum / l[3 * j + j] : 0.0;
    }
  return l;
}

void ErrorTable::save(const std::filesystem::path& path) const {
  Hdf5Writer f(path);
  write_provenance(f, provenance);
  f.attribute("/", "operands", std::string_view(operands));
  f.attribute("/array", "rows", static_cast<std::int64_t>(rows));
  f.attribute("/array", "levels", static_cast<std::int64_t>(levels));
  f.attribute("/array", "inputs", static_cast<std::int64_t>(inputs));
  f.attribute("/array", "signed_scheme", std::string_view(signed_scheme));
  f.write_scalar("/array/minimum_conductance", minimum_conductance, "level");
  f.write_scalar("/transfer/offset", offset, output_unit);
  f.write_scalar("/transfer/unit", unit, output_unit);
  const std::string op = "/op[0]";
  f.attribute(op, "temperature", temperature_kelvin);
  std::vector<double> y, a;
  for (std::size_t i = 0; i < axes.y_points; ++i) y.push_back(axes.y_at(i));
  for (std::size_t j = 0; j < axes.a_points; ++j) a.push_back(axes.a_at(j));
  f.write("/axes/y", Real(y), {y.size()}, "MAC unit");
  f.write("/axes/a", Real(a), {a.size()}, "level");
  f.attribute("/axes/a", "second_axis", std::string_view(differential() ? "A" : "X1"));
  const Shape grid{y.size(), a.size()};
  f.write(op + "/det/level", Real(level), {inputs - 1, levels}, "MAC unit");
  f.write(op + "/det/mu", Real(mu), grid, "MAC unit");
  f.write(op + "/det/dmu_dy", Real(slope), grid, "1");
  f.write(op + "/static/basis", Real(basis), {3, 3}, "1");
  f.write(op + "/static/chip", Real(chip), {3, 3}, "MAC unit^2");
  f.write(op + "/static/column", Real(column), {3, 3}, "MAC unit^2");
  f.write(op + "/static/cell", Real(cell_sigma), {inputs - 1, levels}, "MAC unit");
  write_intervals(f, op + "/static/chip_interval", chip_interval, "MAC unit^2");
  write_intervals(f, op + "/static/column_interval", column_interval, "MAC unit^2");
  write_intervals(f, op + "/static/cell_interval", cell_interval, "MAC unit^2");
  f.attribute(op + "/static", "columns_used", static_cast<std::int64_t>(columns_used));
  f.write(op + "/dynamic/sigma", Real(dynamic_sigma), grid, "MAC unit");
  f.write_strings(op + "/dynamic/source_names", source_names);
  f.write(op + "/dynamic/sources", Real(source_variance), {source_names.size(), y.size(), a.size()}, "MAC unit^2");
  f.attribute(op + "/dynamic", "distribution", std::string_view("normal"));
  f.attribute("/adc", "bits", static_cast<std::int64_t>(adc.bits));
  f.attribute("/adc", "bipolar", std::int64_t{adc.bipolar});
  f.attribute("/adc", "kind", static_cast<std::int64_t>(adc.kind));
  f.write_scalar("/adc/offset_sigma", adc.offset_sigma, "ADC step");
  f.write_scalar("/adc/gain_sigma", adc.gain_sigma, "1");
  f.write_scalar("/adc/element_sigma", adc.element_sigma, "see docs/formats");
  f.write_scalar("/adc/noise_sigma", adc.noise_sigma, "ADC step");
  f.write_scalar("/adc/range", adc.range, "MAC unit");
  f.write_scalar("/adc/step", adc.step(), "MAC unit");
  const auto codes = static_cast<std::size_t>(1) << adc.bits;
  f.write(op + "/code/pmf", Real(code_pmf), {codes, codes}, "1");
  f.attribute(op + "/code/pmf", "note",
              std::string_view("marginal view P(code | ideal code); it mixes chips and cannot speak of yield"));
  f.write(op + "/support/count", Real(support_count), grid, "1");
  f.write(op + "/support/se", Real(support_error), grid, "MAC unit");
  std::vector<std::uint8_t> mask;
  for (const double c : support_count) mask.push_back(c >= 10.0 ? 1 : 0);
  f.write(op + "/support/mask", std::span<const std::uint8_t>(mask), grid, "1");
  f.write_scalar(op + "/validation/residual_sigma", residual_sigma, "MAC unit");
  f.write_scalar(op + "/validation/extrapolated", extrapolated, "1");
  f.commit();
}

ErrorTable ErrorTable::load(const std::filesystem::path& path) {
  const Hdf5Reader f(path);
  ErrorTable t;
  t.provenance = read_provenance(f, kFormat, kMajor);
  t.operands = f.text("/", "operands");
  const auto bounded = [&](const char* object, const char* name, std::int64_t low, std::int64_t high) {
    const std::int64_t value = f.integer(object, name);
    if (value < low || value > high)
      throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {} {} = {}", path.string(), object, name, value));
    return value;
  };
  t.rows = static_cast<std::size_t>(bounded("/array", "rows", 1, 4096));
  t.levels = static_cast<std::size_t>(bounded("/array", "levels", 2, 256));
  t.inputs = static_cast<std::size_t>(bounded("/array", "inputs", 2, 256));
  t.signed_scheme = f.text("/array", "signed_scheme");
  t.minimum_conductance = f.scalar("/array/minimum_conductance");
  t.offset = f.scalar("/transfer/offset");
  t.output_unit = f.units("/transfer/unit");
  t.unit = f.scalar("/transfer/unit");
  const std::string op = "/op[0]";
  t.temperature_kelvin = f.real(op, "temperature");
  const auto y = f.doubles("/axes/y"), a = f.doubles("/axes/a");
  if (y.size() < 2 || a.size() < 2 || !(y.back() > y.front()) || !(a.back() > a.front()))
    throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: the axes are damaged", path.string()));
  t.axes = {y.front(), y.back(), a.front(), a.back(), y.size(), a.size()};
  const Shape grid{y.size(), a.size()};
  t.level = f.doubles(op + "/det/level", {t.inputs - 1, t.levels});
  t.mu = f.doubles(op + "/det/mu", grid);
  t.slope = f.doubles(op + "/det/dmu_dy", grid);
  const auto matrix = [&](const std::string& name) {
    const auto v = f.doubles(name, {3, 3});
    Covariance c;
    std::copy(v.begin(), v.end(), c.begin());
    return c;
  };
  t.basis = matrix(op + "/static/basis");
  t.chip = matrix(op + "/static/chip");
  t.column = matrix(op + "/static/column");
  t.cell_sigma = f.doubles(op + "/static/cell", {t.inputs - 1, t.levels});
  t.chip_interval = read_intervals(f, op + "/static/chip_interval", 6);
  t.column_interval = read_intervals(f, op + "/static/column_interval", 6);
  t.cell_interval = read_intervals(f, op + "/static/cell_interval", t.kinds());
  t.columns_used = static_cast<std::size_t>(std::max<std::int64_t>(1, f.integer(op + "/static", "columns_used")));
  t.dynamic_sigma = f.doubles(op + "/dynamic/sigma", grid);
  t.source_names = f.strings(op + "/dynamic/source_names");
  t.source_variance = f.doubles(op + "/dynamic/sources", {t.source_names.size(), y.size(), a.size()});
  t.adc.bits = static_cast<int>(bounded("/adc", "bits", 1, 16));
  t.adc.range = f.scalar("/adc/range");
  t.adc.bipolar = f.integer("/adc", "bipolar") != 0;
  t.adc.kind = static_cast<AdcKind>(bounded("/adc", "kind", 0, 2));
  t.adc.offset_sigma = f.scalar("/adc/offset_sigma");
  t.adc.gain_sigma = f.scalar("/adc/gain_sigma");
  t.adc.element_sigma = f.scalar("/adc/element_sigma");
  t.adc.noise_sigma = f.scalar("/adc/noise_sigma");
  if (!(t.adc.range > 0)) throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: /adc/range", path.string()));
  const auto codes = static_cast<std::size_t>(1) << t.adc.bits;
  t.code_pmf = f.doubles(op + "/code/pmf", {codes, codes});
  t.support_count = f.doubles(op + "/support/count", grid);
  t.support_error = f.doubles(op + "/support/se", grid);
  t.residual_sigma = f.scalar(op + "/validation/residual_sigma");
  if (f.has(op + "/validation/extrapolated")) t.extrapolated = f.scalar(op + "/validation/extrapolated");
  return t;
}

StaticColumn draw_static_column(const ErrorTable& t, std::uint64_t seed, std::uint64_t chip, std::uint64_t column,
                                std::span<const std::uint8_t> plus, std::span<const std::uint8_t> minus) {
  const Covariance lc = ErrorTable::factor(t.chip), lk = ErrorTable::factor(t.column);
  RandomStream chip_stream(seed, StreamPurpose::kTableChip, 0, 0, chip);
  RandomStream column_stream(seed, StreamPurpose::kTableColumn, column, 0, chip);
  double nc[3], nk[3], theta[3] = {0, 0, 0};
  for (double& n : nc) n = chip_stream.normal();
  for (double& n : nk) n = column_stream.normal();
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j <= i; ++j) theta[i] += lc[3 * i + j] * nc[j] + lk[3 * i + j] * nk[j];
  // (C + K)·φ with φ = basis·[1, y, a] is a constant, a gain on y and a gain on a; the gains fold into the rows.
  double on[3] = {0, 0, 0};
  for (int k = 0; k < 3; ++k)
    for (int i = 0; i < 3; ++i) on[k] += theta[i] * t.basis[3 * i + k];
  StaticColumn s;
  s.offset = on[0];
  const std::size_t rows = plus.size();
  s.weight.resize((t.inputs - 1) * rows);
  s.drive.resize(rows);
  RandomStream cells(seed, StreamPurpose::kTableCell, column, 0, chip);
  for (std::size_t j = 0; j < rows; ++j) {
    const double zp = cells.normal(), zm = cells.normal();
    const bool pair = !minus.empty();
    s.drive[j] = pair ? plus[j] + minus[j] + 2 * t.minimum_conductance : 1.0;
    const double gain = on[1] * (double{1} * plus[j] - (pair ? minus[j] : 0)) + on[2] * s.drive[j];
    for (std::size_t x = 1; x < t.inputs; ++x) {
      const std::size_t p = t.kind(x, plus[j]);
      double weight = t.level[p] + t.cell_sigma[p] * zp;
      if (pair) {
        const std::size_t m = t.kind(x, minus[j]);
        weight -= t.level[m] + t.cell_sigma[m] * zm;
      }
      s.weight[(x - 1) * rows + j] = weight + static_cast<double>(x) * gain;
    }
  }
  return s;
}

}  // namespace errata::errormodel
