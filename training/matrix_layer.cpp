#include "training/matrix_layer.h"

#include <algorithm>

#include "training/shards.h"
#include "training/sums.h"

namespace errata::training {

namespace {

Parameter step_parameter(std::string name) {
  Parameter step{std::move(name), {1}, {0.0f}, {0.0f}};
  step.minimum = kMinimumStep;
  step.bounded = true;
  return step;
}

}  // namespace

MatrixLayer::MatrixLayer(std::string name, std::size_t index, const MatrixGeometry& geometry,
                         QuantizationOptions options)
    : name_(std::move(name)),
      index_(index),
      geometry_(geometry),
      options_(options),
      weight_step_(step_parameter(name_ + ".weight_step")),
      input_step_(step_parameter(name_ + ".input_step")),
      kernel_(geometry) {
  const std::size_t count = geometry.rows() * geometry.out_c;
  weight_ = {
      name_ + ".weight", {geometry.rows(), geometry.out_c}, std::vector<float>(count), std::vector<float>(count)};
  weight_.decays = true;
  bias_ = {name_ + ".bias", {geometry.out_c}, std::vector<float>(geometry.out_c), std::vector<float>(geometry.out_c)};
  weight_codes_.resize(count);
}

float MatrixLayer::weight_step() const { return quantizes_weights() ? weight_step_.value[0] : 1.0f; }
float MatrixLayer::input_step() const { return quantizes_input() ? input_step_.value[0] : 1.0f; }

std::vector<Parameter*> MatrixLayer::parameters() {
  std::vector<Parameter*> all{&weight_, &bias_};
  if (quantizes_weights()) all.push_back(&weight_step_);
  if (quantizes_input()) all.push_back(&input_step_);
  return all;
}

void MatrixLayer::update_codes() {
  if (quantizes_weights()) {
    const auto range = QuantizerRange::of_weights(options_.weight_bits);
    float& step = weight_step_.value[0];
    if (step <= 0.0f) step = initial_step(weight_.value, range);
    quantize(weight_.value, step, range, weight_codes_);
  } else {
    weight_codes_ = weight_.value;
  }
  kernel_.set_weights(weight_codes_);
}

void MatrixLayer::ideal_product(const Tensor& codes, Tensor& product) const {
  kernel_.forward(codes.images(), codes.data(), product.data());
}

void MatrixLayer::begin_forward(const Pass& pass, const Tensor& input) {
  const std::size_t images = input.images(), shards = shard_count(images);
  kernel_.prepare(shard_size(images, 0), pass.threads);
  kernel_.prepare(shard_size(images, shards - 1), pass.threads);
  if (workspaces_.size() < shards) workspaces_.resize(shards);
  if (quantizes_input() && input_step_.value[0] <= 0.0f)
    input_step_.value[0] = initial_step(input.values(), QuantizerRange::of_inputs(options_.input_bits));
}

void MatrixLayer::forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) {
  Workspace& work = workspaces_[shard];
  const std::size_t images = shard_size(input.images(), shard);
  const auto values = shard_values(input, shard);
  const auto result = shard_values(output, shard);
  const bool hardware = pass.hook != nullptr && is_quantized();

  const float* operand = values.data();
  if (quantizes_input()) {
    work.codes.resize(images, geometry_.input());
    quantize(values, input_step(), QuantizerRange::of_inputs(options_.input_bits), work.codes.values());
    operand = work.codes.data();
  }
  const bool scaled = quantizes_input() || quantizes_weights();
  if (!scaled) {
    kernel_.forward(images, operand, result.data());
    scale_and_add_rows(result, 1.0f, bias_.value, result);
    return;
  }
  work.product.resize(images, geometry_.output());
  work.slope.resize(hardware && pass.context.training ? images : 0, geometry_.output());
  if (hardware)
    pass.hook->product(*this, shard, pass.context, work.codes, work.product,
                       work.slope.empty() ? nullptr : &work.slope);
  else
    kernel_.forward(images, operand, work.product.data());
  scale_and_add_rows(work.product.values(), input_step() * weight_step(), bias_.value, result);
}

