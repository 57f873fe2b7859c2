// Models at several operating points.
#include <algorithm>
#include <cmath>

#include "behavioral/fit.h"
#include "behavioral/operating_points.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

/// RMS of the model against the columns, in the model's MAC units.
double rms_against(const circuit::Characterization& data, const BehavioralModel& model) {
  const auto& m = data.columns;
  std::vector<double> residual;
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t column = 0; column < m.columns; ++column) {
      const auto read =
          model.read_column(data.provenance.seed, chips::kCharacterization + chip, column, m.design(chip, column));
      for (std::size_t o = 0; o < m.operands; ++o)
        if (const double measured = m.difference(chip, column, o); std::isfinite(measured))
          residual.push_back((read[o] - measured) / model.transfer.unit);
    }
  return root_mean_square(residual);
}

OperatingPoint point_of(const BehavioralModel& m) { return {m.array.temperature_kelvin, m.array.supply_volts}; }

/// Whether a value lies between others, itself left out.
bool is_inner(const std::vector<double>& values, double value) {
  const auto [low, high] = std::ranges::minmax_element(values);
  return *low < value && value < *high;
}

/// Without the models that share the k-th point's temperature or supply, whichever lies between others; empty where
/// neither does.
std::vector<BehavioralModel> others(const std::vector<BehavioralModel>& models, std::size_t k) {
  for (double OperatingPoint::*axis : {&OperatingPoint::temperature_kelvin, &OperatingPoint::supply_volts}) {
    std::vector<double> values;
    for (const auto& m : models) values.push_back(point_of(m).*axis);
    if (!is_inner(values, values[k])) continue;
    std::vector<BehavioralModel> left;
    for (std::size_t i = 0; i < models.size(); ++i)
      if (values[i] != values[k]) left.push_back(models[i]);
    return left;
  }
  return {};
}

}  // namespace

std::vector<BehavioralModel> fit_models(std::span<const circuit::Characterization> points, const Settings& settings,
                                        const Provenance& provenance) {
  std::vector<BehavioralModel> models;
  for (const auto& data : points) models.push_back(fit_model(data, settings, provenance));
  if (models.size() < 2) return models;
  OperatingPoints::of(models);  // refuses what is no grid
  for (std::size_t k = 0; k < models.size(); ++k) {
    auto rest = others(models, k);
    if (rest.empty()) continue;
    for (auto& m : rest) m.transfer = models.front().transfer;
    models[k].validation.interpolation_rms =
        rms_against(points[k], OperatingPoints::of(std::move(rest)).at(point_of(models[k])));
  }
  return models;
}

}  // namespace errata::behavioral
