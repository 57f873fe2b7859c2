#pragma once

#include "behavioral/model.h"
#include "core/run_context.h"
#include "core/settings.h"
#include "errormodel/error_table.h"
#include "training/hardware/conversion_model.h"
#include "training/stage.h"
#include "verification/verdict.h"

namespace errata::verification {

/// What verification compares.
struct VerificationInput {
  const Settings& settings;
  const behavioral::BehavioralModel& model;
  const errormodel::ErrorTable& table;
  const training::TrainedNetworks& networks;
  const training::DataSet& data;
};

/// Levels 1–5 of methods.md §6: model against circuit, table against model, network by table against network by
/// model, error rates on the trained network's own operands (also in ngspice), specifications.
Verification verify(const VerificationInput& input, const Provenance& provenance, const RunContext& context);

/// Accuracy of a network over chips, bit-true; chips are numbered from `first_chip`.
struct ChipEvaluation {
  std::uint64_t first_chip = 0;
  std::size_t chips = 100, images = 500;
  std::uint64_t pass = 0;  ///< repeated reads of the same chips differ by it
};
AccuracyRow evaluate_chips(const training::TrainedArm& arm, const std::string& hardware,
                           const training::ConversionModel& model, const training::HardwareOptions& options,
                           const training::DataSet& data, std::uint64_t seed, const ChipEvaluation& evaluation,
                           const RunContext& context);

}  // namespace errata::verification
