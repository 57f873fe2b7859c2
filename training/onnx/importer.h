#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "training/onnx/onnx_import.h"

namespace errata::training::onnx {

/// A value of the graph that depends on the images.
struct Flow {
  std::string layer{kImages};  ///< whose output it is
  ImageShape shape;            ///< before flattening, if it is flat
  bool flat = false;           ///< one axis of features
  bool channels_last = false;  ///< order of the axes, or of the features that came from them
  /// Zeros that a Pad before put around it and no layer has taken over yet: top, left, bottom, right.
  std::array<std::size_t, 4> zeros = {};

  bool is_padded() const { return zeros != std::array<std::size_t, 4>{}; }
};

/// Number of a feature here, from its number there.
std::size_t feature_here(const Flow& flow, std::size_t there);

/// Walks once over a graph's nodes; behind import_graph(). Its members lie in onnx_import.cpp (the walk, access to the
/// node at hand), import_layers.cpp and import_shapes.cpp.
class Importer {
 public:
  Importer(const Graph& graph, std::optional<ImageShape> input);

  Import import();

 private:
  // --- messages ---
  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const;
  std::string first_output() const { return node_->outputs.empty() ? "?" : node_->outputs[0]; }
  void need(bool holds, const std::string& what) const {
    if (!holds) fail(what);
  }

  // --- access to the node at hand ---
  std::int64_t integer(const std::string& name, std::int64_t otherwise) const;
  double real(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::optional<std::vector<std::int64_t>> integers(const std::string& name) const;
  bool has_input(std::size_t which) const { return which < node_->inputs.size() && !node_->inputs[which].empty(); }
  const Constant* find_constant(std::size_t which) const;
  const Constant& constant(std::size_t which, std::string_view what) const;
  const std::vector<float>& reals(std::size_t which, std::string_view what, std::optional<std::size_t> size = {}) const;
  const Flow& flow(std::size_t which) const;
  const Flow& image(std::size_t which) const;

  // --- results ---
  void put(Flow flow);
  void put(Constant constant);
  /// Adds a layer that reads `input` and keeps its order of axes; returns its name.
  std::string add(LayerDescription layer, const Flow& input, ImageShape shape);
  static LayerDescription make(LayerKind kind) {
    LayerDescription layer;
    layer.kind = kind;
    return layer;
  }
  void store(const std::string& name, std::vector<float> values) { import_.values[name] = std::move(values); }

  // --- the graph's ends ---
  void read_input();
  static std::size_t known(std::int64_t size) { return size < 1 ? 0 : static_cast<std::size_t>(size); }
  /// Sizes of the file, and where it leaves them open those that are wanted.
  ImageShape input_of(ImageShape file) const;
  void finish();
  void note(const std::string& text);
  /// Keeps the layers that the output depends on.
  void drop_unread(const std::string& output);

  // --- nodes ---
  void read_node();
  /// Strides, kernel and padding of a convolution or pooling over `shape`.
  Window window(const ImageShape& shape, std::size_t kernel_h, std::size_t kernel_w);
  /// A Pad's zeros become padding of the layer that follows.
  void take_zeros(const Flow& input, Window& w) const;
  ImageShape slid(const Window& w, const ImageShape& shape) const;
  void convolution();
  /// A linear layer of the values [output][input there].
  void linear(const Flow& input, std::size_t outputs, const std::vector<float>& there, const std::vector<float>& bias);
  const Flow& features(std::size_t which) const;
  void gemm();
  void matrix_product();
  void sum();
  /// A constant added to what a convolution or product makes, for each channel, is its bias.
  void add_bias(std::size_t data, std::size_t added);
  void batch_norm();
  void relu();
  void clip();
  void pooling();
  /// Padding at the end, so that a last incomplete window counts.
  void round_up(LayerDescription& layer, const ImageShape& shape);
  void pad();
  void global_pooling();
  /// Axes of a Squeeze or ReduceMean over 4 axes, sorted: an attribute, later an input.
  std::vector<std::int64_t> axes(std::size_t input_number) const;
  void mean();
  void make_flat(const Flow& input);
  void flatten();
  void reshape();
  void squeeze();
  void transpose();
  void softmax();
  void pass();

  // --- constants, and the sizes that exporters compute from shapes ---
  void constant_node();
  void shape_node();
  const Constant& sizes(std::size_t which) const;
  void gather();
  void unsqueeze();
  void concat();
  void cast();

  const Graph& graph_;
  std::optional<ImageShape> wanted_;
  const Node* node_ = nullptr;
  std::map<std::string, std::size_t> readers_;               ///< of values, by name
  std::map<std::string, Flow, std::less<>> flows_;           ///< what depends on the images
  std::map<std::string, Constant, std::less<>> made_;        ///< constants that nodes make
  std::map<std::string, std::size_t, std::less<>> numbers_;  ///< of layers
  LayerNames names_;
  Import import_;
};

}  // namespace errata::training::onnx
