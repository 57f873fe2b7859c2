#include "training/network.h"

#include "core/error.h"
#include "training/shards.h"

namespace errata::training {

Network::Network(NetworkOptions options, std::vector<std::unique_ptr<Layer>> layers)
    : options_(std::move(options)), layers_(std::move(layers)), outputs_(layers_.size()), gradients_(layers_.size()) {
  for (const auto& layer : layers_) {
    if (auto* matrix = dynamic_cast<MatrixLayer*>(layer.get())) matrix_layers_.push_back(matrix);
    for (Parameter* parameter : layer->parameters()) parameters_.push_back(parameter);
    backward_.push_back(parameters_.empty() ? 0 : 1);
  }
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

const Tensor& Network::forward(const Tensor& images, const ForwardOptions& options) {
  if (images.images() == 0 || !(images.shape() == options_.input))
    throw Error(ExitStatus::kBug, "E700", "a batch of images of another size than the network's");
  images_ = &images;
  pass_ = {options.context, options.hook, options.threads, true};
  for (MatrixLayer* layer : matrix_layers_) layer->update_codes();
  if (options.hook != nullptr) options.hook->begin_batch(*this, options.context);
  for (std::size_t i = 0; i < layers_.size(); ++i) outputs_[i].resize(images.images(), layers_[i]->output_shape());
  for (std::size_t first = 0; first < layers_.size();) first = forward_run(first);
  return outputs_.back();
}

std::size_t Network::forward_run(std::size_t first) {
  std::size_t end = first;
  do layers_[end]->begin_forward(pass_, input_of(end));
  while (++end < layers_.size() && !layers_[end]->joins_shards(pass_));
  for_each_shard(shard_count(images_->images()), pass_.threads, [&](std::size_t shard) {
    for (std::size_t i = first; i < end; ++i) layers_[i]->forward_shard(pass_, shard, input_of(i), outputs_[i]);
  });
  return end;
}

LossSums Network::loss(std::span<const std::uint8_t> labels) const { return cross_entropy(outputs_.back(), labels); }

void Network::backward(std::span<const std::uint8_t> labels) {
  if (!pass_.context.training) throw Error(ExitStatus::kBug, "E700", "backward after a forward in evaluation mode");
  cross_entropy_gradient(outputs_.back(), labels, gradients_.back());
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) gradients_[i].resize(images_->images(), outputs_[i].shape());
  for (std::size_t end = layers_.size(); end > 0;) end = backward_run(end);
  for (const auto& layer : layers_) layer->end_backward(shard_count(images_->images()));
}

std::size_t Network::backward_run(std::size_t end) {
  std::size_t first = end;
  do {
    --first;
    layers_[first]->begin_backward(pass_, input_of(first), gradients_[first]);
  } while (first > 0 && !layers_[first - 1]->joins_shards(pass_));
  Tensor unused;  // in place of the gradient of the images
  for_each_shard(shard_count(images_->images()), pass_.threads, [&](std::size_t shard) {
    Pass pass = pass_;
    for (std::size_t i = end; i-- > first && backward_[i] != 0;) {
      pass.input_gradient = i > 0 && backward_[i - 1] != 0;
      layers_[i]->backward_shard(pass, shard, input_of(i), outputs_[i], gradients_[i],
                                 i > 0 ? gradients_[i - 1] : unused);
    }
  });
  return first;
}

}  // namespace errata::training
