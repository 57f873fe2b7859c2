#include "training/onnx/onnx_export.h"

#include <fmt/format.h>

#include <optional>

#include "core/error.h"
#include "training/layers/batch_norm.h"
#include "training/layers/depthwise_layer.h"
#include "training/layers/quantizer.h"

namespace errata::training::onnx {

namespace {

std::int64_t size_of(std::size_t value) { return static_cast<std::int64_t>(value); }

Attribute number(std::size_t value) {
  Attribute a;
  a.kind = Attribute::Kind::kInteger;
  a.integer = size_of(value);
  return a;
}

Attribute real(double value) {
  Attribute a;
  a.kind = Attribute::Kind::kReal;
  a.real = static_cast<float>(value);
  return a;
}

Attribute list(std::initializer_list<std::size_t> values) {
  Attribute a;
  a.kind = Attribute::Kind::kIntegers;
  for (const std::size_t value : values) a.integers.push_back(size_of(value));
  return a;
}

class Exporter {
 public:
  explicit Exporter(const Network& network) : network_(network), checked_(check_description(network.description())) {
    graph_.producer = "errata";
  }

  Graph graph() {
    const auto& d = network_.description();
    graph_.inputs = {
        {"images", {Value::kAnySize, size_of(d.input.channels), size_of(d.input.height), size_of(d.input.width)}}};
    flat_from_.resize(d.layers.size());
    for (number_ = 0; number_ < d.layers.size(); ++number_)
      export_layer(d.layers[number_], *network_.layers()[number_]);
    std::string last = d.layers.back().name;
    if (!is_flat(d.layers.size() - 1)) {
      node("Flatten", {last}, "logits", {{"axis", number(1)}});
      last = "logits";
    }
    graph_.outputs = {{last, {Value::kAnySize, size_of(d.classes)}}};
    return std::move(graph_);
  }

 private:
  static constexpr std::size_t kImageInput = CheckedDescription::kImageInput;

  /// A flat value keeps the order (channel, row, column) of the image it came from.
  bool is_flat(std::size_t layer) const { return layer != kImageInput && flat_from_[layer].has_value(); }
  ImageShape shape_of(std::size_t layer) const {
    return layer == kImageInput ? network_.description().input : checked_.shapes[layer];
  }
  /// Number there of a feature of the layer's input.
  std::size_t feature_there(const ImageShape& image, std::size_t here) const {
    return here % image.channels * image.height * image.width + here / image.channels;
  }

  void node(const std::string& operation, std::vector<std::string> inputs, const std::string& output,
            std::map<std::string, Attribute> attributes = {}) {
    graph_.nodes.push_back({operation, output, std::move(inputs), {output}, std::move(attributes)});
  }
  std::string constant(const std::string& name, std::vector<std::int64_t> shape, std::vector<float> values) {
    Constant made;
    made.shape = std::move(shape);
    made.reals = std::move(values);
    graph_.constants.emplace(name, std::move(made));
    return name;
  }

  static std::map<std::string, Attribute> window_attributes(const Window& w) {
    return {{"kernel_shape", list({w.kernel_h, w.kernel_w})},
            {"strides", list({w.stride_h, w.stride_w})},
            {"pads", list({w.pad_top, w.pad_left, w.pad_bottom, w.pad_right})}};
  }

