// Nodes that become layers.
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "training/onnx/importer.h"

namespace errata::training::onnx {

Window Importer::window(const ImageShape& shape, std::size_t kernel_h, std::size_t kernel_w) {
  constexpr std::int64_t kLargest = 4096;
  Window w{kernel_h, kernel_w};
  const auto list = [&](const char* name, std::size_t count, std::int64_t least) {
    const auto given = integers(name);
    if (!given) return std::vector<std::int64_t>{};
    need(given->size() == count, fmt::format("{} has {} entries, need {}", name, given->size(), count));
    for (const std::int64_t value : *given)
      need(value >= least && value <= kLargest, fmt::format("{} has {}, need {} … {}", name, value, least, kLargest));
    return *given;
  };
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  if (const auto strides = list("strides", 2, 1); !strides.empty())
    w.stride_h = size(strides[0]), w.stride_w = size(strides[1]);
  for (const std::int64_t dilation : list("dilations", 2, 1)) need(dilation == 1, "dilation is not supported");
  const std::string automatic = text("auto_pad", "NOTSET");
  if (const auto pads = list("pads", 4, 0); !pads.empty() && automatic == "NOTSET")
    w.pad_top = size(pads[0]), w.pad_left = size(pads[1]), w.pad_bottom = size(pads[2]), w.pad_right = size(pads[3]);
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    const auto total = [](std::size_t in, std::size_t kernel, std::size_t stride) {
      const std::size_t reach = ((in + stride - 1) / stride - 1) * stride + kernel;
      return reach > in ? reach - in : 0;
    };
    const std::size_t vertical = total(shape.height, w.kernel_h, w.stride_h),
                      horizontal = total(shape.width, w.kernel_w, w.stride_w);
    const std::size_t odd = automatic == "SAME_LOWER" ? 1 : 0;
    w.pad_top = (vertical + odd) / 2;
    w.pad_left = (horizontal + odd) / 2;
    w.pad_bottom = vertical - w.pad_top;
    w.pad_right = horizontal - w.pad_left;
  } else {
    need(automatic == "NOTSET" || automatic == "VALID", fmt::format("auto_pad '{}' is not known", automatic));
  }
  return w;
}

void Importer::take_zeros(const Flow& input, Window& w) const {
  need(!input.is_padded() || text("auto_pad", "NOTSET") == "NOTSET" || text("auto_pad", "NOTSET") == "VALID",
       "has automatic padding after a Pad");
  w.pad_top += input.zeros[0];
  w.pad_left += input.zeros[1];
  w.pad_bottom += input.zeros[2];
  w.pad_right += input.zeros[3];
}

ImageShape Importer::slid(const Window& w, const ImageShape& shape) const {
  try {
    return slide(w, shape, "window");
  } catch (const Error& failure) {
    fail(failure.what());
  }
}

void Importer::convolution() {
  const Flow& input = image(0);
  const Constant& weight = constant(1, "weight");
  need(weight.shape.size() == 4,
       fmt::format("its weight has {} axes; only convolutions of images are supported", weight.shape.size()));
  const std::vector<float>& values = reals(1, "weight");
  const auto outputs = static_cast<std::size_t>(weight.shape[0]), depth = static_cast<std::size_t>(weight.shape[1]),
             kernel_h = static_cast<std::size_t>(weight.shape[2]), kernel_w = static_cast<std::size_t>(weight.shape[3]);
  const std::int64_t group = integer("group", 1);
  const bool depthwise = group > 1 && static_cast<std::size_t>(group) == input.shape.channels && depth == 1 &&
                         outputs == input.shape.channels;
  need(group == 1 || depthwise, fmt::format("group = {}: only 1 and depthwise are supported", group));
  need(depthwise || depth == input.shape.channels,
       fmt::format("its weight takes {} channels, its input has {}", depth, input.shape.channels));
  if (const auto kernel = integers("kernel_shape"))
    need(*kernel == std::vector<std::int64_t>{weight.shape[2], weight.shape[3]},
         "kernel_shape differs from its weight's shape");

  LayerDescription layer = make(depthwise ? LayerKind::kDepthwiseConvolution : LayerKind::kConvolution);
  layer.window = window(input.shape, kernel_h, kernel_w);
  take_zeros(input, layer.window);
  layer.outputs = depthwise ? 0 : outputs;
  layer.bias = has_input(2);
  ImageShape shape = slid(layer.window, input.shape);
  shape.channels = outputs;
  // There [output][channel][row][column], here [row][column][channel][output].
  std::vector<float> here(values.size());
  const std::size_t taps = kernel_h * kernel_w;
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t c = 0; c < depth; ++c)
      for (std::size_t t = 0; t < taps; ++t) {
        const float value = values[(o * depth + c) * taps + t];
        here[depthwise ? t * outputs + o : (t * depth + c) * outputs + o] = value;
      }
  std::vector<float> bias;
  if (layer.bias) bias = reals(2, "bias", outputs);
  const std::string name = add(layer, input, shape);
  store(name + ".weight", std::move(here));
  if (layer.bias) store(name + ".bias", std::move(bias));
}

