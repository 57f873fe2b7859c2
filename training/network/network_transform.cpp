#include "training/network/network_transform.h"

#include <algorithm>
#include <map>
#include <string>

#include "training/layers/depthwise_layer.h"
#include "training/network/network_text.h"

namespace errata::training {

namespace {

/// Copies parameters and buffers of the same name and size.
void copy_values(const Network& from, Network& to) {
  std::map<std::string, const std::vector<float>*> values;
  for (const Parameter* parameter : from.parameters()) values[parameter->name] = &parameter->value;
  for (const StateBuffer& buffer : from.buffers()) values[buffer.name] = buffer.values;
  const auto take = [&](const std::string& name, std::vector<float>& target) {
    const auto found = values.find(name);
    if (found != values.end() && found->second->size() == target.size()) target = *found->second;
  };
  for (Parameter* parameter : to.parameters()) take(parameter->name, parameter->value);
  for (const StateBuffer& buffer : to.buffers()) take(buffer.name, *buffer.values);
}

/// One batch norm and the layer that takes it in.
struct Fold {
  std::size_t norm, matrix;
};

std::vector<Fold> folds_of(const Network& network) {
  const CheckedDescription checked = check_description(network.description());
  std::vector<std::size_t> readers(checked.inputs.size());
  for (const auto& inputs : checked.inputs)
    for (const std::size_t input : inputs)
      if (input != CheckedDescription::kImageInput) ++readers[input];
  std::vector<Fold> folds;
  for (std::size_t i = 0; i < checked.inputs.size(); ++i) {
    const std::size_t before = checked.inputs[i][0];
    if (network.description().layers[i].kind != LayerKind::kBatchNorm || before == CheckedDescription::kImageInput)
      continue;
    if (readers[before] != 1) continue;
    const Layer* layer = network.layers()[before].get();
    const auto* matrix = dynamic_cast<const MatrixLayer*>(layer);
    if (matrix != nullptr ? matrix->quantization().weight_bits > 0
                          : dynamic_cast<const DepthwiseLayer*>(layer) == nullptr)
      continue;
    folds.push_back({i, before});
  }
  return folds;
}

/// weight[row][c] ← factor[c] · weight[row][c], bias[c] ← factor[c] · bias[c] + offset[c].
void take_in(const BatchNorm& norm, Parameter& weight, Parameter& bias) {
  const std::size_t channels = bias.value.size();
  for (std::size_t c = 0; c < channels; ++c) {
    const BatchNorm::Affine affine = norm.affine(c);
    for (std::size_t at = c; at < weight.value.size(); at += channels)
      weight.value[at] = static_cast<float>(affine.factor * static_cast<double>(weight.value[at]));
    bias.value[c] = static_cast<float>(affine.factor * static_cast<double>(bias.value[c]) + affine.offset);
  }
}

NetworkOptions options_for(const Network& network, const NetworkDescription& description) {
  NetworkOptions options = network.options();
  options.layers = network_text(description);
  return options;
}

}  // namespace

std::unique_ptr<Network> copy_of(const Network& network) {
  auto copy = build_network(network.options(), network.description());
  copy_values(network, *copy);
  return copy;
}

std::unique_ptr<Network> with_quantization(const Network& network, QuantizationOptions quantization) {
  NetworkOptions options = network.options();
  options.quantization = quantization;
  auto copy = build_network(options, network.description());
  copy_values(network, *copy);
  for (Parameter* parameter : copy->parameters())
    if (parameter->bounded) parameter->value.assign(parameter->value.size(), 0.0f);  // the steps
  return copy;
}

std::unique_ptr<Network> with_device(const Network& network, DeviceOptions device) {
  NetworkOptions options = network.options();
  options.quantization.device = std::move(device);
  auto copy = build_network(options, network.description());
  copy_values(network, *copy);
  return copy;
}

std::unique_ptr<Network> fold_batch_norm(const Network& network) {
  const std::vector<Fold> folds = folds_of(network);
  NetworkDescription description = network.description();
  std::map<std::string, std::string> renamed;
  for (const Fold& fold : folds) {
    description.layers[fold.matrix].bias = true;
    renamed[description.layers[fold.norm].name] = description.layers[fold.matrix].name;
  }
  for (auto& layer : description.layers)
    for (auto& input : layer.inputs)
      if (const auto found = renamed.find(input); found != renamed.end()) input = found->second;
  std::erase_if(description.layers, [&](const LayerDescription& layer) { return renamed.contains(layer.name); });

  auto folded = build_network(options_for(network, description), description);
  copy_values(network, *folded);
  for (const Fold& fold : folds) {
    const auto& norm = dynamic_cast<const BatchNorm&>(*network.layers()[fold.norm]);
    const std::string& name = network.description().layers[fold.matrix].name;
    for (const auto& layer : folded->layers()) {
      if (layer->name() != name) continue;
      if (auto* matrix = dynamic_cast<MatrixLayer*>(layer.get())) take_in(norm, matrix->weight(), matrix->bias());
      if (auto* depthwise = dynamic_cast<DepthwiseLayer*>(layer.get()))
        take_in(norm, depthwise->weight(), depthwise->bias());
    }
  }
  return folded;
}

}  // namespace errata::training
