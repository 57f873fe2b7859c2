#include "training/layers/matrix_layer.h"

#include <algorithm>
#include <cmath>

#include "training/layers/image_convolution.h"
#include "training/layers/sums.h"
#include "training/shards.h"

namespace errata::training {

namespace {

Parameter step_parameter(std::string name) {
  Parameter step{std::move(name), {1}, {0.0f}, {0.0f}};
  step.minimum = kMinimumStep;
  step.bounded = true;
  return step;
}

double mean_magnitude(Shards batch) {
  double sum = 0.0;
  std::size_t count = 0;
  for (const Tensor& shard : batch) {
    for (const float value : shard.values()) sum += std::fabs(static_cast<double>(value));
    count += shard.size();
  }
  return sum / static_cast<double>(count);
}

}  // namespace

MatrixLayer::MatrixLayer(std::string name, std::size_t index, const MatrixGeometry& geometry,
                         QuantizationOptions options, Bias bias)
    : name_(std::move(name)),
      index_(index),
      geometry_(geometry),
      options_(options),
      has_bias_(bias == Bias::kLearned),
      weight_step_(step_parameter(name_ + ".weight_step")),
      input_step_(step_parameter(name_ + ".input_step")),
      kernel_(std::make_unique<MatrixKernel>(geometry)) {
  const std::size_t count = geometry.rows() * geometry.out_c;
  weight_ = {
      name_ + ".weight", {geometry.rows(), geometry.out_c}, std::vector<float>(count), std::vector<float>(count)};
  weight_.decays = true;
  bias_ = {name_ + ".bias", {geometry.out_c}, std::vector<float>(geometry.out_c), std::vector<float>(geometry.out_c)};
  weight_codes_.resize(quantizes_weights() ? count : 0);
  if (quantizes_weights() && options_.device.is_on()) {
    stairs_.emplace(options_.device, static_cast<int>(QuantizerRange::of_weights(options_.weight_bits).high));
    weight_levels_.resize(count);
  }
  no_bias_.resize(geometry.out_c);
}

float MatrixLayer::weight_step() const { return quantizes_weights() ? weight_step_.value[0] : 1.0f; }
float MatrixLayer::input_step() const { return quantizes_input() ? input_step_.value[0] : 1.0f; }

std::vector<Parameter*> MatrixLayer::parameters() {
  std::vector<Parameter*> all{&weight_};
  if (has_bias_) all.push_back(&bias_);
  if (quantizes_weights()) all.push_back(&weight_step_);
  if (quantizes_input()) all.push_back(&input_step_);
  return all;
}

void MatrixLayer::update_codes(WeightUse use) {
  if (!quantizes_weights()) return;
  const auto range = QuantizerRange::of_weights(options_.weight_bits);
  float& step = weight_step_.value[0];
  if (step <= 0.0f) step = initial_step(weight_.value, range);
  device_slopes_.clear();
  if (!stairs_) return quantize(weight_.value, step, range, weight_codes_);
  quantize(weight_.value, step, range, weight_levels_);
  const bool smooth = use == WeightUse::kTraining && options_.device.gradient == DeviceGradient::kSmooth;
  if (!smooth || temperature_ <= 0.0) return stairs_->hard(weight_levels_, weight_codes_);
  device_slopes_.resize(weight_.value.size());
  stairs_->smooth(weight_.value, step, temperature_, weight_codes_, device_slopes_);
}

void MatrixLayer::ideal_product(const Tensor& codes, Tensor& product) const {
  kernel_->forward(codes.images(), codes.data(), no_bias_.data(), product.data());
}

void MatrixLayer::begin_forward(const Pass& pass, Shards input) {
  const std::size_t shards = shard_count(pass.images);
  kernel_->prepare(shard_size(pass.images, 0), pass.team->threads());
  kernel_->prepare(shard_size(pass.images, shards - 1), pass.team->threads());
  kernel_->set_weights(weight_codes(),
                       pass.context.training ? MatrixKernel::Use::kForwardAndBackward : MatrixKernel::Use::kForward);
  if (workspaces_.size() < shards) workspaces_.resize(shards);
  if (quantizes_input() && input_step_.value[0] <= 0.0f)
    input_step_.value[0] = initial_step(mean_magnitude(input), QuantizerRange::of_inputs(options_.input_bits));
}

void MatrixLayer::forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                                Tensor& output) {
  Workspace& work = workspaces_[shard];
  const Tensor& input = *inputs[0];
  const std::size_t images = input.images();
  if (!quantizes_input() && !quantizes_weights()) {
    kernel_->forward(images, input.data(), bias_.value.data(), output.data());
    return;
  }
  if (quantizes_input()) {
    work.codes.resize(images, geometry_.input());
    quantize(input.values(), input_step(), QuantizerRange::of_inputs(options_.input_bits), work.codes.values());
  }
  const bool hardware = pass.hook != nullptr && is_quantized();
  work.product.resize(images, geometry_.output());
  work.slope.resize(hardware && pass.context.training ? images : 0, geometry_.output());
  if (hardware)
    pass.hook->product(*this, shard, pass.context, work.codes, work.product,
                       work.slope.empty() ? nullptr : &work.slope);
  else
    kernel_->forward(images, operand_of(shard, input), no_bias_.data(), work.product.data());
  scale_and_add_rows(work.product.values(), input_step() * weight_step(), bias_.value, output.values());
}

