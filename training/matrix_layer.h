#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/layer.h"
#include "training/matrix_geometry.h"
#include "training/matrix_kernel.h"
#include "training/quantizer.h"

namespace errata::training {

/// Convolution or fully connected layer, with quantisation-aware training and hardware in the loop.
///
/// y = s_x · s_w · z + bias with z = Σ w_code · x_code over the patch; in floating point the codes are the
/// values and the steps 1. Steps are learned (LSQ) and start from the first batch's inputs and the first
/// weights. Backward passes the rounds straight through; where a hook made z, dz/dz_ideal is its slope.
class MatrixLayer : public Layer {
 public:
  /// `name` prefixes the parameters' names; `index` counts the network's matrix layers from 0.
  MatrixLayer(std::string name, std::size_t index, const MatrixGeometry& geometry, QuantizationOptions options);

  std::string_view name() const override { return name_; }
  std::size_t index() const { return index_; }
  const MatrixGeometry& geometry() const { return geometry_; }
  const QuantizationOptions& quantization() const { return options_; }
  /// Whether a product hook applies: both weights and inputs have codes.
  bool is_quantized() const { return options_.weight_bits > 0 && options_.input_bits > 0; }

  /// Integer weight codes as floats, [rows][out_c]; the weights themselves in floating point.
  std::span<const float> weight_codes() const { return weight_codes_; }
  /// s_w; 1 in floating point.
  float weight_step() const;
  /// s_x; 1 in floating point, 0 before the first batch.
  float input_step() const;

  /// Recomputes the weight codes from the weights. Network calls it before each batch.
  void update_codes();
  /// product = Σ w_code · x_code without hook. Only inside ProductHook::product(), for the same shard.
  void ideal_product(const Tensor& codes, Tensor& product) const;

  ImageShape output_shape() const override { return geometry_.output(); }
  bool joins_shards(const Pass&) const override { return quantizes_input() && input_step_.value[0] <= 0.0f; }
  void begin_forward(const Pass& pass, const Tensor& input) override;
  void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      const Tensor& output_gradient, Tensor& input_gradient) override;
  void end_backward(std::size_t shards) override;
  std::vector<Parameter*> parameters() override;

  Parameter& weight() { return weight_; }
  Parameter& bias() { return bias_; }

 private:
  /// Memory of one shard between forward and backward.
  struct Workspace {
    Tensor codes, product, slope;
    Tensor ratio, ratio_product;
    Tensor weight_gradient;
    std::vector<float> bias_gradient;
    double product_sum = 0.0;  ///< Σ gradient · z
    double input_sum = 0.0;    ///< Σ code gradient · x / s_x over unclipped inputs
  };

  bool quantizes_input() const { return options_.input_bits > 0; }
  bool quantizes_weights() const { return options_.weight_bits > 0; }
  void backward_input_shard(const Pass& pass, std::size_t shard, std::span<const float> values,
                            const float* product_gradient, Tensor& input_gradient);

  std::string name_;
  std::size_t index_;
  MatrixGeometry geometry_;
  QuantizationOptions options_;
  Parameter weight_, bias_, weight_step_, input_step_;
  std::vector<float> weight_codes_;
  MatrixKernel kernel_;
  std::vector<Workspace> workspaces_;
};

}  // namespace errata::training
