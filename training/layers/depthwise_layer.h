#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/layer.h"
#include "training/layers/window.h"

namespace errata::training {

/// Depthwise convolution: every channel has a kernel of its own.
///
/// It stays digital and in floating point: a column of an array adds up all of its rows, and here only one channel's
/// few taps belong together, so a tile would hold nearly nothing. No quantisation, no product hook.
class DepthwiseLayer : public Layer {
 public:
  enum class Bias { kLearned, kNone };
  /// Throws Error (computation, E505) when the kernel does not fit.
  DepthwiseLayer(std::string name, ImageShape input, const Window& window, Bias bias = Bias::kLearned);

  std::string_view name() const override { return name_; }
  ImageShape output_shape() const override { return output_; }
  LayerTraits traits() const override { return {.backward_reads_input = true}; }
  void begin_forward(const Pass& pass, Shards input) override;
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;
  void end_backward(const Pass& pass) override;
  std::vector<Parameter*> parameters() override;

  /// [taps][channels].
  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  bool has_bias() const { return has_bias_; }
  /// Zeros without a learned bias.
  Parameter& bias() { return bias_; }
  const Parameter& bias() const { return bias_; }

 private:
  std::string name_;
  ImageShape input_, output_;
  WindowPlaces places_;
  bool has_bias_;
  Parameter weight_, bias_;
  struct Workspace {
    std::vector<float> weight_gradient, bias_gradient;
    std::vector<float> image_gradient;  ///< of the weights, over one image
  };
  std::vector<Workspace> workspaces_;
};

}  // namespace errata::training
