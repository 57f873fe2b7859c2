#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/layer.h"
#include "training/layers/matrix_geometry.h"
#include "training/layers/matrix_kernel.h"
#include "training/layers/quantizer.h"

namespace errata::training {

/// What weight codes are made for.
enum class WeightUse {
  kEvaluation,  ///< as the hardware has them
  kTraining,    ///< devices with a smooth gradient: the smooth staircase of the present temperature
};

/// Convolution or fully connected layer, with quantisation-aware training and hardware in the loop.
///
/// y = s_x · s_w · z + bias with z = Σ w_code · x_code over the patch; in floating point the codes are the
/// values and the steps 1. Steps are learned (LSQ) and start from the first batch's inputs and the first
/// weights. Backward passes the rounds straight through; where a hook made z, dz/dz_ideal is its slope. On devices
/// (DeviceOptions) w_code is K · w(level), not an integer.
class MatrixLayer : public Layer {
 public:
  enum class Bias { kLearned, kNone };
  /// `name` prefixes the parameters' names; `index` counts the network's matrix layers from 0.
  MatrixLayer(std::string name, std::size_t index, const MatrixGeometry& geometry, QuantizationOptions options,
              Bias bias = Bias::kLearned);

  std::string_view name() const override { return name_; }
  std::size_t index() const { return index_; }
  const MatrixGeometry& geometry() const { return geometry_; }
  const QuantizationOptions& quantization() const { return options_; }
  /// Whether a product hook applies: both weights and inputs have codes.
  bool is_quantized() const { return options_.weight_bits > 0 && options_.input_bits > 0; }

  /// Weight codes as floats, [rows][out_c]: integers, or what devices make of them; the weights themselves in floating
  /// point.
  std::span<const float> weight_codes() const { return quantizes_weights() ? weight_codes_ : weight_.value; }
  /// The integers that are stored: weight_codes() without devices. What an error table maps, with its own levels.
  std::span<const float> weight_levels() const { return stairs_ ? weight_levels_ : weight_codes(); }
  bool has_device() const { return stairs_.has_value(); }
  /// Of the smooth staircase, in level spacings; 0: the hard one.
  void set_device_temperature(double temperature) { temperature_ = temperature; }
  /// s_w; 1 in floating point.
  float weight_step() const;
  /// s_x; 1 in floating point, 0 before the first batch.
  float input_step() const;

  /// Precision of the products from the next batch on; one that the processor has.
  void set_precision(Precision precision) { kernel_ = std::make_unique<MatrixKernel>(geometry_, precision); }

  /// Recomputes the weight codes from the weights. Network calls it before each batch.
  void update_codes(WeightUse use = WeightUse::kEvaluation);
  /// product = Σ w_code · x_code without hook. Only inside ProductHook::product(), for the same shard.
  void ideal_product(const Tensor& codes, Tensor& product) const;

  ImageShape output_shape() const override { return geometry_.output(); }
  LayerTraits traits() const override { return {.backward_reads_input = true}; }
  bool joins_forward(const Pass&) const override { return quantizes_input() && input_step_.value[0] <= 0.0f; }
  bool joins_backward(const Pass&) const override { return geometry_.is_linear(); }
  void begin_forward(const Pass& pass, Shards input) override;
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void begin_backward(const Pass& pass, Shards input, Shards output_gradient) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;
  void end_backward(const Pass& pass) override;
  std::vector<Parameter*> parameters() override;

  Parameter& weight() { return weight_; }
  const Parameter& weight() const { return weight_; }
  bool has_bias() const { return has_bias_; }
  /// Zeros without a learned bias.
  Parameter& bias() { return bias_; }
  const Parameter& bias() const { return bias_; }

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
  /// From the codes' gradient to the weights' in place; returns Σ gradient · slope · weight / step.
  double pass_weight_gradient();
  const float* operand_of(std::size_t shard, const Tensor& input) const;
  /// Σ gradient · z, the bias' gradient and, after hardware, gradient · slope of one shard.
  void begin_backward_shard(std::size_t shard, const Tensor& output_gradient);
  const float* product_gradient_of(std::size_t shard, const Tensor& output_gradient) const;
  void linear_weight_gradient(const Pass& pass, Shards input, Shards output_gradient);
  void backward_input_shard(const Pass& pass, std::size_t shard, const Tensor& input, const float* product_gradient,
                            Tensor& input_gradient);
  void sum_shards(const Pass& pass);

  std::string name_;
  std::size_t index_;
  MatrixGeometry geometry_;
  QuantizationOptions options_;
  bool has_bias_;
  Parameter weight_, bias_, weight_step_, input_step_;
  std::vector<float> weight_codes_, weight_levels_;
  std::optional<DeviceStaircase> stairs_;
  double temperature_ = 0.0;
  std::vector<float> device_slopes_;  ///< d(code)/d(weight / step); empty: straight through
  std::unique_ptr<MatrixKernel> kernel_;
  std::vector<Workspace> workspaces_;
  std::vector<float> no_bias_;  ///< zeros
};

}  // namespace errata::training
