#include "training/network.h"

#include "core/error.h"

namespace errata::training {

Network::Network(NetworkOptions options, std::vector<std::unique_ptr<Layer>> layers)
    : options_(std::move(options)), layers_(std::move(layers)), outputs_(layers_.size()) {
  for (const auto& layer : layers_) {
    if (auto* matrix = dynamic_cast<MatrixLayer*>(layer.get())) matrix_layers_.push_back(matrix);
    for (Parameter* parameter : layer->parameters()) parameters_.push_back(parameter);
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
  const Tensor* input = &images;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    outputs_[i].resize(images.images(), layers_[i]->output_shape());
    layers_[i]->forward(pass_, *input, outputs_[i]);
    input = &outputs_[i];
  }
  return outputs_.back();
}

LossSums Network::loss(std::span<const std::uint8_t> labels) const { return cross_entropy(outputs_.back(), labels); }

void Network::backward(std::span<const std::uint8_t> labels) {
  if (!pass_.context.training) throw Error(ExitStatus::kBug, "E700", "backward after a forward in evaluation mode");
  cross_entropy_gradient(outputs_.back(), labels, gradient_);
  bool input_has_parameters = false;  // the gradient of the images themselves is needed by nobody
  std::vector<bool> needed;
  for (const auto& layer : layers_) {
    needed.push_back(input_has_parameters);
    input_has_parameters = input_has_parameters || !layer->parameters().empty();
  }
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Tensor& input = i > 0 ? outputs_[i - 1] : *images_;
    pass_.input_gradient = needed[i];
    if (needed[i]) next_gradient_.resize(input.images(), input.shape());
    layers_[i]->backward(pass_, input, outputs_[i], gradient_, next_gradient_);
    std::swap(gradient_, next_gradient_);
  }
}

}  // namespace errata::training