const float* MatrixLayer::operand_of(std::size_t shard, const Tensor& input) const {
  return quantizes_input() ? workspaces_[shard].codes.data() : input.data();
}

const float* MatrixLayer::product_gradient_of(std::size_t shard, const Tensor& output_gradient) const {
  const Tensor& slope = workspaces_[shard].slope;
  return slope.empty() ? output_gradient.data() : slope.data();
}

void MatrixLayer::begin_backward_shard(std::size_t shard, const Tensor& output_gradient) {
  Workspace& work = workspaces_[shard];
  work.bias_gradient.assign(geometry_.out_c, 0.0f);
  const bool scaled = quantizes_input() || quantizes_weights();
  // A convolution without slope gets its bias' gradient on the way from oneDNN.
  const bool sums_rows = geometry_.is_linear() || !work.slope.empty();
  // In blocks that stay in the first-level cache from one loop to the next.
  constexpr std::size_t kBlockValues = 1 << 11;
  const std::size_t columns = geometry_.out_c, block = std::max<std::size_t>(1, kBlockValues / columns) * columns;
  work.product_sum = 0.0;
  for (std::size_t begin = 0; begin < output_gradient.size(); begin += block) {
    const std::size_t count = std::min(block, output_gradient.size() - begin);
    const auto gradient = output_gradient.values().subspan(begin, count);
    if (scaled) work.product_sum += dot(gradient, work.product.values().subspan(begin, count));
    if (sums_rows) add_row_sums(gradient, work.bias_gradient);
    if (!work.slope.empty()) multiply_into(gradient, work.slope.values().subspan(begin, count));
  }
}

void MatrixLayer::begin_backward(const Pass& pass, Shards input, Shards output_gradient) {
  if (!geometry_.is_linear()) return;
  pass.team->for_each(input.size(), [&](std::size_t shard) { begin_backward_shard(shard, output_gradient[shard]); });
  linear_weight_gradient(pass, input, output_gradient);
}

/// Pieces of the matrix in parallel, each over all shards in order: no sum over shards is left.
void MatrixLayer::linear_weight_gradient(const Pass& pass, Shards input, Shards output_gradient) {
  constexpr std::size_t kPieceValues = 1 << 15;  // 128 KiB stay in the second-level cache over the shards
  const std::size_t rows = geometry_.rows(), columns = geometry_.out_c;
  const std::size_t piece = std::clamp<std::size_t>(kPieceValues / columns, 16, rows);
  pass.team->for_each((rows + piece - 1) / piece, [&](std::size_t number) {
    const std::size_t first = number * piece, count = std::min(piece, rows - first);
    for (std::size_t shard = 0; shard < input.size(); ++shard)
      kernel_->backward_rows(first, count, input[shard].images(), operand_of(shard, input[shard]),
                             product_gradient_of(shard, output_gradient[shard]),
                             shard == 0 ? MatrixKernel::Sum::kStart : MatrixKernel::Sum::kAdd,
                             weight_.gradient.data() + first * columns);
  });
}

void MatrixLayer::backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor&,
                                 Tensor& output_gradient, Tensor& input_gradient) {
  Workspace& work = workspaces_[shard];
  if (!geometry_.is_linear()) {
    begin_backward_shard(shard, output_gradient);
    work.weight_gradient.resize(1, {1, 1, kernel_->packed_size() + geometry_.out_c});
    float* packed = work.weight_gradient.data();
    float* bias = packed + kernel_->packed_size();
    kernel_->backward_weights(input.images(), operand_of(shard, input), product_gradient_of(shard, output_gradient),
                              packed, bias);
    if (work.slope.empty()) std::copy_n(bias, geometry_.out_c, work.bias_gradient.begin());
  }
  backward_input_shard(pass, shard, input, product_gradient_of(shard, output_gradient), input_gradient);
}

