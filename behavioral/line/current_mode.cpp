#include "behavioral/line/current_mode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/fitting/cell_fit.h"
#include "behavioral/line/cell_expansion.h"
#include "behavioral/line/line_shooting.h"
#include "behavioral/line/line_variances.h"
#include "core/quantity.h"

namespace errata::behavioral {

namespace {

using Real = std::span<const double>;

/// What the total variance of a read depends on besides its output and sums.
struct ReadNoise {
  double idle_amperes, clamp_volts, clamp_square_volts, idle_thermal, declared;
};

constexpr double kNoiseScale = 1e-6;  ///< ampere: what the sums are in

/// The line's common sag scales every row alike.
inline double total_variance(const ReadNoise& n, double output, double current, double thermal, double relative) {
  current *= kNoiseScale;
  const double sag = current > 0.0 ? (output - n.idle_amperes) / current : 1.0, gain = sag * sag;
  const double conductance = output / n.clamp_volts * sag;
  return n.declared + n.clamp_square_volts * conductance * conductance +
         gain * (n.idle_thermal + kNoiseScale * kNoiseScale * thermal) +
         gain * gain * kNoiseScale * kNoiseScale * relative;
}

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void add_variances(
    const ReadNoise& noise, const double* output, const float* sums, std::size_t stride, std::size_t count,
    double* variance) {
  const ReadNoise n = noise;
  for (std::size_t i = 0; i < count; ++i)
    variance[i] += total_variance(n, output[i], sums[i], sums[stride + i], sums[2 * stride + i]);
}

class CurrentLine final : public Line {
 public:
  CurrentLine(PreparedLine line, const LineConditions& c, const std::vector<double>& thermal, std::size_t levels)
      : line_(std::move(line)), shooting_(line_), sources_(c.noise.size()) {
    const std::size_t rows = line_.all_rows();
    clamp_square_volts_ =
        4 * kBoltzmannJoulesPerKelvin * c.array.temperature_kelvin * line_.clamp_ohms * c.array.bandwidth_hertz;
    declared_output_.assign(sources_, 0.0);
    relative_sigma_.assign(sources_ * rows, 0.0);
    thermal_.reserve(line_.inputs * rows);
    for (std::size_t n = 0; n < sources_; ++n) {
      if (!c.noise[n].cell_relative) declared_output_[n] = c.noise[n].sigma_at(0) * c.noise[n].sigma_at(0);
      for (std::size_t j = 0; j < rows && c.noise[n].cell_relative; ++j)
        relative_sigma_[n * rows + j] = c.noise[n].sigma_at(line_.levels[j]);
    }
    idle_current_ = line_.offset_amperes;
    for (std::size_t x = 0; x < line_.inputs; ++x)
      for (std::size_t j = 0; j < rows; ++j) thermal_.push_back(thermal[x * levels + line_.levels[j]]);
    for (std::size_t j = 0; j < rows; ++j) {
      idle_thermal_ += thermal_[j];
      idle_current_ += line_.cell(0, j).a;
    }
    for (const double v : declared_output_) output_variance_ += v;
  }

  std::size_t rows() const override { return line_.rows; }
  std::size_t input_levels() const override { return line_.inputs; }

  void read(const PackedInputs& inputs, std::span<double> output) const override {
    solve_lines(line_, shooting_, inputs, output);
  }

  std::vector<double> noise_variances(const std::uint8_t* inputs) const override {
    const std::size_t rows = line_.all_rows();
    LineSensitivity s;
    solve_line(line_, inputs, s);
    std::vector<double> variances(1 + sources_, 0.0);
    variances[0] = clamp_square_volts_ * s.transfer_conductance * s.transfer_conductance;
    for (std::size_t n = 0; n < sources_; ++n) variances[1 + n] = declared_output_[n];
    for (std::size_t j = 0; j < rows; ++j) {
      const double gain = s.injection_gain[j] * s.injection_gain[j];
      const std::size_t x = j < line_.rows ? inputs[j] : 0;
      variances[0] += gain * thermal_[x * rows + j];
      if (x == 0) continue;
      for (std::size_t n = 0; n < sources_; ++n) {
        const double sigma = relative_sigma_[n * rows + j] * s.cell_amperes[j];
        variances[1 + n] += gain * sigma * sigma;
      }
    }
    return variances;
  }

  std::vector<double> all_noise_variances(const PackedInputs& inputs) const override {
    const std::size_t count = inputs.count();
    std::vector<double> output(count), variances((1 + sources_) * count);
    read(inputs, output);
    const std::vector<double> sums = LineVariances(line_, thermal_, relative_sigma_).sums(inputs, output);
    const double* conductance = sums.data() + LineVariances::kConductance * count;
    for (std::size_t p = 0; p < count; ++p) {
      const double thermal = sums[LineVariances::kThermal * count + p];
      if (std::isnan(thermal)) {
        const auto one = noise_variances(inputs.vector(p));
        for (std::size_t n = 0; n <= sources_; ++n) variances[n * count + p] = one[n];
        continue;
      }
      variances[p] = clamp_square_volts_ * conductance[p] * conductance[p] + thermal;
      for (std::size_t n = 0; n < sources_; ++n)
        variances[(1 + n) * count + p] = declared_output_[n] + sums[(LineVariances::kSums + n) * count + p];
    }
    return variances;
  }

