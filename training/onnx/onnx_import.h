#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "training/network/network.h"
#include "training/onnx/onnx_file.h"

namespace errata::training::onnx {

/// A trained network of another program in errata's terms.
struct Import {
  NetworkDescription description;
  std::map<std::string, std::vector<float>> values;  ///< by name of parameter or buffer, in errata's layout
  std::vector<std::string> notes;                    ///< what was left out: dropout, a final softmax
};

/// Turns a convolutional classifier's graph into a description with values (docs/formats/onnx.md). `input` is needed
/// where the file leaves the images' size open, and must match it otherwise. Whatever has no counterpart here is an
/// Error (artefact, E515) that names the node and what is supported.
Import import_graph(const Graph& graph, std::optional<ImageShape> input);

/// The network with its values. Quantisation, when `options` ask for it, starts from the floating-point values; the
/// name, input and classes of the options are replaced by those of the file.
std::unique_ptr<Network> network_of(const Import& import, NetworkOptions options);

}  // namespace errata::training::onnx
