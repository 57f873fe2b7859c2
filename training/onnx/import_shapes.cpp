// Nodes that change shapes only, or make constants.
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "training/onnx/importer.h"

namespace errata::training::onnx {

std::vector<std::int64_t> Importer::axes(std::size_t input_number) const {
  std::vector<std::int64_t> list;
  if (const auto given = integers("axes"))
    list = *given;
  else if (const Constant* constant = find_constant(input_number))
    list = constant->integers;
  for (std::int64_t& axis : list)
    if (axis < 0) axis += 4;
  std::ranges::sort(list);
  return list;
}

void Importer::mean() {
  const Flow& input = flow(0);
  const std::vector<std::int64_t> spatial =
      input.channels_last ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{2, 3};
  need(!input.flat && axes(1) == spatial, "only a mean over rows and columns is supported");
  Flow from = input;
  from.flat = integer("keepdims", 1) == 0;
  add(make(LayerKind::kGlobalAveragePooling), from, {1, 1, input.shape.channels});
}

void Importer::make_flat(const Flow& input) {
  if (input.flat) return put(Flow(input));
  Flow from = input;
  from.flat = true;
  LayerDescription layer = make(LayerKind::kFlatten);
  add(layer, from, input.shape);
}

void Importer::flatten() {
  const Flow& input = flow(0);
  const std::int64_t axis = integer("axis", 1), rank = input.flat ? 2 : 4;
  need(axis == 1 || axis == 1 - rank, fmt::format("axis = {}: only 1 is supported", axis));
  make_flat(input);
}

void Importer::reshape() {
  if (const Constant* data = find_constant(0)) {  // of a weight, by exporters that keep it in another shape
    Constant reshaped = *data;
    const Constant& target = constant(1, "shape");
    std::int64_t count = 1;
    for (const std::int64_t size : target.integers) count *= std::clamp<std::int64_t>(size, 0, 1 << 30);
    need(count == static_cast<std::int64_t>(data->size()), "only a reshape of a constant to fixed sizes is supported");
    reshaped.shape = target.integers;
    return put(std::move(reshaped));
  }
  const Flow& input = flow(0);
  std::vector<std::int64_t> target;
  if (const auto attribute = integers("shape"))  // before opset 5
    target = *attribute;
  else
    target = constant(1, "shape").integers;
  const auto features = static_cast<std::int64_t>(input.shape.size());
  const bool flat = target.size() == 2 && (target[1] == -1 || target[1] == features);
  need(flat, "only a reshape to rows of features is supported");
  make_flat(input);
}

void Importer::squeeze() {
  const Flow& input = flow(0);
  const auto list = axes(1);
  const std::vector<std::int64_t> spatial =
      input.channels_last ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{2, 3};
  need(!input.flat && input.shape.height * input.shape.width == 1 && list == spatial,
       "only removing a height and width of 1 is supported");
  make_flat(input);
}

void Importer::transpose() {
  if (const Constant* data = find_constant(0)) {
    const auto order = integers("perm");
    need(data->kind == Constant::Kind::kReal && data->shape.size() == 2 &&
             (!order || *order == std::vector<std::int64_t>{1, 0}),
         "only a matrix of constants can be transposed");
    Constant turned = *data;
    std::swap(turned.shape[0], turned.shape[1]);
    const auto rows = static_cast<std::size_t>(data->shape[0]), columns = static_cast<std::size_t>(data->shape[1]);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c) turned.reals[c * rows + r] = data->reals[r * columns + c];
    return put(std::move(turned));
  }
  Flow moved = flow(0);
  const auto order = integers("perm");
  const std::vector<std::int64_t> first{0, 3, 1, 2}, last{0, 2, 3, 1};
  need(!moved.flat && order && *order == (moved.channels_last ? first : last),
       "only moving the channels from first to last or back is supported");
  moved.channels_last = !moved.channels_last;
  put(moved);
}

void Importer::softmax() {
  const Flow& input = flow(0);
  const bool last = !graph_.outputs.empty() && !node_->outputs.empty() && node_->outputs[0] == graph_.outputs[0].name;
  need(last, "is supported at the end only");
  note("the final softmax is left out: outputs are logits");
  put(Flow(input));
}

void Importer::pass() {
  if (const Constant* data = find_constant(0)) return put(Constant(*data));
  const Flow& input = flow(0);
  if (node_->operation == "Dropout") note("dropout is left out");
  put(Flow(input));
}

void Importer::constant_node() {
  Constant made;
  const auto& attributes = node_->attributes;
  if (const auto value = attributes.find("value");
      value != attributes.end() && value->second.kind == Attribute::Kind::kConstant) {
    made = value->second.constant;
  } else if (const auto one = attributes.find("value_float"); one != attributes.end()) {
    made.reals = {one->second.real};
  } else if (const auto whole = attributes.find("value_int"); whole != attributes.end()) {
    made.kind = Constant::Kind::kInteger;
    made.integers = {whole->second.integer};
  } else if (const auto list = attributes.find("value_ints"); list != attributes.end()) {
    made.kind = Constant::Kind::kInteger;
    made.integers = list->second.integers;
    made.shape = {static_cast<std::int64_t>(made.integers.size())};
  } else {
    fail("holds no value that is supported");
  }
  put(std::move(made));
}

void Importer::shape_node() {
  const Flow& input = flow(0);
  const auto size = [](std::size_t value) { return static_cast<std::int64_t>(value); };
  Constant shape;
  shape.kind = Constant::Kind::kInteger;
  constexpr std::int64_t kBatch = -1;  // whatever the batch has
  if (input.flat)
    shape.integers = {kBatch, size(input.shape.size())};
  else if (input.channels_last)
    shape.integers = {kBatch, size(input.shape.height), size(input.shape.width), size(input.shape.channels)};
  else
    shape.integers = {kBatch, size(input.shape.channels), size(input.shape.height), size(input.shape.width)};
  shape.shape = {size(shape.integers.size())};
  put(std::move(shape));
}

const Constant& Importer::sizes(std::size_t which) const {
  const Constant& found = constant(which, "operand");
  need(found.kind == Constant::Kind::kInteger, "is supported for shapes only");
  return found;
}

void Importer::gather() {
  const Constant &data = sizes(0), &places = sizes(1);
  need(integer("axis", 0) == 0 && data.shape.size() == 1, "is supported for shapes only");
  Constant taken;
  taken.kind = Constant::Kind::kInteger;
  taken.shape = places.shape;
  for (std::int64_t place : places.integers) {
    if (place < 0) place += static_cast<std::int64_t>(data.integers.size());
    need(place >= 0 && place < static_cast<std::int64_t>(data.integers.size()), "reaches outside its data");
    taken.integers.push_back(data.integers[static_cast<std::size_t>(place)]);
  }
  put(std::move(taken));
}

void Importer::unsqueeze() {
  Constant made = sizes(0);
  need(made.integers.size() == 1, "is supported for shapes only");
  made.shape = {1};
  put(std::move(made));
}

void Importer::concat() {
  Constant all;
  all.kind = Constant::Kind::kInteger;
  for (std::size_t i = 0; i < node_->inputs.size(); ++i) {
    const Constant& part = sizes(i);
    all.integers.insert(all.integers.end(), part.integers.begin(), part.integers.end());
  }
  need(all.integers.size() <= 8, "is supported for shapes only");
  all.shape = {static_cast<std::int64_t>(all.integers.size())};
  put(std::move(all));
}

void Importer::cast() { put(Constant(sizes(0))); }

}  // namespace errata::training::onnx