  /// Unloaded current, thermal variance and variance of the relative sources that the active row adds.
  NoiseSums row_noise(std::size_t j, std::size_t x) const override {
    const std::size_t rows = line_.all_rows();
    double relative = 0.0;
    for (std::size_t n = 0; n < sources_; ++n)
      relative += std::pow(relative_sigma_[n * rows + j] * line_.cell(x, j).a, 2);
    return {(line_.cell(x, j).a - line_.cell(0, j).a) / kNoiseScale,
            (thermal_[x * rows + j] - thermal_[j]) / (kNoiseScale * kNoiseScale),
            relative / (kNoiseScale * kNoiseScale)};
  }

  double read_variance(double output, const NoiseSums& sums) const override {
    return total_variance(read_noise(), output, sums[0], sums[1], sums[2]);
  }

  void add_read_variances(std::span<const double> output, std::span<const float> sums, std::size_t stride,
                          std::span<double> variance) const override {
    add_variances(read_noise(), output.data(), sums.data(), stride, output.size(), variance.data());
  }

 private:
  ReadNoise read_noise() const {
    return {idle_current_, line_.clamp_volts, clamp_square_volts_, idle_thermal_, output_variance_};
  }

  PreparedLine line_;
  LineShooting shooting_;
  std::size_t sources_;
  std::vector<double> thermal_;          ///< [inputs][all rows] A²
  std::vector<double> relative_sigma_;   ///< [sources][all rows]
  std::vector<double> declared_output_;  ///< [sources] A²
  double clamp_square_volts_ = 0.0, idle_current_ = 0.0, idle_thermal_ = 0.0, output_variance_ = 0.0;
};

[[noreturn]] void damaged(const Hdf5Reader& f, const char* what) {
  throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": " + what);
}

}  // namespace

PreparedLine CurrentMode::expand(const LineConditions& c) const {
  PreparedLine line;
  line.rows = c.array.rows;
  line.idle_rows = c.levels.size() - c.array.rows;
  line.inputs = cell.inputs;
  line.clamp_volts = c.periphery.clamp_volts;
  line.clamp_ohms = c.periphery.clamp_ohms;
  line.offset_amperes = c.periphery.offset_amperes;
  line.wire_ohms = c.array.wire_ohms;
  line.source_line_ohms = c.array.source_line_ohms;
  line.levels.assign(c.levels.begin(), c.levels.end());
  line.cells = expand_cells(cell, line.clamp_volts, c.levels, c.draws);
  return line;
}

std::unique_ptr<Line> CurrentMode::line(const LineConditions& c) const {
  return std::make_unique<CurrentLine>(expand(c), c, thermal_square_amperes, cell.levels);
}

std::string CurrentMode::validity() const {
  return fmt::format("bit line {:.3f} ... {:.3f} V, cells within {:.1f} sigma (held beyond)", cell.lowest_volts,
                     cell.highest_volts, cell.mismatch_range);
}

void CurrentMode::save(Hdf5Writer& f) const {
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
}

std::shared_ptr<const ColumnFamily> CurrentMode::load(const Hdf5Reader& f, TermCounts counts) {
  auto family = std::make_shared<CurrentMode>();
  CellModel& c = family->cell;
  c.inputs = static_cast<std::size_t>(f.integer("/cell", "inputs"));
  c.levels = static_cast<std::size_t>(f.integer("/cell", "levels"));
  c.terms = counts.cell;
  c.degree = static_cast<int>(f.integer("/cell", "degree"));
  c.source_axis = f.integer("/cell", "source_axis") != 0;
  c.center_volts = f.real("/cell", "center_volts");
  c.scale_volts = f.real("/cell", "scale_volts");
  c.mismatch_range = f.real("/cell", "mismatch_range");
  c.lowest_volts = f.real("/cell", "lowest_volts");
  c.highest_volts = f.real("/cell", "highest_volts");
  c.exponents = f.bytes("/cell/exponents");
  const bool sane = c.inputs >= 2 && c.inputs <= 256 && c.levels >= 2 && c.levels <= 256 && c.degree >= 0 &&
                    c.degree < 8 && c.variables() <= CellModel::kMostVariables &&
                    c.exponents.size() % c.variables() == 0 && c.scale_volts > 0 && c.mismatch_range > 0;
  if (!sane) damaged(f, "the cell model's description contradicts itself");
  for (const auto e : c.exponents)
    if (e > c.degree) damaged(f, "/cell/exponents is damaged");
  c.coefficients = f.doubles("/cell/coefficients", {c.inputs, c.levels, c.monomials()});
  family->thermal_square_amperes = f.doubles("/cell/thermal_variance", {c.inputs, c.levels});
  return family;
}

FamilyFit fit_current_mode(const circuit::Characterization& data) {
  double range = 0.0;
  for (const double z : data.cell.mismatch_points) range = std::max(range, std::fabs(z));
  std::vector<std::string> names;
  for (const std::size_t t : data.cell.cell_terms) names.push_back(data.mismatch[t].name);
  CellFit fit = fit_cell(data.cell, range > 0 ? range : 1.0, names);
  auto family = std::make_shared<CurrentMode>();
  family->cell = std::move(fit.model);
  family->thermal_square_amperes = data.cell.noise_square_amperes;
  return {family, std::move(fit.tried), fit.chosen, {}, std::move(fit.parameters)};
}

}  // namespace errata::behavioral
