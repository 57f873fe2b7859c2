#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "training/trainer.h"

namespace errata::training {

/// How a learning-rate range test runs (Smith 2017, "Cyclical Learning Rates", §3.3).
struct RateTestOptions {
  double lowest = 1e-6;     ///< rate of the first step
  double highest = 10.0;    ///< rate of the last step
  std::size_t steps = 100;  ///< at most; rates grow by a constant factor
  double smoothing = 0.9;   ///< decay of the moving average of the loss, corrected for its start
  double divergence = 3.0;  ///< ends when the smoothed loss is so many times the least
  int threads = 1;          ///< never changes results
};

struct RateTestPoint {
  double learning_rate = 0.0;
  double loss = 0.0;      ///< of the batch before the step [nat]
  double smoothed = 0.0;  ///< moving average of it
};

struct RateTest {
  std::vector<RateTestPoint> curve;
  /// Where the smoothed loss falls most steeply against the logarithm of the rate; nothing when it never falls.
  std::optional<double> suggestion;
};

/// Trains a copy of the network over growing rates; `network` stays as it is. Optimiser, batch size, seed and the other
/// options are those of the training; its schedule and epochs do not matter. A pure function of its arguments.
RateTest test_learning_rates(const Network& network, const DataSet& data, const TrainingOptions& training,
                             const RateTestOptions& options = {});

}  // namespace errata::training
