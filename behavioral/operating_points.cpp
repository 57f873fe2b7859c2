#include "behavioral/operating_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace errata::behavioral {

namespace {

/// A line at one of the points with its weight.
struct WeighedLine {
  double weight;
  std::unique_ptr<Line> line;
};

class InterpolatedLine final : public Line {
 public:
  explicit InterpolatedLine(std::vector<WeighedLine> lines) : lines_(std::move(lines)) {
    for (const auto& l : lines_)
      if (l.weight > lines_[nearest_].weight) nearest_ = static_cast<std::size_t>(&l - lines_.data());
  }

  std::size_t rows() const override { return lines_[0].line->rows(); }
  std::size_t input_levels() const override { return lines_[0].line->input_levels(); }

  void read(const PackedInputs& inputs, std::span<double> output) const override {
    std::vector<double> one(inputs.count());
    std::ranges::fill(output, 0.0);
    for (const auto& l : lines_) {
      l.line->read(inputs, one);
      for (std::size_t i = 0; i < one.size(); ++i) output[i] += l.weight * one[i];
    }
  }

  std::size_t extrapolated(const PackedInputs& inputs) const override {
    std::size_t most = 0;
    for (const auto& l : lines_) most = std::max(most, l.line->extrapolated(inputs));
    return most;
  }

  std::vector<double> noise_variances(const std::uint8_t* inputs) const override {
    return interpolated([&](const Line& line) { return line.noise_variances(inputs); });
  }
  std::vector<double> all_noise_variances(const PackedInputs& inputs) const override {
    return interpolated([&](const Line& line) { return line.all_noise_variances(inputs); });
  }

  /// Sums and variance are those of the point with the largest weight, the latter moved by what all of them say at a
  /// common state.
  NoiseSums row_noise(std::size_t row, std::size_t input) const override {
    return lines_[nearest_].line->row_noise(row, input);
  }
  double read_variance(double output, const NoiseSums& sums) const override {
    return shift_ * lines_[nearest_].line->read_variance(output, sums);
  }

  /// Half of the rows active at the highest level: where shift_ is taken.
  void set_shift() {
    std::vector<std::uint8_t> inputs(rows(), 0);
    for (std::size_t j = 0; j < rows(); j += 2) inputs[j] = static_cast<std::uint8_t>(input_levels() - 1);
    const auto total = [&](const std::vector<double>& variances) {
      double sum = 0.0;
      for (const double v : variances) sum += v;
      return std::max(sum, kSmallest);
    };
    shift_ = total(noise_variances(inputs.data())) / total(lines_[nearest_].line->noise_variances(inputs.data()));
  }

 private:
  static constexpr double kSmallest = 1e-300;

  /// Variances by their logarithms.
  template <class Variances>
  std::vector<double> interpolated(const Variances& variances_of) const {
    std::vector<double> mixed;
    for (const auto& l : lines_) {
      const std::vector<double> one = variances_of(*l.line);
      mixed.resize(one.size(), 0.0);
      for (std::size_t s = 0; s < one.size(); ++s) mixed[s] += l.weight * std::log(std::max(one[s], kSmallest));
    }
    for (double& v : mixed) v = std::exp(v);
    return mixed;
  }

  std::vector<WeighedLine> lines_;
  std::size_t nearest_ = 0;
  double shift_ = 1.0;
};

class InterpolatedFamily final : public ColumnFamily {
 public:
  struct Member {
    double weight;
    circuit::ArrayConstants array;
    std::shared_ptr<const ColumnFamily> family;
  };
  InterpolatedFamily(std::vector<Member> members, std::string validity)
      : members_(std::move(members)), validity_(std::move(validity)) {}

  std::string name() const override { return "operating_points"; }
  std::size_t levels() const override { return members_[0].family->levels(); }
  std::size_t input_levels() const override { return members_[0].family->input_levels(); }
  std::string fitted_to() const override { return "members at several operating points"; }
  std::string validity() const override { return validity_; }

  std::unique_ptr<Line> line(const LineConditions& c) const override {
    std::vector<WeighedLine> lines;
    for (const Member& m : members_) {
      // What a draw moves moves from the member's own nominal value.
      circuit::LinePeriphery periphery = c.periphery;
      periphery.clamp_volts += m.array.clamp_volts - c.array.clamp_volts;
      periphery.clamp_ohms += m.array.clamp_ohms - c.array.clamp_ohms;
      periphery.precharge_volts += m.array.precharge_volts - c.array.precharge_volts;
      lines.push_back(
          {m.weight, m.family->line({m.array, c.noise, c.mismatch, periphery, c.levels, c.draws, c.periphery_draws})});
    }
    auto line = std::make_unique<InterpolatedLine>(std::move(lines));
    line->set_shift();
    return line;
  }

  void save(Hdf5Writer& file) const override {
    throw Error(ExitStatus::kUsage, "E525",
                file.path().string() + ": an interpolated model is not stored; store the models it is made of");
  }

