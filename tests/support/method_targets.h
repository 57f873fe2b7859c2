#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "training/data/batches.h"
#include "training/evaluation.h"
#include "training/hardware/nonlinear_hook.h"
#include "training/network/network_transform.h"
#include "training/shards.h"
#include "training/trainer.h"

/// The trainings behind the targets of methods.md §7 for §4.1 (curves) and §4.2 (devices): the bench runs them in full,
/// the tests a small part.
namespace errata::testing {

/// How long and with what a phase is trained.
struct TrainingPhase {
  std::uint64_t epochs = 2;
  double learning_rate = 1e-3;
  int threads = 1;
};

inline double train(training::Network& network, const training::DataSet& data, const TrainingPhase& phase,
                    training::ProductHook* hook, std::uint64_t seed) {
  training::TrainingOptions o;
  o.seed = seed;
  o.epochs = phase.epochs;
  o.schedule.learning_rate = phase.learning_rate;
  o.shift_pixels = data.shape.channels == 3 ? 4 : 1;
  o.flip = data.shape.channels == 3;
  training::TrainingSinks sinks;
  sinks.training_hook = hook;
  sinks.evaluation_hook = hook;
  sinks.threads = phase.threads;
  double accuracy = 0.0;
  sinks.progress = [&](const training::TrainingProgress& p) {
    if (p.test) accuracy = 100.0 * p.test->accuracy();
  };
  training::Trainer(network, data, o).run(sinks);
  return accuracy;
}

inline double accuracy(training::Network& network, const training::DataSet& data, training::ProductHook* hook,
                       int threads) {
  return 100.0 * training::evaluate(network, data.test, {.hook = hook, .threads = threads})->sums.accuracy();
}

/// One point of §4.2's grid.
struct DevicePoint {
  int magnitude_bits = 3;  ///< of each branch: 2^bits levels; a weight has one more bit, its sign
  int input_bits = 4;
  double ratio = 10.0, nonlinearity = 2.0, asymmetry = 0.9;

  bool operator==(const DevicePoint&) const = default;
};

struct DeviceResult {
  double naive = 0.0, adapted = 0.0;  ///< percent on the test images
};

/// All points of the grid, bits and activations outermost.
inline std::vector<DevicePoint> device_grid() {
  std::vector<DevicePoint> all;
  for (const int bits : {2, 3, 4})
    for (const int inputs : {2, 4})
      for (const double ratio : {3.0, 10.0, 100.0})
        for (const double nonlinearity : {0.0, 2.0, 4.0})
          for (const double asymmetry : {0.8, 0.9, 1.0}) all.push_back({bits, inputs, ratio, nonlinearity, asymmetry});
  return all;
}

/// `ideal` is trained with exact levels of the point's bits: put on the devices as it is, and trained on there.
inline DeviceResult device_point(const training::Network& ideal, const training::DataSet& data,
                                 const DevicePoint& point, training::DeviceGradient gradient,
                                 const TrainingPhase& phase, std::uint64_t seed) {
  training::DeviceOptions device;
  device.ratio = point.ratio;
  device.nonlinearity = point.nonlinearity;
  device.asymmetry = point.asymmetry;
  device.gradient = gradient;
  const auto network = training::with_device(ideal, device);
  DeviceResult result;
  result.naive = accuracy(*network, data, nullptr, phase.threads);
  result.adapted = train(*network, data, phase, nullptr, seed);
  return result;
}

/// What §4.1 compares: every neuron through one ADC, straight and through a curve.
struct CurveResult {
  double linear = 0.0;         ///< the trained network, f(s) = s
  double naive = 0.0;          ///< the same through the curve
  double linear_longer = 0.0;  ///< trained on without the curve for as many epochs
  double adapted = 0.0;        ///< trained on through the curve
};

/// The neuron's hardware: a whole column of `rows` at most, an ADC of `adc_bits` with ranges that clip the share
/// `clipped` of a layer's sums. A curve bends what comes near the full scale: with one sum in 1000 clipped nearly none
/// does, and it costs nothing.
inline training::NonlinearOptions neuron(training::Network& network, const training::DataSet& data, std::size_t rows,
                                         int adc_bits, double clipped) {
  training::NonlinearOptions o;
  o.input = training::CurveInput::kPartialSum;
  o.hardware.rows_per_tile = rows;
  o.hardware.adc.bits = adc_bits;
  std::vector<std::uint32_t> numbers(training::kShardImages);
  for (std::uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  training::Batch batch;
  training::fill_batch(data.train, data.shape, {numbers, 0, 0, {}, network.options().normalization}, batch);
  o.hardware.layers = training::calibrate_ranges(network, batch.images, hardware_of(o), clipped);
  return o;
}

inline CurveResult curve_recovery(training::Network& trained, const training::DataSet& data,
                                  const training::NonlinearOptions& linear, const training::NonlinearCurve& curve,
                                  const TrainingPhase& phase, std::uint64_t seed) {
  training::NonlinearOptions bent = linear;
  bent.curve = curve;
  training::NonlinearHook straight_hook(linear), bent_hook(bent);
  CurveResult r;
  r.linear = accuracy(trained, data, &straight_hook, phase.threads);
  r.naive = accuracy(trained, data, &bent_hook, phase.threads);
  const auto longer = training::copy_of(trained), adapted = training::copy_of(trained);
  r.linear_longer = train(*longer, data, phase, &straight_hook, seed);
  r.adapted = train(*adapted, data, phase, &bent_hook, seed);
  return r;
}

}  // namespace errata::testing
