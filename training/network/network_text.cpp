#include "training/network/network_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/diagnostic.h"
#include "core/toml_document.h"

namespace errata::training {

namespace {

using Kind = TomlValue::Kind;

/// Keys of a layer besides type, name and inputs, by its kind.
std::vector<std::string> keys_of(LayerKind kind) {
  switch (kind) {
    case LayerKind::kConvolution:
      return {"channels", "kernel", "stride", "padding", "bias", "digital", "weight_bits", "input_bits"};
    case LayerKind::kDepthwiseConvolution:
      return {"kernel", "stride", "padding", "bias"};
    case LayerKind::kLinear:
      return {"features", "bias", "digital", "weight_bits", "input_bits"};
    case LayerKind::kBatchNorm:
      return {"epsilon"};
    case LayerKind::kRelu:
      return {"ceiling"};
    case LayerKind::kMaxPooling:
      return {"window", "stride", "padding"};
    case LayerKind::kAveragePooling:
      return {"window", "stride", "padding", "counts_padding"};
    case LayerKind::kDropout:
      return {"probability"};
    case LayerKind::kGlobalAveragePooling:
    case LayerKind::kFlatten:
    case LayerKind::kAddition:
      return {};
  }
  return {};
}

bool is_needed(LayerKind kind, std::string_view key) {
  return key == "channels" || key == "kernel" || key == "features" || key == "window" ||
         (kind == LayerKind::kDropout && key == "probability");
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file, ImageShape input, std::size_t classes)
      : text_(text), file_(file) {
    description_.input = input;
    description_.classes = classes;
  }

  NetworkDescription read() {
    const TomlValue root = parse_toml(text_, file_);
    for (const TomlMember& member : root.members) {
      if (member.key != "layer")
        unknown(member, {"layer"});
      else if (member.value.kind != Kind::kArray || member.value.items.empty())
        report(member.value.position, "layer is a list of tables", "write each layer as [[layer]]");
      else
        for (const TomlValue& item : member.value.items) read_layer(item);
    }
    if (root.members.empty()) report({file_, 1, 1}, "the file has no layers", "write each layer as [[layer]]");
    if (diagnostics_.empty()) check();
    throw_if_errors(diagnostics_);
    return std::move(description_);
  }

 private:
  void report(const SourcePosition& where, std::string message, std::string hint = {}) {
    diagnostics_.push_back({.code = "E514",
                            .position = where,
                            .message = std::move(message),
                            .hint = std::move(hint),
                            .excerpt = line_of(text_, where)});
  }