  void export_layer(const LayerDescription& d, const Layer& layer) {
    const std::size_t input = checked_.inputs[number_][0];
    const std::string& from = d.inputs[0];
    if (is_flat(input)) flat_from_[number_] = flat_from_[input];
    switch (d.kind) {
      case LayerKind::kConvolution:
        return convolution(d, dynamic_cast<const MatrixLayer&>(layer));
      case LayerKind::kLinear:
        return linear(d, dynamic_cast<const MatrixLayer&>(layer));
      case LayerKind::kDepthwiseConvolution:
        return depthwise(d, dynamic_cast<const DepthwiseLayer&>(layer));
      case LayerKind::kBatchNorm:
        return batch_norm(d, dynamic_cast<const BatchNorm&>(layer));
      case LayerKind::kRelu:
        return relu(d);
      case LayerKind::kMaxPooling:
      case LayerKind::kAveragePooling: {
        image_only(d, input);
        auto attributes = window_attributes(d.window);
        if (d.kind == LayerKind::kAveragePooling)
          attributes.emplace("count_include_pad", number(d.counts_padding ? 1 : 0));
        return node(d.kind == LayerKind::kMaxPooling ? "MaxPool" : "AveragePool", {from}, d.name,
                    std::move(attributes));
      }
      case LayerKind::kGlobalAveragePooling:
        image_only(d, input);
        return node("GlobalAveragePool", {from}, d.name);
      case LayerKind::kFlatten:
        if (is_flat(input)) return node("Identity", {from}, d.name);
        flat_from_[number_] = shape_of(input);
        return node("Flatten", {from}, d.name, {{"axis", number(1)}});
      case LayerKind::kDropout:
        return node("Identity", {from}, d.name);
      case LayerKind::kAddition:
        return addition(d);
    }
  }

  void image_only(const LayerDescription& d, std::size_t input) const {
    if (is_flat(input))
      throw Error(ExitStatus::kUsage, "E516",
                  fmt::format("layer '{}' works on flattened features; ONNX cannot say that", d.name),
                  "leave out the flatten layer before it");
  }

  /// The quantised input of a matrix layer, by name; the input itself without quantisation.
  std::string quantized_input(const LayerDescription& d, const MatrixLayer& layer) {
    const int bits = layer.quantization().input_bits;
    if (bits == 0) return d.inputs[0];
    if (bits > 8) throw Error(ExitStatus::kUsage, "E516", fmt::format("ONNX export of {} input bits: at most 8", bits));
    const float step = layer.input_step(), high = QuantizerRange::of_inputs(bits).high;
    const std::string scale = constant(d.name + ".input_step", {}, {step});
    // QuantizeLinear rounds half to even as errata does, and saturates at 255 only.
    node("Clip",
         {d.inputs[0], constant(d.name + ".zero", {}, {0.0f}), constant(d.name + ".input_high", {}, {step * high})},
         d.name + ".clipped");
    node("QuantizeLinear", {d.name + ".clipped", scale}, d.name + ".codes");
    node("DequantizeLinear", {d.name + ".codes", scale}, d.name + ".input");
    return d.name + ".input";
  }

  static std::vector<float> weights_of(const MatrixLayer& layer) {
    std::vector<float> values(layer.weight().value);
    const int bits = layer.quantization().weight_bits;
    if (bits == 0) return values;
    const auto range = QuantizerRange::of_weights(bits);
    const float step = layer.weight_step() > 0.0f ? layer.weight_step() : initial_step(values, range);
    quantize(layer.weight().value, step, range, values);
    if (layer.quantization().device.is_on())
      DeviceStaircase(layer.quantization().device, static_cast<int>(range.high)).hard(values, values);
    for (float& value : values) value *= step;
    return values;
  }

  void convolution(const LayerDescription& d, const MatrixLayer& layer) {
    image_only(d, checked_.inputs[number_][0]);
    const MatrixGeometry& g = layer.geometry();
    const std::vector<float> here = weights_of(layer);
    const std::size_t taps = g.window.taps();
    std::vector<float> there(here.size());
    for (std::size_t t = 0; t < taps; ++t)
      for (std::size_t c = 0; c < g.in_c; ++c)
        for (std::size_t o = 0; o < g.out_c; ++o)
          there[(o * g.in_c + c) * taps + t] = here[(t * g.in_c + c) * g.out_c + o];
    std::vector<std::string> inputs{quantized_input(d, layer)};
    inputs.push_back(constant(
        d.name + ".weight", {size_of(g.out_c), size_of(g.in_c), size_of(g.window.kernel_h), size_of(g.window.kernel_w)},
        std::move(there)));
    if (layer.has_bias()) inputs.push_back(constant(d.name + ".bias", {size_of(g.out_c)}, layer.bias().value));
    node("Conv", std::move(inputs), d.name, window_attributes(d.window));
  }

