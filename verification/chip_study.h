#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/run_context.h"
#include "training/data/data_set.h"
#include "training/hardware/recalibration.h"
#include "training/network/network.h"
#include "verification/yield.h"

namespace errata::verification {

/// One chip's hardware: a new hook for every call, which may run on another thread than the last.
using ChipHook = std::function<std::unique_ptr<training::ProductHook>(std::uint64_t chip)>;

/// Chips and images of a study.
struct StudyOptions {
  std::uint64_t seed = 1;
  std::uint64_t first_chip = 0;
  std::size_t chips = 100, images = 500;
  training::Recalibration recalibration = training::Recalibration::kNone;  ///< of every chip, on training images
  std::size_t calibration_images = 128;
  bool whole_set_at_once = false;  ///< one batch for all images: hooks that draw a chip for each batch hold it
};

/// Accuracy of each chip in percent, chips in parallel over context.jobs threads; the same for any number of them.
std::vector<double> accuracy_of_chips(const training::Network& network, const ChipHook& hook,
                                      const training::DataSet& data, const StudyOptions& options,
                                      const std::string& what, const RunContext& context);

/// A percentile of the chips' accuracy with its interval from order statistics (yield.h).
struct Percentile {
  double share = 0.0;  ///< 0.1: the accuracy that nine chips in ten reach
  Interval accuracy;
};

/// What N chips say, with 95 % intervals; with few chips those of the outer percentiles end at the worst or best chip.
struct ChipSummary {
  Interval mean, spread;  ///< percent; spread is the standard deviation over chips, for normal ones (chi-square)
  std::vector<Percentile> percentiles;  ///< 1, 5, 10, 25, 50, 75, 90
  std::vector<YieldPoint> yield;        ///< at `reference` less 0.5, 1, 2, 3, 5 and 10 points
};
ChipSummary summarize(const std::vector<double>& accuracy, double reference);

/// Errors on in one layer at a time, the others ideal: the loss that layer causes.
struct LayerSensitivity {
  std::string layer;
  Interval loss;  ///< points below the same network on ideal hardware, mean over chips
};

}  // namespace errata::verification