  void unknown(const TomlMember& member, const std::vector<std::string>& known) {
    const std::string near = nearest_name(member.key, known);
    report(
        member.position, fmt::format("unknown key '{}'", member.key),
        near.empty() ? fmt::format("known here: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
  }

  void read_layer(const TomlValue& table) {
    if (table.kind != Kind::kTable) return report(table.position, "a layer is a table", "write [[layer]]");
    LayerDescription layer;
    const auto type = std::ranges::find(table.members, "type", &TomlMember::key);
    if (type == table.members.end())
      return report(table.position, "the layer has no type", fmt::format("one of: {}", fmt::join(kind_names(), ", ")));
    const auto kind = type->value.kind == Kind::kText ? kind_of(type->value.text) : std::nullopt;
    if (!kind) {
      const std::vector<std::string> known(kind_names().begin(), kind_names().end());
      const std::string near = nearest_name(type->value.text, known);
      return report(
          type->value.position, fmt::format("no layer is of type '{}'", type->value.text),
          near.empty() ? fmt::format("one of: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
    }
    layer.kind = *kind;
    read_members(table, layer);
    name(layer);
    positions_.push_back(table.position);
    description_.layers.push_back(std::move(layer));
  }

  void read_members(const TomlValue& table, LayerDescription& layer) {
    const std::vector<std::string> own = keys_of(layer.kind);
    std::vector<std::string> known = own;
    known.insert(known.end(), {"type", "name", "input", "inputs"});
    if (layer.kind == LayerKind::kMaxPooling || layer.kind == LayerKind::kAveragePooling) layer.window = {0, 0, 0, 0};
    for (const TomlMember& member : table.members) {
      if (std::ranges::find(known, member.key) == known.end())
        unknown(member, known);
      else
        read_member(member, layer);
    }
    for (const auto& key : own)
      if (is_needed(layer.kind, key) && std::ranges::find(table.members, key, &TomlMember::key) == table.members.end())
        report(table.position, fmt::format("{} is missing: {} needs it", key, kind_name(layer.kind)));
    if (layer.window.stride_h == 0) {  // pooling windows lie side by side by default
      layer.window.stride_h = layer.window.kernel_h;
      layer.window.stride_w = layer.window.kernel_w;
    }
  }

  void read_member(const TomlMember& member, LayerDescription& layer) {
    const TomlValue& value = member.value;
    const std::string& key = member.key;
    Window& w = layer.window;
    if (key == "type") return;
    if (key == "name" || key == "input") {
      if (value.kind != Kind::kText) return wrong(member, "text");
      (key == "name" ? layer.name : layer.inputs.emplace_back()) = value.text;
    } else if (key == "inputs") {
      if (value.kind != Kind::kArray) return wrong(member, "a list of layers' names");
      for (const TomlValue& item : value.items) {
        if (item.kind != Kind::kText) return wrong(member, "a list of layers' names");
        layer.inputs.push_back(item.text);
      }
    } else if (key == "channels" || key == "features") {
      if (value.kind == Kind::kText && value.text == "classes")
        layer.outputs = description_.classes;
      else
        read_sizes(member, {&layer.outputs}, 1);
    } else if (key == "weight_bits" || key == "input_bits") {
      std::size_t bits = 0;
      read_sizes(member, {&bits}, 1);
      (key == "weight_bits" ? layer.weight_bits : layer.input_bits) = static_cast<int>(bits);
    } else if (key == "kernel" || key == "window") {
      read_sizes(member, {&w.kernel_h, &w.kernel_w}, 1);
    } else if (key == "stride") {
      read_sizes(member, {&w.stride_h, &w.stride_w}, 1);
    } else if (key == "padding") {
      read_sizes(member, {&w.pad_top, &w.pad_left, &w.pad_bottom, &w.pad_right}, 0);
    } else if (key == "bias" || key == "digital" || key == "counts_padding") {
      if (value.kind != Kind::kBoolean) return wrong(member, "true or false");
      (key == "bias" ? layer.bias : key == "digital" ? layer.digital : layer.counts_padding) = value.boolean;
    } else {
      if (value.kind != Kind::kReal && value.kind != Kind::kInteger) return wrong(member, "a number");
      if (key == "epsilon") layer.epsilon = value.real;
      if (key == "probability") layer.probability = value.real;
      if (key == "ceiling") layer.ceiling = value.real;
    }
  }

  void wrong(const TomlMember& member, std::string_view needed) {
    report(member.value.position, fmt::format("{} takes {}", member.key, needed));
  }

  /// One whole number for all, or a list with one for each.
  void read_sizes(const TomlMember& member, const std::vector<std::size_t*>& targets, std::int64_t least) {
    constexpr std::int64_t kLargest = 65536;
    const TomlValue& value = member.value;
    const bool list = value.kind == Kind::kArray;
    const auto fits = [&](const TomlValue& item) {
      return item.kind == Kind::kInteger && item.integer >= least && item.integer <= kLargest;
    };
    if (list ? value.items.size() != targets.size() || targets.size() == 1 || !std::ranges::all_of(value.items, fits)
             : !fits(value))
      return wrong(member,
                   targets.size() == 1
                       ? fmt::format("an integer {} … {}", least, kLargest)
                       : fmt::format("an integer {} … {} or a list of {} ({})", least, kLargest, targets.size(),
                                     targets.size() == 2 ? "vertical, horizontal" : "top, left, bottom, right"));
    for (std::size_t i = 0; i < targets.size(); ++i)
      *targets[i] = static_cast<std::size_t>(list ? value.items[i].integer : value.integer);
  }

  /// Names what has no name, and reads the layer before where no input is given.
  void name(LayerDescription& layer) {
    if (layer.inputs.empty()) {
      const auto& layers = description_.layers;
      layer.inputs.push_back(layers.empty() ? std::string(kImages) : layers.back().name);
      if (layer.kind == LayerKind::kAddition) layer.inputs.clear();
    }
    if (layer.name.empty()) layer.name = names_.next(layer);
  }

  void check() {
    for (const auto& problem : check_description(description_).problems)
      report(problem.layer ? positions_[*problem.layer] : SourcePosition{file_, 1, 1}, problem.message);
  }

  std::string_view text_;
  std::string file_;
  NetworkDescription description_;
  std::vector<SourcePosition> positions_;  ///< of the layers
  LayerNames names_;
  std::vector<Diagnostic> diagnostics_;
};

std::string pair_text(std::size_t vertical, std::size_t horizontal) {
  return vertical == horizontal ? fmt::format("{}", vertical) : fmt::format("[{}, {}]", vertical, horizontal);
}

std::string padding_text(const Window& w) {
  const bool same = w.pad_top == w.pad_left && w.pad_top == w.pad_bottom && w.pad_top == w.pad_right;
  return same ? fmt::format("{}", w.pad_top)
              : fmt::format("[{}, {}, {}, {}]", w.pad_top, w.pad_left, w.pad_bottom, w.pad_right);
}

/// A number that TOML reads as a real or an integer, with all its digits.
std::string value_text(const LayerDescription& layer, const std::string& key) {
  if (key == "channels" || key == "features") return fmt::format("{}", layer.outputs);
  if (key == "kernel" || key == "window") return pair_text(layer.window.kernel_h, layer.window.kernel_w);
  if (key == "stride") return pair_text(layer.window.stride_h, layer.window.stride_w);
  if (key == "padding") return padding_text(layer.window);
  if (key == "bias") return fmt::format("{}", layer.bias);
  if (key == "digital") return fmt::format("{}", layer.digital);
  if (key == "weight_bits" || key == "input_bits") {
    const int bits = key == "weight_bits" ? layer.weight_bits : layer.input_bits;
    return bits > 0 ? fmt::format("{}", bits) : std::string();
  }
  if (key == "counts_padding") return fmt::format("{}", layer.counts_padding);
  if (key == "epsilon") return fmt::format("{}", layer.epsilon);
  if (key == "probability") return fmt::format("{}", layer.probability);
  return layer.ceiling ? fmt::format("{}", *layer.ceiling) : std::string();
}

}  // namespace

NetworkDescription parse_network_text(std::string_view text, const std::string& file, ImageShape input,
                                      std::size_t classes) {
  return Reader(text, file, input, classes).read();
}

std::string network_text(const NetworkDescription& description) {
  std::string text;
  for (const LayerDescription& layer : description.layers) {
    text += fmt::format("[[layer]]\ntype = \"{}\"\nname = \"{}\"\ninputs = [", kind_name(layer.kind), layer.name);
    for (std::size_t i = 0; i < layer.inputs.size(); ++i)
      text += fmt::format("{}\"{}\"", i > 0 ? ", " : "", layer.inputs[i]);
    text += "]\n";
    for (const auto& key : keys_of(layer.kind)) {
      const std::string value = value_text(layer, key);
      if (!value.empty()) text += fmt::format("{} = {}\n", key, value);
    }
  }
  return text;
}

}  // namespace errata::training