void MatrixLayer::backward_input_shard(const Pass& pass, std::size_t shard, const Tensor& input,
                                       const float* product_gradient, Tensor& input_gradient) {
  Workspace& work = workspaces_[shard];
  const std::size_t images = input.images();
  const auto range = QuantizerRange::of_inputs(quantizes_input() ? options_.input_bits : 1);
  if (pass.input_gradient) {
    kernel_->backward_input(images, product_gradient, input_gradient.data());
    // d x_code / d x = 1/s_x inside the range and y = s_x s_w z: one factor s_x cancels.
    if (quantizes_input())
      work.input_sum =
          pass_straight_through(input.values(), input_step(), range, weight_step(), input_gradient.values());
    else if (quantizes_weights())
      scale(weight_step(), input_gradient.values());
    return;
  }
  if (!quantizes_input()) return;
  // Nobody needs the input's gradient; its sum with x / s_x is had from a forward product, which is cheaper.
  work.ratio.resize(images, geometry_.input());
  inside_ratio(input.values(), input_step(), range, work.ratio.values());
  if (!geometry_.is_linear()) {
    work.input_sum =
        ImageConvolution(geometry_, weight_codes()).gradient_sum(images, work.ratio.data(), product_gradient);
    return;
  }
  work.ratio_product.resize(images, geometry_.output());
  kernel_->forward(images, work.ratio.data(), no_bias_.data(), work.ratio_product.data());
  work.input_sum = dot({product_gradient, work.ratio_product.size()}, work.ratio_product.values());
}

/// Adds the shards' gradients to those of the first, in order of the shards.
void MatrixLayer::sum_shards(const Pass& pass) {
  const std::size_t shards = shard_count(pass.images);
  Workspace& first = workspaces_[0];
  for (std::size_t shard = 1; shard < shards; ++shard) add_into(workspaces_[shard].bias_gradient, first.bias_gradient);
  std::ranges::copy(first.bias_gradient, bias_.gradient.begin());
  if (geometry_.is_linear()) return;
  constexpr std::size_t kPiece = 1 << 14;
  const std::size_t size = kernel_->packed_size();
  pass.team->for_each((size + kPiece - 1) / kPiece, [&](std::size_t number) {
    const std::size_t begin = number * kPiece, count = std::min(kPiece, size - begin);
    for (std::size_t shard = 1; shard < shards; ++shard)
      add_into({workspaces_[shard].weight_gradient.data() + begin, count},
               {first.weight_gradient.data() + begin, count});
  });
  kernel_->unpack_gradient(first.weight_gradient.data(), weight_.gradient.data());
}

double MatrixLayer::pass_weight_gradient() {
  const float step = weight_step();
  if (device_slopes_.empty())
    return pass_straight_through(weight_.value, step, QuantizerRange::of_weights(options_.weight_bits), input_step(),
                                 weight_.gradient);
  multiply_into(device_slopes_, weight_.gradient);
  const double sum = dot(weight_.gradient, weight_.value) / static_cast<double>(step);
  scale(input_step(), weight_.gradient);
  return sum;
}

void MatrixLayer::end_backward(const Pass& pass) {
  sum_shards(pass);
  double product_sum = 0.0, input_sum = 0.0;
  for (std::size_t shard = 0; shard < shard_count(pass.images); ++shard) {
    product_sum += workspaces_[shard].product_sum;
    input_sum += workspaces_[shard].input_sum;
  }

  double weight_sum = 0.0;
  if (quantizes_weights()) {
    const auto range = QuantizerRange::of_weights(options_.weight_bits);
    weight_sum = pass_weight_gradient();
    weight_step_.gradient[0] = static_cast<float>(static_cast<double>(input_step()) * (product_sum - weight_sum) *
                                                  step_gradient_scale(weight_.value.size(), range));
  } else if (quantizes_input()) {
    scale(input_step(), weight_.gradient);
  }
  if (!quantizes_input()) return;
  const auto range = QuantizerRange::of_inputs(options_.input_bits);
  input_step_.gradient[0] = static_cast<float>(static_cast<double>(weight_step()) * (product_sum - input_sum) *
                                               step_gradient_scale(geometry_.input().size(), range));
}

}  // namespace errata::training
