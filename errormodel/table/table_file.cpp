// error_table.h5, docs/formats/error-table.md.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "errormodel/error_table.h"

namespace errata::errormodel {

namespace {

using Real = std::span<const double>;

constexpr double kSupported = 10.0;  // observations from which on a node is marked as supported

std::string group_of(std::size_t point) { return fmt::format("/op[{}]", point); }

[[noreturn]] void damaged(const std::filesystem::path& path, const std::string& what) {
  throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {}", path.string(), what),
              "the file is damaged or was made by something else; make it again");
}

void write_intervals(Hdf5Writer& f, const std::string& name, const std::vector<Interval>& intervals) {
  std::vector<double> flat;
  for (const auto& i : intervals) flat.insert(flat.end(), {i.estimate, i.low, i.high});
  f.write(name, Real(flat), {intervals.size(), 3}, "MAC unit^2");
}

std::vector<Interval> read_intervals(const Hdf5Reader& f, const std::string& name, std::size_t count) {
  const auto flat = f.doubles(name, {count, 3});
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < count; ++i) intervals.push_back({flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]});
  return intervals;
}

/// Nodes of an axis; readers of a uniform one need both ends and the number only.
std::vector<double> nodes_of(double low, double high, std::size_t points) {
  std::vector<double> nodes;
  for (std::size_t i = 0; i < points; ++i)
    nodes.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(points - 1));
  nodes.back() = high;  // not low + (high − low), which rounding may move: axes survive any number of files
  return nodes;
}

void write_shared(Hdf5Writer& f, const ErrorTable& t) {
  write_provenance(f, t.provenance);
  f.attribute("/", "operands", std::string_view(t.operands));
  f.attribute("/array", "rows", static_cast<std::int64_t>(t.rows));
  f.attribute("/array", "levels", static_cast<std::int64_t>(t.levels));
  f.attribute("/array", "inputs", static_cast<std::int64_t>(t.inputs));
  f.attribute("/array", "signed_scheme", std::string_view(t.signed_scheme));
  f.write_scalar("/array/minimum_conductance", t.minimum_conductance, "level");
  f.write_scalar("/transfer/offset", t.offset, t.output_unit);
  f.write_scalar("/transfer/unit", t.unit, t.output_unit);
  const auto y = nodes_of(t.axes.y_low, t.axes.y_high, t.axes.y_points),
             a = nodes_of(t.axes.a_low, t.axes.a_high, t.axes.a_points);
  f.write("/axes/y", Real(y), {y.size()}, "MAC unit");
  f.write("/axes/a", Real(a), {a.size()}, "level");
  f.attribute("/axes/a", "second_axis", std::string_view(t.differential() ? "A" : "X1"));
  f.attribute("/adc", "bits", static_cast<std::int64_t>(t.adc.bits));
  f.attribute("/adc", "bipolar", std::int64_t{t.adc.bipolar});
  f.attribute("/adc", "kind", static_cast<std::int64_t>(t.adc.kind));
  f.write_scalar("/adc/offset_sigma", t.adc.offset_sigma, "ADC step");
  f.write_scalar("/adc/gain_sigma", t.adc.gain_sigma, "1");
  f.write_scalar("/adc/element_sigma", t.adc.element_sigma, "see docs/formats");
  f.write_scalar("/adc/noise_sigma", t.adc.noise_sigma, "ADC step");
  f.write_scalar("/adc/range", t.adc.range, "MAC unit");
  f.write_scalar("/adc/step", t.adc.step(), "MAC unit");
}

void write_static(Hdf5Writer& f, const std::string& op, const ErrorTable& t) {
  const Shape kinds{t.inputs - 1, t.levels};
  f.write(op + "/static/basis", Real(t.basis), {3, 3}, "1");
  f.write(op + "/static/chip", Real(t.chip), {3, 3}, "MAC unit^2");
  f.write(op + "/static/column", Real(t.column), {3, 3}, "MAC unit^2");
  f.write(op + "/static/cell", Real(t.cell_sigma), kinds, "MAC unit");
  write_intervals(f, op + "/static/chip_interval", t.chip_interval);
  write_intervals(f, op + "/static/column_interval", t.column_interval);
  write_intervals(f, op + "/static/cell_interval", t.cell_interval);
  f.attribute(op + "/static", "columns_used", static_cast<std::int64_t>(t.columns_used));
  f.attribute(op + "/static", "chips_used", static_cast<std::int64_t>(t.chips_used));
  f.attribute(op + "/static", "cells_separated", std::int64_t{t.cells_separated});
  if (t.drift.present()) {
    f.write(op + "/drift/exponent", Real(t.drift.exponent), {t.levels}, "1");
    f.write(op + "/drift/exponent_sigma", Real(t.drift.exponent_sigma), {t.levels}, "1");
    f.write_scalar(op + "/drift/reference_time", t.drift.reference_seconds, "s");
  }
  if (t.faults.present()) {
    f.write_scalar(op + "/faults/lowest", t.faults.lowest, "1");
    f.write_scalar(op + "/faults/highest", t.faults.highest, "1");
  }
}

