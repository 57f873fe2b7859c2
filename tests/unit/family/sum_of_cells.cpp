#include "tests/unit/family/sum_of_cells.h"

#include <algorithm>
#include <cmath>

using namespace errata;
using namespace errata::behavioral;

namespace {

class SumLine final : public Line {
 public:
  SumLine(const SumOfCells& family, const LineConditions& c)
      : family_(family), levels_(c.levels.begin(), c.levels.end()), rows_(c.array.rows) {
    for (const NoiseSource& source : c.noise)
      output_variance_.push_back(source.cell_relative ? 0.0 : std::pow(source.sigma_at(0), 2));
    for (const double v : output_variance_) total_variance_ += v;
  }
  std::size_t rows() const override { return rows_; }
  std::size_t input_levels() const override { return family_.inputs; }

  void read(const PackedInputs& inputs, std::span<double> output) const override {
    for (std::size_t i = 0; i < inputs.count(); ++i) {
      output[i] = 0.0;
      for (std::size_t j = 0; j < levels_.size(); ++j)
        output[i] += family_.amperes[(j < rows_ ? inputs.vector(i)[j] : 0u) * family_.stored + levels_[j]];
    }
  }

  // This example knows declared noise of the output only.
  std::vector<double> noise_variances(const std::uint8_t*) const override {
    std::vector<double> variances{0.0};
    variances.insert(variances.end(), output_variance_.begin(), output_variance_.end());
    return variances;
  }
  NoiseSums row_noise(std::size_t, std::size_t) const override { return {}; }
  double read_variance(double, const NoiseSums&) const override { return total_variance_; }

 private:
  SumOfCells family_;
  std::vector<std::uint8_t> levels_;
  std::size_t rows_;
  std::vector<double> output_variance_;
  double total_variance_ = 0.0;
};

}  // namespace

std::unique_ptr<Line> SumOfCells::line(const LineConditions& c) const { return std::make_unique<SumLine>(*this, c); }

void SumOfCells::save(Hdf5Writer& file) const {
  file.write("/cell/nominal_current", std::span<const double>(amperes), {inputs, stored}, "A");
}

std::shared_ptr<const ColumnFamily> SumOfCells::load(const Hdf5Reader& file, TermCounts) {
  auto family = std::make_shared<SumOfCells>();
  const Shape shape = file.shape("/cell/nominal_current");
  if (shape.size() != 2) throw Error(ExitStatus::kArtifact, "E403", "/cell/nominal_current is damaged");
  family->inputs = shape[0];
  family->stored = shape[1];
  family->amperes = file.doubles("/cell/nominal_current");
  return family;
}

FamilyFit fit_sum_of_cells(const circuit::Characterization& data) {
  const circuit::CellSurface& cell = data.cell;
  auto family = std::make_shared<SumOfCells>();
  family->inputs = cell.input_levels_volts.size();
  family->stored = cell.weight_levels.size();
  // The current at the clamp voltage, between the two nearest of the grid (without mismatch, source line at 0 V).
  const std::vector<double>& volts = cell.bit_line_volts;
  const auto above = static_cast<std::size_t>(std::ranges::lower_bound(volts, data.array.clamp_volts) - volts.begin());
  const std::size_t b = std::clamp<std::size_t>(above, 1, volts.size() - 1);
  const double share = (data.array.clamp_volts - volts[b - 1]) / (volts[b] - volts[b - 1]);
  for (std::size_t x = 0; x < family->inputs; ++x)
    for (std::size_t w = 0; w < family->stored; ++w)
      family->amperes.push_back((1 - share) * cell.current(x, w, 0, 0, b - 1) + share * cell.current(x, w, 0, 0, b));
  return {family, {{.converged = true, .label = "table of nominal currents"}}, 0, {}};
}