void Importer::linear(const Flow& input, std::size_t outputs, const std::vector<float>& there,
                      const std::vector<float>& bias) {
  const std::size_t inputs = input.shape.size();
  std::vector<float> here(inputs * outputs);
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t o = 0; o < outputs; ++o) here[feature_here(input, i) * outputs + o] = there[o * inputs + i];
  LayerDescription layer = make(LayerKind::kLinear);
  layer.outputs = outputs;
  layer.bias = !bias.empty();
  Flow from = input;
  from.channels_last = false;  // one row of features has no order
  const std::string name = add(layer, from, {1, 1, outputs});
  store(name + ".weight", std::move(here));
  if (!bias.empty()) store(name + ".bias", bias);
}

const Flow& Importer::features(std::size_t which) const {
  const Flow& found = flow(which);
  need(found.flat, "takes rows of features, but its input is an image: a Flatten is missing");
  return found;
}

void Importer::gemm() {
  const Flow& input = features(0);
  need(integer("transA", 0) == 0, "transA is not supported");
  const bool transposed = integer("transB", 0) != 0;
  const Constant& matrix = constant(1, "weight");
  need(matrix.shape.size() == 2, "its weight is not a matrix");
  const auto inputs = static_cast<std::size_t>(matrix.shape[transposed ? 1 : 0]),
             outputs = static_cast<std::size_t>(matrix.shape[transposed ? 0 : 1]);
  need(inputs == input.shape.size(),
       fmt::format("its weight takes {} features, its input has {}", inputs, input.shape.size()));
  const std::vector<float>& values = reals(1, "weight");
  const auto alpha = static_cast<float>(real("alpha", 1.0)), beta = static_cast<float>(real("beta", 1.0));
  std::vector<float> bias;
  if (has_input(2)) {
    const std::vector<float>& given = reals(2, "bias");
    need(given.size() == outputs || given.size() == 1,
         fmt::format("its bias has {} values, need {}", given.size(), outputs));
    for (std::size_t o = 0; o < outputs; ++o) bias.push_back(beta * given[given.size() == 1 ? 0 : o]);
  }
  std::vector<float> rows(values.size());
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t k = 0; k < inputs; ++k)
      rows[o * inputs + k] = alpha * values[transposed ? o * inputs + k : k * outputs + o];
  linear(input, outputs, rows, bias);
}

void Importer::matrix_product() {
  const Flow& input = features(0);
  const Constant& matrix = constant(1, "weight");
  need(matrix.shape.size() == 2, "its weight is not a matrix");
  const auto outputs = static_cast<std::size_t>(matrix.shape[1]);
  need(static_cast<std::size_t>(matrix.shape[0]) == input.shape.size(),
       fmt::format("its weight takes {} features, its input has {}", matrix.shape[0], input.shape.size()));
  const std::vector<float>& values = reals(1, "weight");
  std::vector<float> rows(values.size());
  for (std::size_t o = 0; o < outputs; ++o)
    for (std::size_t k = 0; k < input.shape.size(); ++k) rows[o * input.shape.size() + k] = values[k * outputs + o];
  linear(input, outputs, rows, {});
}

