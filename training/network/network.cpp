#include "training/network/network.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "training/layers/sums.h"
#include "training/shards.h"

namespace errata::training {

Network::Network(NetworkOptions options, NetworkDescription description, std::vector<std::unique_ptr<Layer>> layers)
    : options_(std::move(options)), description_(std::move(description)), layers_(std::move(layers)) {
  const CheckedDescription checked = check_description(description_);
  static_assert(CheckedDescription::kImageInput == NetworkPlan::kOutside);
  inputs_ = checked.inputs;
  const std::size_t count = layers_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Layer& layer = *layers_[i];
    if (auto* matrix = dynamic_cast<MatrixLayer*>(&layer)) matrix_layers_.push_back(matrix);
    const auto parameters = layer.parameters();
    parameters_.insert(parameters_.end(), parameters.begin(), parameters.end());
    bool learns = !parameters.empty();
    for (const std::size_t input : inputs_[i])
      learns = learns || (input != NetworkPlan::kOutside && planned_[input].learns);
    planned_.push_back({layer.traits(), inputs_[i], layer.output_shape().size(), learns});
  }
  training_plan_ = plan_network(planned_, PlanFor::kTraining);
  evaluation_plan_ = plan_network(planned_, PlanFor::kEvaluation);
  outputs_.resize(count);
  gradients_.resize(count);
  input_gradients_.resize(count);
}

std::vector<StateBuffer> Network::buffers() const {
  std::vector<StateBuffer> all;
  for (const auto& layer : layers_)
    for (auto& buffer : layer->buffers()) all.push_back(std::move(buffer));
  return all;
}

std::size_t Network::parameter_count() const {
  std::size_t count = 0;
  for (const Parameter* parameter : parameters_) count += parameter->value.size();
  return count;
}

void Network::set_precision(Precision precision) {
  if (precision == precision_) return;
  if (!has_precision(precision))
    throw Error(ExitStatus::kEnvironment, "E517",
                "this processor cannot multiply bf16 (it has neither avx512_bf16 nor amx_bf16)",
                "set training.precision = \"fp32\"");
  precision_ = precision;
  for (MatrixLayer* layer : matrix_layers_) layer->set_precision(precision);
}

void Network::set_device_temperature(double temperature) {
  for (MatrixLayer* layer : matrix_layers_) layer->set_device_temperature(temperature);
}

std::size_t Network::workspace_bytes() const {
  std::size_t values = logits_.size() + logits_gradient_.size();
  for (const Tensor& memory : memory_) values += memory.size();
  return values * sizeof(float);
}

/// Lays every tensor of the batch where the plan has it.
void Network::prepare(const Tensor& images, PlanFor purpose) {
  const std::size_t shards = shard_count(images.images());
  const NetworkPlan& plan = purpose == PlanFor::kTraining ? training_plan_ : evaluation_plan_;
  purpose_ = purpose;
  logits_.resize(images.images(), layers_.back()->output_shape());
  logits_gradient_.resize(images.images(), logits_.shape());
  memory_.resize(std::max(memory_.size(), shards));
  images_.resize(shards);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    memory_[shard].resize(1, {1, 1, plan.values * kShardImages});
    // The layers only read from it.
    auto* values = const_cast<float*>(images.data()) + shard_begin(shard) * images.shape().size();
    images_[shard] = Tensor::on(values, shard_size(images.images(), shard), images.shape());
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    outputs_[i].resize(shards);
    gradients_[i].resize(shards);
    input_gradients_[i].resize(shards);
    const NetworkPlan::Place& place = plan.places[i];
    const std::size_t input = inputs_[i][0];
    const ImageShape shape = layers_[i]->output_shape();
    const ImageShape input_shape = input == NetworkPlan::kOutside ? images.shape() : layers_[input]->output_shape();
    for (std::size_t shard = 0; shard < shards; ++shard) {
      const std::size_t size = shard_size(images.images(), shard);
      const auto lay = [&](std::size_t offset, ImageShape of, Tensor& outside) {
        return offset == NetworkPlan::kOutside
                   ? Tensor::on(outside.data() + shard_begin(shard) * outside.shape().size(), size, of)
                   : Tensor::on(memory_[shard].data() + offset * kShardImages, size, of);
      };
      outputs_[i][shard] = lay(place.output, shape, logits_);
      if (purpose == PlanFor::kEvaluation) continue;
      gradients_[i][shard] = lay(place.gradient, shape, logits_gradient_);
      input_gradients_[i][shard] = lay(place.input_gradient, input_shape, logits_gradient_);
    }
  }
}

std::span<const Tensor> Network::input_of(std::size_t layer) const {
  const std::size_t input = inputs_[layer][0];
  return input == NetworkPlan::kOutside ? images_ : outputs_[input];
}