  void depthwise(const LayerDescription& d, const DepthwiseLayer& layer) {
    image_only(d, checked_.inputs[number_][0]);
    const std::vector<float>& here = layer.weight().value;
    const std::size_t channels = layer.output_shape().channels, taps = d.window.taps();
    std::vector<float> there(here.size());
    for (std::size_t t = 0; t < taps; ++t)
      for (std::size_t c = 0; c < channels; ++c) there[c * taps + t] = here[t * channels + c];
    std::vector<std::string> inputs{d.inputs[0]};
    inputs.push_back(constant(d.name + ".weight",
                              {size_of(channels), 1, size_of(d.window.kernel_h), size_of(d.window.kernel_w)},
                              std::move(there)));
    if (layer.has_bias()) inputs.push_back(constant(d.name + ".bias", {size_of(channels)}, layer.bias().value));
    auto attributes = window_attributes(d.window);
    attributes.emplace("group", number(channels));
    node("Conv", std::move(inputs), d.name, std::move(attributes));
  }

  void linear(const LayerDescription& d, const MatrixLayer& layer) {
    const std::size_t input = checked_.inputs[number_][0];
    const std::vector<float> here = weights_of(layer);
    const std::size_t rows = layer.geometry().rows(), outputs = layer.geometry().out_c;
    const ImageShape image = is_flat(input) ? *flat_from_[input] : shape_of(input);
    std::string from = quantized_input(d, layer);
    if (!is_flat(input)) {
      node("Flatten", {from}, d.name + ".flat", {{"axis", number(1)}});
      from = d.name + ".flat";
    }
    std::vector<float> there(here.size());
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t o = 0; o < outputs; ++o) there[o * rows + feature_there(image, r)] = here[r * outputs + o];
    std::vector<std::string> inputs{from,
                                    constant(d.name + ".weight", {size_of(outputs), size_of(rows)}, std::move(there))};
    if (layer.has_bias()) inputs.push_back(constant(d.name + ".bias", {size_of(outputs)}, layer.bias().value));
    node("Gemm", std::move(inputs), d.name, {{"transB", number(1)}});
    flat_from_[number_] = ImageShape{1, 1, outputs};
  }

  void batch_norm(const LayerDescription& d, const BatchNorm& layer) {
    const std::size_t input = checked_.inputs[number_][0];
    const std::size_t channels = layer.output_shape().channels;
    const auto put = [&](const char* what, const std::vector<float>& here) {
      std::vector<float> there(here);
      if (is_flat(input))
        for (std::size_t c = 0; c < channels; ++c) there[feature_there(*flat_from_[input], c)] = here[c];
      return constant(fmt::format("{}.{}", d.name, what), {size_of(channels)}, std::move(there));
    };
    node("BatchNormalization",
         {d.inputs[0], put("scale", layer.scale().value), put("shift", layer.shift().value),
          put("mean", layer.running_mean()), put("variance", layer.running_variance())},
         d.name, {{"epsilon", real(layer.epsilon())}});
  }

  void relu(const LayerDescription& d) {
    if (!d.ceiling) return node("Relu", {d.inputs[0]}, d.name);
    node("Clip",
         {d.inputs[0], constant(d.name + ".low", {}, {0.0f}),
          constant(d.name + ".high", {}, {static_cast<float>(*d.ceiling)})},
         d.name);
  }

  void addition(const LayerDescription& d) {
    for (const std::size_t input : checked_.inputs[number_])
      if (is_flat(input) != is_flat(checked_.inputs[number_][0]) ||
          (is_flat(input) && !(*flat_from_[input] == *flat_from_[checked_.inputs[number_][0]])))
        throw Error(ExitStatus::kUsage, "E516",
                    fmt::format("layer '{}' adds features of different origin; ONNX cannot say that", d.name));
    node(d.inputs.size() == 2 ? "Add" : "Sum", d.inputs, d.name);
  }

  const Network& network_;
  CheckedDescription checked_;
  Graph graph_;
  std::size_t number_ = 0;
  std::vector<std::optional<ImageShape>> flat_from_;  ///< per layer: of a flat value, the image it came from
};

}  // namespace

Graph export_graph(const Network& network) { return Exporter(network).graph(); }

}  // namespace errata::training::onnx
