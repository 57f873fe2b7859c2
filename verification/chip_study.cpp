#include "verification/chip_study.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "training/evaluation.h"
#include "training/network/network_transform.h"
#include "training/shards.h"

namespace errata::verification {

std::vector<double> accuracy_of_chips(const training::Network& network, const ChipHook& hook,
                                      const training::DataSet& data, const StudyOptions& options,
                                      const std::string& what, const RunContext& context) {
  std::vector<double> accuracy(options.chips);
  const int jobs = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(context.jobs), options.chips));
  std::mutex reporting;
  std::atomic<std::size_t> done{0};
  training::for_each_shard(options.chips, std::max(1, jobs), [&](std::size_t chip) {
    stop_if_cancelled(context);
    const auto own = training::copy_of(network);  // a network runs one batch at a time
    const auto hardware = hook(options.first_chip + chip);
    const training::RecalibrationOptions measured{options.seed, options.calibration_images};
    std::optional<training::AffineHook> affine;
    if (options.recalibration == training::Recalibration::kBatchNorm)
      training::recalibrate_batch_norm(*own, *hardware, data, measured);
    if (options.recalibration == training::Recalibration::kAffine)
      affine.emplace(*hardware).calibrate(*own, data, measured);
    training::ProductHook* used = affine ? &*affine : hardware.get();
    training::EvaluationOptions o{.hook = used, .seed = options.seed, .images = options.images};
    if (options.whole_set_at_once) o.batch_size = std::max<std::size_t>(1, std::min(options.images, data.test.count()));
    o.should_stop = context.cancelled;
    const auto result = training::evaluate(*own, data.test, o);
    if (!result) stop_if_cancelled(context);
    accuracy[chip] = 100.0 * result->sums.accuracy();
    const std::lock_guard lock(reporting);
    context.progress(what, ++done, options.chips);
  });
  return accuracy;
}

ChipSummary summarize(const std::vector<double>& accuracy, double reference) {
  constexpr double kConfidence = 0.95;
  ChipSummary s;
  if (accuracy.size() < 2) {
    const double only = accuracy.empty() ? 0.0 : accuracy[0];
    s.mean = {only, only, only};
    return s;
  }
  s.mean = mean_interval(accuracy, kConfidence);
  s.spread = standard_deviation_interval(accuracy, kConfidence);
  for (const double share : {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9})
    s.percentiles.push_back({share, quantile_interval(accuracy, share, kConfidence)});
  for (const double below : {0.5, 1.0, 2.0, 3.0, 5.0, 10.0})
    s.yield.push_back({reference - below, yield_at(accuracy, reference - below)});
  return s;
}

}  // namespace errata::verification