const Tensor& Network::forward(const Tensor& images, const ForwardOptions& options) {
  if (images.images() == 0 || !(images.shape() == options_.input))
    throw Error(ExitStatus::kBug, "E700", "a batch of images of another size than the network's");
  const int threads = std::max(1, options.threads);
  if (team_ == nullptr || team_->threads() != threads) team_ = std::make_unique<ShardTeam>(threads);
  pass_ = {options.context, options.hook, team_.get(), images.images(), true};
  prepare(images, options.context.training ? PlanFor::kTraining : PlanFor::kEvaluation);
  const WeightUse use = options.context.training ? WeightUse::kTraining : WeightUse::kEvaluation;
  for (MatrixLayer* layer : matrix_layers_) layer->update_codes(use);
  if (options.hook != nullptr) options.hook->begin_batch(*this, options.context);
  for (std::size_t first = 0; first < layers_.size();) first = forward_run(first);
  return logits_;
}

std::size_t Network::forward_run(std::size_t first) {
  std::size_t end = first;
  do layers_[end]->begin_forward(pass_, input_of(end));
  while (++end < layers_.size() && !layers_[end]->joins_forward(pass_));
  pass_.team->for_each(images_.size(), [&](std::size_t shard) {
    for (std::size_t i = first; i < end; ++i) forward_layer(i, shard);
  });
  return end;
}

void Network::forward_layer(std::size_t layer, std::size_t shard) {
  constexpr std::size_t kMostInputs = 16;  // check_description
  std::array<const Tensor*, kMostInputs> inputs{};
  std::size_t count = 0;
  for (const std::size_t input : inputs_[layer])
    inputs[count++] = input == NetworkPlan::kOutside ? &images_[shard] : &outputs_[input][shard];
  layers_[layer]->forward_shard(pass_, shard, std::span(inputs).first(count), outputs_[layer][shard]);
}

LossSums Network::loss(std::span<const std::uint8_t> labels, const LossOptions& options) const {
  return cross_entropy(logits_, labels, options);
}

void Network::backward(std::span<const std::uint8_t> labels, const LossOptions& options) {
  if (purpose_ != PlanFor::kTraining)
    throw Error(ExitStatus::kBug, "E700", "backward after a forward in evaluation mode");
  cross_entropy_gradient(logits_, labels, options, logits_gradient_);
  for (std::size_t end = layers_.size(); end > 0;) end = backward_run(end);
  for (const auto& layer : layers_) layer->end_backward(pass_);
}

std::size_t Network::backward_run(std::size_t end) {
  // All shards of a joining layer's output gradient must be there: it begins a run, and its predecessors follow.
  std::size_t first = end;
  do {
    --first;
    if (planned_[first].learns) layers_[first]->begin_backward(pass_, input_of(first), gradients_[first]);
  } while (first > 0 && !layers_[first - 1]->joins_backward(pass_));
  pass_.team->for_each(images_.size(), [&](std::size_t shard) {
    for (std::size_t i = end; i-- > first;) backward_layer(i, shard);
  });
  return first;
}

void Network::backward_layer(std::size_t layer, std::size_t shard) {
  const PlannedLayer& planned = planned_[layer];
  if (!planned.learns) return;
  if (!planned.traits.passes_gradient) {
    const std::size_t input = inputs_[layer][0];
    Pass pass = pass_;
    pass.input_gradient = input != NetworkPlan::kOutside && planned_[input].learns;
    layers_[layer]->backward_shard(pass, shard, input_of(layer)[shard], outputs_[layer][shard],
                                   gradients_[layer][shard], input_gradients_[layer][shard]);
  }
  for (const NetworkPlan::GradientSum& sum : training_plan_.places[layer].sums) add_gradients(sum, shard);
}

void Network::add_gradients(const NetworkPlan::GradientSum& sum, std::size_t shard) {
  const auto target = gradients_[sum.layer][shard].values();
  const auto part = [&](std::size_t offset) {
    float* values = offset == NetworkPlan::kOutside ? logits_gradient_.data() + shard_begin(shard) * classes()
                                                    : memory_[shard].data() + offset * kShardImages;
    return std::span(values, target.size());
  };
  // A part that already is where the sum goes is its first term.
  const std::size_t own = training_plan_.places[sum.layer].gradient;
  const bool in_place = std::ranges::find(sum.parts, own) != sum.parts.end();
  if (!in_place) std::ranges::copy(part(sum.parts[0]), target.begin());
  for (const std::size_t offset : std::span(sum.parts).subspan(in_place ? 0 : 1))
    if (offset != own) add_into(part(offset), target);
}

}  // namespace errata::training