void write_dynamic(Hdf5Writer& f, const std::string& op, const ErrorTable& t) {
  const Shape grid{t.axes.y_points, t.axes.a_points};
  const std::size_t sources = t.source_names.size();
  f.write(op + "/dynamic/sigma", Real(t.dynamic_sigma), grid, "MAC unit");
  f.write_strings(op + "/dynamic/source_names", t.source_names);
  f.write(op + "/dynamic/sources", Real(t.source_variance), {sources, grid[0], grid[1]}, "MAC unit^2");
  if (!t.source_memory.empty()) f.write(op + "/dynamic/corr", Real(t.source_memory), {sources}, "1");
  const bool normal = t.dynamic_quantiles.empty();
  f.attribute(op + "/dynamic", "distribution", std::string_view(normal ? "normal" : "quantiles"));
  if (normal) return;
  f.write(op + "/dynamic/quantiles", Real(t.dynamic_quantiles), {t.dynamic_quantiles.size()}, "1");
  f.attribute(op + "/dynamic/quantiles", "largest_score", ErrorTable::kLargestScore);
}

void write_point(Hdf5Writer& f, const std::string& op, const ErrorTable& t) {
  const Shape grid{t.axes.y_points, t.axes.a_points};
  f.attribute(op, "temperature", t.temperature_kelvin);
  f.attribute(op, "supply", t.supply_volts);
  f.attribute(op, "corner", std::string_view(t.corner));
  f.attribute(op, "minimum_conductance", t.minimum_conductance);
  f.write(op + "/det/level", Real(t.level), {t.inputs - 1, t.levels}, "MAC unit");
  f.write(op + "/det/mu", Real(t.mu), grid, "MAC unit");
  f.write(op + "/det/dmu_dy", Real(t.slope), grid, "1");
  write_static(f, op, t);
  write_dynamic(f, op, t);
  if (!t.code_pmf.empty()) {
    const std::vector<float> pmf(t.code_pmf.begin(), t.code_pmf.end());
    const auto codes = static_cast<std::size_t>(t.adc.codes());
    f.write(op + "/code/pmf", std::span<const float>(pmf), {codes, codes}, "1");
    f.attribute(op + "/code/pmf", "note",
                std::string_view("marginal view P(code | ideal code); it mixes chips and cannot speak of yield"));
  }
  if (!t.marginal_shift.empty()) {
    f.write(op + "/code/marginal_shift", Real(t.marginal_shift), grid, "MAC unit");
    f.write(op + "/code/marginal_cell_variance", Real(t.marginal_cell_variance), grid, "MAC unit^2");
  }
  f.write(op + "/support/count", Real(t.support_count), grid, "1");
  f.write(op + "/support/se", Real(t.support_error), grid, "MAC unit");
  std::vector<std::uint8_t> mask;
  for (const double c : t.support_count) mask.push_back(c >= kSupported ? 1 : 0);
  f.write(op + "/support/mask", std::span<const std::uint8_t>(mask), grid, "1");
  f.write_scalar(op + "/validation/residual_sigma", t.residual_sigma, "MAC unit");
  f.write_scalar(op + "/validation/extrapolated", t.extrapolated, "1");
  save_record(f, op + "/estimation", t.record);
}

/// Reads one file; what does not depend on the operating point only once.
class TableReader {
 public:
  explicit TableReader(const std::filesystem::path& path) : f_(path) {
    shared_.provenance = read_provenance(f_, ErrorTable::kFormat, ErrorTable::kMajor);
    read_array();
    read_axes();
    read_adc();
  }

  std::size_t points() const {
    std::size_t count = 0;
    for (const auto& name : f_.children("/")) count += name.starts_with("op[") ? 1 : 0;
    constexpr std::size_t kMost = 256;
    if (count == 0 || count > kMost) damaged(f_.path(), fmt::format("it has {} operating points", count));
    return count;
  }