void Importer::sum() {
  const bool first = find_constant(0) != nullptr, second = find_constant(1) != nullptr;
  if (node_->inputs.size() == 2 && (first || second)) return add_bias(first ? 1 : 0, first ? 0 : 1);
  const Flow& input = flow(0);
  if (node_->inputs.size() == 1) return put(Flow(input));
  LayerDescription layer = make(LayerKind::kAddition);
  for (std::size_t i = 0; i < node_->inputs.size(); ++i) {
    const Flow& other = flow(i);
    need(other.shape == input.shape && other.flat == input.flat && other.channels_last == input.channels_last,
         "its inputs differ in shape; only sums of equal shapes are supported");
    layer.inputs.push_back(other.layer);
  }
  add(layer, input, input.shape);
}

void Importer::add_bias(std::size_t data, std::size_t added) {
  const Flow input = flow(data);
  const auto number = numbers_.find(input.layer);
  need(number != numbers_.end() && readers_[node_->inputs[data]] == 1,
       "adds a constant to something else than a layer's output");
  LayerDescription& layer = import_.description.layers[number->second];
  const bool matrix = layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kLinear ||
                      layer.kind == LayerKind::kDepthwiseConvolution;
  need(matrix, fmt::format("adds a constant to the output of {}; only a bias after Conv, Gemm or MatMul is supported",
                           kind_name(layer.kind)));
  const std::size_t channels = input.shape.channels;
  const Constant& constant = this->constant(added, "bias");
  const std::vector<float>& values = reals(added, "bias");
  std::size_t axis_of_channels = input.flat || input.channels_last ? 0 : 2;  // counted from the last axis
  bool per_channel = values.size() == 1;
  if (values.size() == channels && constant.shape.size() > axis_of_channels)
    per_channel = static_cast<std::size_t>(constant.shape[constant.shape.size() - 1 - axis_of_channels]) == channels;
  need(per_channel && (!input.flat || input.shape.height * input.shape.width == 1),
       "its constant is not one value per channel");
  std::vector<float> bias(channels);
  if (layer.bias) bias = import_.values.at(layer.name + ".bias");
  for (std::size_t c = 0; c < channels; ++c) bias[c] += values[values.size() == 1 ? 0 : c];
  layer.bias = true;
  store(layer.name + ".bias", std::move(bias));
  put(input);
}

void Importer::batch_norm() {
  const Flow& input = flow(0);
  need(!input.channels_last || input.flat, "takes channels first, but its input has them last");
  const bool spread = input.flat && input.shape.height * input.shape.width > 1;
  const std::size_t channels = input.flat ? input.shape.size() : input.shape.channels;
  std::array<std::vector<float>, 4> values;
  static constexpr std::array<std::string_view, 4> kWhat{"scale", "shift", "mean", "variance"};
  for (std::size_t k = 0; k < 4; ++k) {
    const std::vector<float>& there = reals(k + 1, kWhat[k], channels);
    values[k].resize(channels);
    for (std::size_t c = 0; c < channels; ++c) values[k][input.flat ? feature_here(input, c) : c] = there[c];
  }
  need(std::ranges::all_of(values[3], [](float v) { return v >= 0.0f; }), "its variance is negative");
  LayerDescription layer = make(LayerKind::kBatchNorm);
  layer.epsilon = real("epsilon", 1e-5);
  Flow from = input;
  if (spread) {  // a channel for each feature
    LayerDescription flat = make(LayerKind::kFlatten);
    flat.inputs = {input.layer};
    flat.name = names_.next(flat);
    import_.description.layers.push_back(flat);
    from.layer = flat.name;
  }
  const std::string name = add(layer, from, input.shape);
  store(name + ".scale", values[0]);
  store(name + ".shift", values[1]);
  store(name + ".running_mean", values[2]);
  store(name + ".running_variance", values[3]);
}

void Importer::relu() {
  const Flow& input = flow(0);
  add(make(LayerKind::kRelu), input, input.shape);
}

void Importer::clip() {
  const Flow& input = flow(0);
  const auto bound = [&](const char* name, std::size_t which, double otherwise) {
    if (graph_.opset < 11 || !has_input(which)) return real(name, otherwise);
    return static_cast<double>(reals(which, name, 1)[0]);
  };
  constexpr double kHuge = 3e38;  // of the largest float, which stands for none
  const double low = bound("min", 1, -kHuge), high = bound("max", 2, kHuge);
  need(low == 0.0 && high > 0.0, fmt::format("clips to {} … {}; only 0 … maximum is supported (ReLU6)", low, high));
  LayerDescription layer = make(LayerKind::kRelu);
  if (high < kHuge) layer.ceiling = high;
  add(layer, input, input.shape);
}

