// errata_tables, the Python reader: the same draws as the C++ sampler. Needs python3-h5py; the module also
// python3-torch.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/hdf5_file.h"
#include "core/random_stream.h"
#include "errormodel/table/operating_point.h"
#include "tests/support/example_table.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata::errormodel {
namespace {

using errata::testing::example_table;
using errata::testing::TemporaryFolder;
using Real = std::span<const double>;

testing::ProgramResult python(const std::string& script, const std::string& arguments) {
  return testing::run_shell("/usr/bin/python3 " ERRATA_SOURCE_DIR "/tests/python/" + script + " " + arguments);
}

ErrorTable table_of(const char* scheme) {
  ErrorTable t = example_table(scheme);
  t.inputs = 4;  // a power of two, as digits are
  const std::size_t old = t.level.size();
  for (auto* values : {&t.level, &t.cell_sigma}) {
    values->resize(t.kinds());
    for (std::size_t k = old; k < t.kinds(); ++k) (*values)[k] = 1.4 * (*values)[k - t.levels];
  }
  t.cell_interval.resize(t.kinds(), {});
  t.code_pmf.clear();
  fill_marginal_view(t);
  return t;
}

void write(Hdf5Writer& f, const std::string& name, const std::vector<double>& values) {
  f.write(name, Real(values), {values.size()}, "1");
}

void write_streams(Hdf5Writer& f) {
  RandomStream stream(77, StreamPurpose::kTest, 3, 5, 7), other(1, StreamPurpose::kTest);
  std::vector<double> normals, positive, logarithms, real, exponentials;
  for (int k = 0; k < 20000; ++k) {
    normals.push_back(stream.normal());
    positive.push_back(std::exp(20 * other.normal()));
    logarithms.push_back(portable_log(positive.back()));
    real.push_back(30 * other.normal());
    exponentials.push_back(portable_exp(real.back()));
  }
  f.attribute("/", "seed", std::int64_t{77});
  write(f, "/normals", normals);
  write(f, "/positive", positive);
  write(f, "/logarithms", logarithms);
  write(f, "/real", real);
  write(f, "/exponentials", exponentials);
}

void write_adcs(Hdf5Writer& f) {
  for (const auto& [name, kind, element] :
       {std::tuple{"sar", AdcKind::kSar, 0.3}, {"flash", AdcKind::kFlash, 1.5}, {"ramp", AdcKind::kRamp, 2.0}}) {
    const AdcOptions adc{
        .bits = 7, .range = 24, .kind = kind, .offset_sigma = 0.7, .gain_sigma = 0.05, .element_sigma = element};
    const std::string at = std::string("/adc/") + name;
    f.attribute(at, "bits", std::int64_t{adc.bits});
    f.attribute(at, "range", adc.range);
    f.attribute(at, "offset_sigma", adc.offset_sigma);
    f.attribute(at, "gain_sigma", adc.gain_sigma);
    f.attribute(at, "element_sigma", adc.element_sigma);
    const auto transitions = adc_transitions(adc, 6, 1000000000000ULL, 77);
    std::vector<double> value;
    std::vector<std::int64_t> code, ideal;
    for (int k = -1200; k <= 1200; ++k) {
      value.push_back(0.025 * k);
      code.push_back(adc_code(adc, transitions, value.back()));
      ideal.push_back(adc_code(adc, value.back()));
    }
    write(f, at + "/transitions", transitions);
    write(f, at + "/value", value);
    f.write(at + "/code", std::span<const std::int64_t>(code), {code.size()}, "1");
    f.write(at + "/ideal", std::span<const std::int64_t>(ideal), {ideal.size()}, "1");
  }
}

/// What the C++ sampler draws of some columns of some chips.
void write_draws(Hdf5Writer& f, const std::string& group, const ErrorTable& t) {
  f.attribute(group, "elapsed", t.elapsed_seconds);
  constexpr std::uint64_t kFar = 1000000000000ULL;  // chips of training have large numbers
  constexpr int kColumns = 30;                      // enough that a different order of operations shows in some bit
  for (int k = 0; k < kColumns; ++k) {
    const auto s64 = static_cast<std::uint64_t>(1 + k % 7), c64 = static_cast<std::uint64_t>(41234 * k);
    const std::uint64_t chip = k % 3 == 0 ? kFar + s64 : s64;
    const std::string at = fmt::format("{}/columns/{}", group, k);
    std::vector<std::uint8_t> plus, minus;
    RandomStream r(s64, StreamPurpose::kTest, 8);
    for (std::size_t j = 0; j < t.rows; ++j) {
      plus.push_back(static_cast<std::uint8_t>(r.below(t.levels)));
      if (t.differential()) minus.push_back(static_cast<std::uint8_t>(r.below(t.levels)));
    }
    const StaticColumn s = draw_static_column(t, s64, chip, c64, plus, minus);
    f.attribute(at, "seed", static_cast<std::int64_t>(s64));
    f.attribute(at, "chip", static_cast<std::int64_t>(chip));
    f.attribute(at, "column", static_cast<std::int64_t>(c64));
    f.write(at + "/plus", std::span<const std::uint8_t>(plus), {t.rows}, "1");
    if (t.differential()) f.write(at + "/minus", std::span<const std::uint8_t>(minus), {t.rows}, "1");
    f.write(at + "/weight", Real(s.weight), {t.inputs - 1, t.rows}, "1");
    write(f, at + "/drive", s.drive);
    f.write_scalar(at + "/offset", s.offset, "1");
    std::vector<double> state, axis, reads;
    ReadSequence sequence(t, s64, chip, c64);
    for (int read = 0; read < 40; ++read) {
      state.push_back(50 * (r.uniform() - 0.5));  // beyond the axes as well
      axis.push_back(100 * r.uniform());
      reads.push_back(sequence.next(state.back(), axis.back()));
    }
    write(f, at + "/state", state);
    write(f, at + "/axis", axis);
    write(f, at + "/reads", reads);
    write(f, at + "/sample", sample_conversions(t, state, axis, s64, chip, c64));
  }
  std::vector<double> distribution;
  const std::vector<double> y{4.0}, a{22.0};
  for (std::uint64_t chip = 0; chip < 1500; ++chip) distribution.push_back(sample_conversions(t, y, a, 12, chip, 0)[0]);
  f.attribute(group, "y", y[0]);
  f.attribute(group, "a", a[0]);
  write(f, group + "/distribution", distribution);
}

void write_interpolated(Hdf5Writer& f, const std::filesystem::path& path) {
  ErrorTable hot = table_of("differential_before_adc");
  hot.temperature_kelvin = 360;
  for (auto* values : {&hot.mu, &hot.level, &hot.cell_sigma})
    for (double& v : *values) v *= 1.3;
  for (double& v : hot.source_variance) v *= 2.0;
  for (double& v : hot.dynamic_sigma) v *= std::sqrt(2.0);
  hot.basis = {1, 0, 0, -0.2, 0.12, 0, -1.4, 0.02, 0.06};
  hot.dynamic_quantiles.clear();
  hot.source_memory.clear();
  const TableSet set({table_of("differential_before_adc"), hot});
  set.save(path);
  const ErrorTable t = TableSet::load(path).at({.temperature_kelvin = 325.0});
  f.attribute("/", "temperature", 325.0);
  const auto values = [](const Covariance& c) { return std::vector<double>(c.begin(), c.end()); };
  write(f, "/interpolated/level", t.level);
  write(f, "/interpolated/mu", t.mu);
  write(f, "/interpolated/slope", t.slope);
  write(f, "/interpolated/chip", values(t.chip));
  write(f, "/interpolated/column", values(t.column));
  write(f, "/interpolated/cell_sigma", t.cell_sigma);
  write(f, "/interpolated/dynamic_sigma", t.dynamic_sigma);
  write(f, "/interpolated/source_variance", t.source_variance);
  write(f, "/interpolated/source_memory", t.source_memory);
  write(f, "/interpolated/dynamic_quantiles", t.dynamic_quantiles);
  write(f, "/interpolated/drift_exponent", t.drift.exponent);
}

TEST(PythonTables, DrawTheSameChipsAndTheSameDistribution) {
  const TemporaryFolder folder;
  folder.write("text.h5", "not HDF5");
  {
    Hdf5Writer f(folder / "reference.h5");
    write_streams(f);
    write_adcs(f);
    write_interpolated(f, folder / "points.h5");
    for (const auto& [name, scheme] : {std::pair{"pair", "differential_before_adc"}, {"single", "offset_column"}}) {
      table_of(scheme).save(folder / (std::string(name) + ".h5"));
      ErrorTable t = ErrorTable::load(folder / (std::string(name) + ".h5"));
      t.elapsed_seconds = 2e6;
      write_draws(f, std::string("/") + name, t);
    }
    f.commit();
  }
  const auto result = python("error_tables.py", folder.path().string());
  if (result.status == 77) GTEST_SKIP() << result.output;
  EXPECT_EQ(result.status, 0) << result.output;
}

TEST(PythonTables, TheTorchModuleInjectsThem) {
  const TemporaryFolder folder;
  table_of("differential_before_adc").save(folder / "pair.h5");
  table_of("offset_column").save(folder / "single.h5");
  const auto result =
      python("error_injection.py", (folder / "pair.h5").string() + " " + (folder / "single.h5").string());
  if (result.status == 77) GTEST_SKIP() << result.output;
  EXPECT_EQ(result.status, 0) << result.output;
}

}  // namespace
}  // namespace errata::errormodel