  ErrorTable point(std::size_t k) const {
    const std::string op = group_of(k);
    if (!f_.has(op)) damaged(f_.path(), fmt::format("operating point {} is missing", op));
    ErrorTable t = shared_;
    t.temperature_kelvin = f_.real(op, "temperature");
    if (f_.has_attribute(op, "supply")) t.supply_volts = f_.real(op, "supply");
    if (f_.has_attribute(op, "corner")) t.corner = f_.text(op, "corner");
    if (f_.has_attribute(op, "minimum_conductance")) t.minimum_conductance = f_.real(op, "minimum_conductance");
    read_terms(op, t);
    read_dynamic(op, t);
    read_views(op, t);
    if (const std::string fault = table_fault(t); !fault.empty()) damaged(f_.path(), fmt::format("{}: {}", op, fault));
    return t;
  }

 private:
  std::size_t bounded(const char* object, const char* name, std::int64_t low, std::int64_t high) const {
    const std::int64_t value = f_.integer(object, name);
    if (value < low || value > high) damaged(f_.path(), fmt::format("{} {} = {}", object, name, value));
    return static_cast<std::size_t>(value);
  }

  void read_array() {
    shared_.operands = f_.text("/", "operands");
    shared_.rows = bounded("/array", "rows", 1, 4096);
    shared_.levels = bounded("/array", "levels", 2, 256);
    shared_.inputs = bounded("/array", "inputs", 2, 256);
    shared_.signed_scheme = f_.text("/array", "signed_scheme");
    shared_.minimum_conductance = f_.scalar("/array/minimum_conductance");
    shared_.offset = f_.scalar("/transfer/offset");
    shared_.output_unit = f_.units("/transfer/unit");
    shared_.unit = f_.scalar("/transfer/unit");
  }

  /// The ends and the number of nodes of an axis, which must be equidistant.
  void read_axis(const char* name, double& low, double& high, std::size_t& points) const {
    const auto nodes = f_.doubles(name);
    if (nodes.size() < 2 || nodes.size() > 4096 || !(nodes.back() > nodes.front()) || !std::isfinite(nodes.front()) ||
        !std::isfinite(nodes.back()))
      damaged(f_.path(), fmt::format("{} does not ascend", name));
    low = nodes.front();
    high = nodes.back();
    points = nodes.size();
    const auto uniform = nodes_of(low, high, points);
    for (std::size_t i = 0; i < points; ++i)
      if (!(std::fabs(nodes[i] - uniform[i]) <= 1e-9 * (high - low)))
        damaged(f_.path(), fmt::format("the nodes of {} are not equidistant", name));
  }

  void read_axes() {
    read_axis("/axes/y", shared_.axes.y_low, shared_.axes.y_high, shared_.axes.y_points);
    read_axis("/axes/a", shared_.axes.a_low, shared_.axes.a_high, shared_.axes.a_points);
  }

  void read_adc() {
    AdcOptions& a = shared_.adc;
    a.bits = static_cast<int>(bounded("/adc", "bits", 1, 16));
    a.range = f_.scalar("/adc/range");
    a.bipolar = f_.integer("/adc", "bipolar") != 0;
    a.kind = static_cast<AdcKind>(bounded("/adc", "kind", 0, 2));
    a.offset_sigma = f_.scalar("/adc/offset_sigma");
    a.gain_sigma = f_.scalar("/adc/gain_sigma");
    a.element_sigma = f_.scalar("/adc/element_sigma");
    a.noise_sigma = f_.scalar("/adc/noise_sigma");
  }

  Covariance matrix(const std::string& name) const {
    const auto v = f_.doubles(name, {3, 3});
    Covariance c;
    std::copy(v.begin(), v.end(), c.begin());
    return c;
  }

  void read_terms(const std::string& op, ErrorTable& t) const {
    const Shape grid{t.axes.y_points, t.axes.a_points}, kinds{t.inputs - 1, t.levels};
    t.level = f_.doubles(op + "/det/level", kinds);
    t.mu = f_.doubles(op + "/det/mu", grid);
    t.slope = f_.doubles(op + "/det/dmu_dy", grid);
    t.basis = matrix(op + "/static/basis");
    t.chip = matrix(op + "/static/chip");
    t.column = matrix(op + "/static/column");
    t.cell_sigma = f_.doubles(op + "/static/cell", kinds);
    t.chip_interval = read_intervals(f_, op + "/static/chip_interval", 6);
    t.column_interval = read_intervals(f_, op + "/static/column_interval", 6);
    t.cell_interval = read_intervals(f_, op + "/static/cell_interval", t.kinds());
    const auto positive = [&](const char* name) {
      return static_cast<std::size_t>(std::max<std::int64_t>(0, f_.integer(op + "/static", name)));
    };
    t.columns_used = std::max<std::size_t>(1, positive("columns_used"));
    if (f_.has_attribute(op + "/static", "chips_used")) t.chips_used = positive("chips_used");
    if (f_.has_attribute(op + "/static", "cells_separated")) t.cells_separated = positive("cells_separated") != 0;
    if (f_.has(op + "/drift"))
      t.drift = {f_.scalar(op + "/drift/reference_time"), f_.doubles(op + "/drift/exponent", {t.levels}),
                 f_.doubles(op + "/drift/exponent_sigma", {t.levels})};
    if (f_.has(op + "/faults")) t.faults = {f_.scalar(op + "/faults/lowest"), f_.scalar(op + "/faults/highest")};
  }

