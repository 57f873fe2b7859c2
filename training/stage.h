#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/artifact.h"
#include "core/run_context.h"
#include "core/settings.h"
#include "errormodel/error_table.h"
#include "training/data/data_set.h"
#include "training/hardware_settings.h"
#include "training/network/network.h"

namespace errata::training {

/// One epoch of one arm, for curves.
struct EpochRecord {
  double train_loss = 0.0;
  double test_accuracy = 0.0;  ///< percent, in the arm's own evaluation mode
};

/// One trained network. "ideal": on ideal quantised hardware; the others go on from it for the adaptation epochs:
/// "error_aware" with the table in the loop, "no_noise" without errors, "gaussian" with matched fresh noise,
/// "nonlinear" through a curve, "device" on devices, "device_nonlinear" on devices through the curve.
struct TrainedArm {
  std::string name;
  std::shared_ptr<Network> network;
  std::vector<EpochRecord> epochs;
};

/// checkpoint.h5 of the train stage.
struct TrainedNetworks {
  static constexpr const char* kFormat = "trained_networks";
  static constexpr std::int64_t kMajor = 1, kMinor = 2;

  Provenance provenance;
  std::string data_set;
  std::vector<TrainedArm> arms;
  /// Ranges of the ADCs by layer, where they were calibrated, and of the neurons behind training.nonlinearity.
  std::vector<LayerHardware> ranges, nonlinear_ranges;

  /// The arm of that name; throws Error (usage, E513) naming those there are.
  const TrainedArm& arm(const std::string& name) const;
  void save(const std::filesystem::path& path) const;
  static TrainedNetworks load(const std::filesystem::path& path);
};

/// Tier "training": phase one on ideal quantised hardware, phase two with the table's errors (and the baselines).
/// Every arm writes shards/train-FINGERPRINT/ARM.h5 as it goes and continues from there bit by bit; metrics.jsonl
/// lies beside the artefacts.
/// Without a table only phase one runs.
TrainedNetworks train_networks(const Settings& settings, const std::optional<errormodel::ErrorTable>& table,
                               const DataSet& data, const Provenance& provenance,
                               const std::filesystem::path& artifacts, const RunContext& context);

/// Adaptation of a trained network to another table (or curve, or devices): the second phase alone, from `start`. The
/// arms are "start" and those of the second phase. Files lie in `artifacts` as for train_networks().
TrainedNetworks adapt_networks(const Settings& settings, const TrainedArm& start,
                               const std::optional<errormodel::ErrorTable>& table, const DataSet& data,
                               const Provenance& provenance, const std::filesystem::path& artifacts,
                               const RunContext& context);

/// The data set that the project names. `data_root` holds mnist/ and so on.
DataSet project_data(const Settings& settings, const std::filesystem::path& data_root, const RunContext& context);

}  // namespace errata::training