void Importer::pooling() {
  const Flow& input = image(0);
  const bool average = node_->operation == "AveragePool";
  const auto kernel = integers("kernel_shape");
  need(kernel && kernel->size() == 2 && (*kernel)[0] >= 1 && (*kernel)[1] >= 1 && (*kernel)[0] <= 4096 &&
           (*kernel)[1] <= 4096,
       "kernel_shape needs two sizes");
  need(integer("storage_order", 0) == 0, "storage_order is not supported");
  for (std::size_t i = 1; i < node_->outputs.size(); ++i)
    need(node_->outputs[i].empty() || readers_[node_->outputs[i]] == 0, "its indices are used, which is not supported");
  LayerDescription layer = make(average ? LayerKind::kAveragePooling : LayerKind::kMaxPooling);
  layer.window = window(input.shape, static_cast<std::size_t>((*kernel)[0]), static_cast<std::size_t>((*kernel)[1]));
  layer.counts_padding = average && integer("count_include_pad", 0) != 0 && layer.window.is_padded();
  if (input.is_padded()) {
    need(layer.counts_padding || !layer.window.is_padded(), "has padding of its own after a Pad");
    take_zeros(input, layer.window);
    layer.counts_padding = true;
  }
  if (integer("ceil_mode", 0) != 0) round_up(layer, input.shape);
  add(layer, input, slid(layer.window, input.shape));
}

void Importer::round_up(LayerDescription& layer, const ImageShape& shape) {
  Window& w = layer.window;
  const auto rest = [&](std::size_t size, std::size_t kernel, std::size_t stride, std::size_t begin, std::size_t end) {
    const std::size_t padded = size + begin + end;
    need(padded >= kernel, "its window is larger than the image");
    const std::size_t steps = (padded - kernel + stride - 1) / stride;
    if (steps * stride >= size + begin) return std::size_t{0};  // would begin in the padding: left out there as well
    const std::size_t reach = steps * stride + kernel;
    return reach > padded ? reach - padded : 0;
  };
  const std::size_t bottom = rest(shape.height, w.kernel_h, w.stride_h, w.pad_top, w.pad_bottom),
                    right = rest(shape.width, w.kernel_w, w.stride_w, w.pad_left, w.pad_right);
  need(bottom + right == 0 || !layer.counts_padding, "ceil_mode with count_include_pad is not supported");
  w.pad_bottom += bottom;
  w.pad_right += right;
}

void Importer::pad() {
  Flow padded = image(0);
  const auto attribute = integers("pads");
  const std::vector<std::int64_t> pads = attribute ? *attribute : constant(1, "padding").integers;
  need(text("mode", "constant") == "constant", "only padding with zeros is supported");
  const double value = has_input(2) ? static_cast<double>(reals(2, "value", 1)[0]) : real("value", 0.0);
  need(value == 0.0, "only padding with zeros is supported");
  need(pads.size() == 8 && !has_input(3) && pads[0] == 0 && pads[1] == 0 && pads[4] == 0 && pads[5] == 0,
       "only padding of rows and columns is supported");
  const std::array<std::size_t, 4> places{2, 3, 6, 7};
  for (std::size_t side = 0; side < 4; ++side) {
    const std::int64_t zeros = pads[places[side]];
    need(zeros >= 0 && zeros <= 4096, fmt::format("pads has {}, need 0 … 4096", zeros));
    padded.zeros[side] = static_cast<std::size_t>(zeros);
  }
  put(std::move(padded));
}

void Importer::global_pooling() {
  const Flow& input = image(0);
  LayerDescription layer = make(LayerKind::kGlobalAveragePooling);
  if (node_->operation == "GlobalMaxPool") {
    layer.kind = LayerKind::kMaxPooling;
    layer.window = {input.shape.height, input.shape.width, input.shape.height, input.shape.width};
  }
  add(layer, input, {1, 1, input.shape.channels});
}

}  // namespace errata::training::onnx