  void read_dynamic(const std::string& op, ErrorTable& t) const {
    const Shape grid{t.axes.y_points, t.axes.a_points};
    t.dynamic_sigma = f_.doubles(op + "/dynamic/sigma", grid);
    t.source_names = f_.strings(op + "/dynamic/source_names");
    t.source_variance = f_.doubles(op + "/dynamic/sources", {t.source_names.size(), grid[0], grid[1]});
    if (f_.has(op + "/dynamic/corr")) t.source_memory = f_.doubles(op + "/dynamic/corr", {t.source_names.size()});
    if (f_.has(op + "/dynamic/quantiles")) {
      t.dynamic_quantiles = f_.doubles(op + "/dynamic/quantiles");
      if (f_.real(op + "/dynamic/quantiles", "largest_score") != ErrorTable::kLargestScore)
        damaged(f_.path(), "dynamic/quantiles stand at other scores than this errata reads");
    }
  }

  void read_views(const std::string& op, ErrorTable& t) const {
    const Shape grid{t.axes.y_points, t.axes.a_points};
    const auto codes = static_cast<std::size_t>(t.adc.codes());
    if (f_.has(op + "/code/pmf")) t.code_pmf = f_.doubles(op + "/code/pmf", {codes, codes});
    if (f_.has(op + "/code/marginal_shift")) {
      t.marginal_shift = f_.doubles(op + "/code/marginal_shift", grid);
      t.marginal_cell_variance = f_.doubles(op + "/code/marginal_cell_variance", grid);
    }
    t.support_count = f_.doubles(op + "/support/count", grid);
    t.support_error = f_.doubles(op + "/support/se", grid);
    t.residual_sigma = f_.scalar(op + "/validation/residual_sigma");
    if (f_.has(op + "/validation/extrapolated")) t.extrapolated = f_.scalar(op + "/validation/extrapolated");
    t.record = load_record(f_, op + "/estimation");
  }

  Hdf5Reader f_;
  ErrorTable shared_;
};

/// Everything that one file has once.
bool same_array(const ErrorTable& a, const ErrorTable& b) {
  const AdcOptions &p = a.adc, &q = b.adc;
  return a.rows == b.rows && a.levels == b.levels && a.inputs == b.inputs && a.signed_scheme == b.signed_scheme &&
         a.offset == b.offset && a.unit == b.unit && a.output_unit == b.output_unit && a.axes.y_low == b.axes.y_low &&
         a.axes.y_high == b.axes.y_high && a.axes.a_low == b.axes.a_low && a.axes.a_high == b.axes.a_high &&
         a.axes.y_points == b.axes.y_points && a.axes.a_points == b.axes.a_points && p.bits == q.bits &&
         p.range == q.range && p.bipolar == q.bipolar && p.kind == q.kind && p.offset_sigma == q.offset_sigma &&
         p.gain_sigma == q.gain_sigma && p.element_sigma == q.element_sigma && p.noise_sigma == q.noise_sigma;
}

}  // namespace

void save_tables(std::span<const ErrorTable> points, const std::filesystem::path& path) {
  if (points.empty()) throw Error(ExitStatus::kBug, "E700", "an error table without operating points");
  for (const auto& t : points) {
    if (!same_array(t, points[0]))
      throw Error(ExitStatus::kBug, "E700", "operating points of different arrays in one file");
    if (const std::string fault = table_fault(t); !fault.empty())
      throw Error(ExitStatus::kBug, "E700", fmt::format("an error table that no reader accepts: {}", fault));
  }
  Hdf5Writer f(path);
  write_shared(f, points[0]);
  for (std::size_t k = 0; k < points.size(); ++k) write_point(f, group_of(k), points[k]);
  f.commit();
}

std::vector<ErrorTable> load_tables(const std::filesystem::path& path) {
  const TableReader reader(path);
  std::vector<ErrorTable> points;
  for (std::size_t k = 0, count = reader.points(); k < count; ++k) points.push_back(reader.point(k));
  return points;
}

void ErrorTable::save(const std::filesystem::path& path) const { save_tables(std::span(this, 1), path); }

ErrorTable ErrorTable::load(const std::filesystem::path& path) { return TableReader(path).point(0); }

}  // namespace errata::errormodel