void MatrixLayer::backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor&,
                                 const Tensor& output_gradient, Tensor& input_gradient) {
  Workspace& work = workspaces_[shard];
  const std::size_t images = shard_size(input.images(), shard);
  const auto values = shard_values(input, shard);
  const auto gradient = shard_values(output_gradient, shard);

  work.bias_gradient.assign(geometry_.out_c, 0.0f);
  add_row_sums(gradient, work.bias_gradient);
  const bool scaled = quantizes_input() || quantizes_weights();
  if (scaled) work.product_sum = dot(gradient, work.product.values());

  const float* product_gradient = gradient.data();
  if (scaled && !work.slope.empty()) {
    multiply_into(gradient, work.slope.values());
    product_gradient = work.slope.data();
  }
  work.weight_gradient.resize(1, {1, 1, kernel_.packed_size()});
  const float* operand = quantizes_input() ? work.codes.data() : values.data();
  kernel_.backward_weights(images, operand, product_gradient, work.weight_gradient.data());
  backward_input_shard(pass, shard, values, product_gradient, input_gradient);
}

void MatrixLayer::backward_input_shard(const Pass& pass, std::size_t shard, std::span<const float> values,
                                       const float* product_gradient, Tensor& input_gradient) {
  Workspace& work = workspaces_[shard];
  const std::size_t images = values.size() / geometry_.input().size();
  const auto range = QuantizerRange::of_inputs(quantizes_input() ? options_.input_bits : 1);
  if (pass.input_gradient) {
    const auto gradient = shard_values(input_gradient, shard);
    kernel_.backward_input(images, product_gradient, gradient.data());
    // d x_code / d x = 1/s_x inside the range and y = s_x s_w z: one factor s_x cancels.
    if (quantizes_input())
      work.input_sum = pass_straight_through(values, input_step(), range, weight_step(), gradient);
    else if (quantizes_weights())
      for (float& value : gradient) value *= weight_step();
    return;
  }
  if (!quantizes_input()) return;
  // Nobody needs the input's gradient; its sum with x / s_x is had from a forward product, which is cheaper.
  work.ratio.resize(images, geometry_.input());
  work.ratio_product.resize(images, geometry_.output());
  inside_ratio(values, input_step(), range, work.ratio.values());
  kernel_.forward(images, work.ratio.data(), work.ratio_product.data());
  work.input_sum = dot({product_gradient, work.ratio_product.size()}, work.ratio_product.values());
}

void MatrixLayer::end_backward(std::size_t shards) {
  Workspace& first = workspaces_[0];
  double product_sum = 0.0, input_sum = 0.0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const Workspace& work = workspaces_[shard];
    product_sum += work.product_sum;
    input_sum += work.input_sum;
    if (shard == 0) continue;
    add_into(work.weight_gradient.values(), first.weight_gradient.values());
    add_into(work.bias_gradient, first.bias_gradient);
  }
  std::ranges::copy(first.bias_gradient, bias_.gradient.begin());
  kernel_.unpack_gradient(first.weight_gradient.data(), weight_.gradient.data());

  double weight_sum = 0.0;
  if (quantizes_weights()) {
    const auto range = QuantizerRange::of_weights(options_.weight_bits);
    weight_sum = pass_straight_through(weight_.value, weight_step(), range, input_step(), weight_.gradient);
    weight_step_.gradient[0] = static_cast<float>(static_cast<double>(input_step()) * (product_sum - weight_sum) *
                                                  step_gradient_scale(weight_.value.size(), range));
  } else if (quantizes_input()) {
    for (float& value : weight_.gradient) value *= input_step();
  }
  if (!quantizes_input()) return;
  const auto range = QuantizerRange::of_inputs(options_.input_bits);
  input_step_.gradient[0] = static_cast<float>(static_cast<double>(weight_step()) * (product_sum - input_sum) *
                                               step_gradient_scale(geometry_.input().size(), range));
}

}  // namespace errata::training