 private:
  std::vector<Member> members_;
  std::string validity_;
};

/// Ascending, without repetitions.
std::vector<double> distinct(std::vector<double> values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

std::size_t place(const std::vector<double>& values, double value) {
  return static_cast<std::size_t>(std::ranges::lower_bound(values, value) - values.begin());
}

/// The node that a value means but for rounding (358.15 K and 85 degC), else the value.
double nearest_node(const std::vector<double>& nodes, double value) {
  for (const double node : nodes)
    if (std::fabs(node - value) <= 1e-9 * std::fabs(node)) return node;
  return value;
}

[[noreturn]] void no_grid(const std::string& what) {
  throw Error(ExitStatus::kComputation, "E525", what,
              "every temperature needs every supply, once, of one project with one seed");
}

bool alike(const BehavioralModel& a, const BehavioralModel& b) {
  const auto same_term = [](const MismatchTerm& s, const MismatchTerm& t) {
    return s.name == t.name && s.device == t.device && s.parameter == t.parameter && s.scope == t.scope;
  };
  return a.array.rows == b.array.rows && a.array.all_rows() == b.array.all_rows() && a.array.read == b.array.read &&
         a.levels() == b.levels() && a.input_levels() == b.input_levels() && a.branches == b.branches &&
         a.cell_terms == b.cell_terms && std::ranges::equal(a.mismatch, b.mismatch, same_term);
}

}  // namespace

std::vector<double> interpolation_weights(std::span<const double> nodes, double x) {
  std::vector<double> weights(nodes.size(), 0.0);
  std::size_t first = 0, count = std::min<std::size_t>(3, nodes.size());
  while (first + count < nodes.size() && std::fabs(nodes[first + count] - x) < std::fabs(nodes[first] - x)) ++first;
  for (std::size_t k = first; k < first + count; ++k) {
    weights[k] = 1.0;
    for (std::size_t other = first; other < first + count; ++other)
      if (other != k) weights[k] *= (x - nodes[other]) / (nodes[k] - nodes[other]);
  }
  return weights;
}

OperatingPoints::OperatingPoints(std::vector<ModelAtPoint> models) : models_(std::move(models)) {
  if (models_.empty()) no_grid("no model at any operating point");
  for (const auto& m : models_) {
    if (!alike(models_[0].model, m.model)) no_grid("the models at the operating points are of different columns");
    temperatures_.push_back(m.point.temperature_kelvin);
    supplies_.push_back(m.point.supply_volts);
  }
  temperatures_ = distinct(temperatures_);
  supplies_ = distinct(supplies_);
  grid_.assign(temperatures_.size() * supplies_.size(), models_.size());
  for (std::size_t k = 0; k < models_.size(); ++k)
    grid_[place(temperatures_, models_[k].point.temperature_kelvin) * supplies_.size() +
          place(supplies_, models_[k].point.supply_volts)] = k;
  if (models_.size() != grid_.size() || std::ranges::find(grid_, models_.size()) != grid_.end())
    no_grid(fmt::format("{} models for {} temperatures and {} supplies", models_.size(), temperatures_.size(),
                        supplies_.size()));
}

OperatingPoints OperatingPoints::of(std::vector<BehavioralModel> models) {
  std::vector<ModelAtPoint> at;
  for (auto& m : models)
    at.push_back({.point = {m.array.temperature_kelvin, m.array.supply_volts}, .model = std::move(m)});
  return OperatingPoints(std::move(at));
}

BehavioralModel OperatingPoints::at(const OperatingPoint& point) const {
  const double t = nearest_node(temperatures_, point.temperature_kelvin),
               v = nearest_node(supplies_, point.supply_volts);
  const std::string validity = fmt::format("{:.2f} ... {:.2f} K, supply {:.3f} ... {:.3f} V", lowest_kelvin(),
                                           highest_kelvin(), lowest_volts(), highest_volts());
  if (!(t >= lowest_kelvin() && t <= highest_kelvin() && v >= lowest_volts() && v <= highest_volts()))
    throw Error(ExitStatus::kComputation, "E525",
                fmt::format("{:.2f} K and {:.3f} V lie outside of {}", t, v, validity),
                "characterise at operating points on both sides: circuit.further_temperatures, "
                "circuit.further_supply_voltages");
  const auto of_temperature = interpolation_weights(temperatures_, t), of_supply = interpolation_weights(supplies_, v);
  BehavioralModel model = models_[0].model;
  model.array.temperature_kelvin = t;
  model.array.supply_volts = v;
  std::vector<InterpolatedFamily::Member> members;
  for (std::size_t k = 0; k < grid_.size(); ++k) {
    const double weight = of_temperature[k / supplies_.size()] * of_supply[k % supplies_.size()];
    if (weight == 0.0) continue;
    const BehavioralModel& at = models_[grid_[k]].model;
    members.push_back({weight, at.array, at.family});
    if (at.validation.rms > model.validation.rms) model.validation = at.validation;
  }
  for (const auto& m : models_) model.validation.passed = model.validation.passed && m.model.validation.passed;
  model.family = std::make_shared<InterpolatedFamily>(std::move(members), validity);
  return model;
}

BehavioralModel project_model(const std::filesystem::path& path, const Settings& s) {
  std::vector<BehavioralModel> models = load_models(path);
  const std::string corner = s.has("circuit.corner") ? s.text("circuit.corner") : std::string();
  if (s.has("hardware.corner") && s.text("hardware.corner") != corner)
    throw Error(ExitStatus::kComputation, "E525",
                fmt::format("hardware.corner is '{}', and the column model was made at {}", s.text("hardware.corner"),
                            corner.empty() ? "the netlist's own corner" : fmt::format("corner '{}'", corner)),
                "corners are never interpolated: characterise with circuit.corner of the same name");
  if (!s.has("hardware.temperature") && !s.has("hardware.supply_voltage")) return std::move(models.front());
  for (auto& m : models)  // of a single operating point the file does not tell the supply; the project does
    if (m.array.supply_volts == 0.0) m.array.supply_volts = s.number("circuit.supply_voltage");
  const OperatingPoint nominal{models.front().array.temperature_kelvin, models.front().array.supply_volts};
  OperatingPoint wanted = nominal;
  if (s.has("hardware.temperature")) wanted.temperature_kelvin = s.number("hardware.temperature");
  if (s.has("hardware.supply_voltage")) wanted.supply_volts = s.number("hardware.supply_voltage");
  if (wanted == nominal) return BehavioralModel::load(path);
  return OperatingPoints::of(std::move(models)).at(wanted);
}

}  // namespace errata::behavioral
