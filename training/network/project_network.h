#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/artifact.h"
#include "core/settings.h"
#include "training/data/data_set.h"
#include "training/network/network.h"
#include "training/trainer.h"

namespace errata::training {

/// The network that the keys of [training] describe, with drawn weights, or with those of an ONNX file. Notes on what
/// an ONNX file holds beyond it are added to `notes`.
struct ProjectNetwork {
  std::unique_ptr<Network> network;
  std::vector<std::string> notes;
};
ProjectNetwork project_network(const Settings& settings, const DataSet& data, QuantizationOptions quantization);

/// training.network_file as an input of the train stage, judged by its contents; nothing without one.
std::vector<ArtifactInput> network_file_input(const Settings& settings);

/// Options of one phase of training; `epochs` and `rate` name its keys.
TrainingOptions training_options(const Settings& settings, const char* epochs, const char* rate);

}  // namespace errata::training
