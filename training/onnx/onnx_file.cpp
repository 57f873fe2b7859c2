// The only source that includes ONNX's and protobuf's headers.
#include "training/onnx/onnx_file.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/error.h"

namespace errata::training::onnx {

namespace {

namespace proto = ::onnx;
using Tensor = proto::TensorProto;

/// Writes `text` so that it does no harm in a message.
std::string shown(const std::string& text) {
  std::string safe;
  for (const char c : text.substr(0, 60)) safe.push_back(c >= ' ' && c <= '~' ? c : '?');
  return text.size() > 60 ? safe + "…" : safe;
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw Error(ExitStatus::kArtifact, "E515", fmt::format("{}: {}", path.string(), what),
              "export the network again; docs/formats/onnx.md says what is read");
}

float from_half(std::uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  const float sign = (half & 0x8000u) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return sign * (fraction == 0 ? HUGE_VALF : std::nanf(""));
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

class Reader {
 public:
  explicit Reader(std::filesystem::path path) : path_(std::move(path)) {}

  Graph read() {
    const google::protobuf::LogSilencer silence;  // libraries do not print
    proto::ModelProto model;
    {
      std::ifstream file(path_, std::ios::binary);
      if (!file) fail(path_, "cannot be read");
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.empty() || bytes.size() > static_cast<std::size_t>(INT32_MAX)) fail(path_, "is empty or above 2 GiB");
      if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        fail(path_, "is not an ONNX file, or truncated");
    }
    if (!model.has_graph() || model.graph().node_size() == 0) fail(path_, "has no graph");
    Graph graph;
    graph.producer = shown(model.producer_name());
    graph.opset = 0;
    for (const auto& set : model.opset_import())
      if (set.domain().empty() || set.domain() == "ai.onnx") graph.opset = set.version();
    if (graph.opset < 1) fail(path_, "does not say which version of ONNX's operations it uses");
    for (const auto& tensor : model.graph().initializer())
      graph.constants.emplace(tensor.name(), constant_of(tensor, tensor.name()));
    if (model.graph().sparse_initializer_size() > 0) fail(path_, "has sparse constants, which are not read");
    for (const auto& node : model.graph().node()) graph.nodes.push_back(node_of(node));
    for (const auto& value : model.graph().input())
      if (!graph.constants.contains(value.name())) graph.inputs.push_back(value_of(value));
    for (const auto& value : model.graph().output()) graph.outputs.push_back(value_of(value));
    return graph;
  }

 private:
  Node node_of(const proto::NodeProto& from) {
    Node node;
    node.operation =
        from.domain().empty() || from.domain() == "ai.onnx" ? from.op_type() : from.domain() + "." + from.op_type();
    node.operation = shown(node.operation);
    node.name = shown(from.name());
    node.inputs.assign(from.input().begin(), from.input().end());
    node.outputs.assign(from.output().begin(), from.output().end());
    for (const auto& attribute : from.attribute()) node.attributes.emplace(attribute.name(), attribute_of(attribute));
    return node;
  }

  Attribute attribute_of(const proto::AttributeProto& from) {
    Attribute to;
    using Kind = Attribute::Kind;
    switch (from.type()) {
      case proto::AttributeProto::FLOAT:
        to.kind = Kind::kReal;
        to.real = from.f();
        break;
      case proto::AttributeProto::INT:
        to.kind = Kind::kInteger;
        to.integer = from.i();
        break;
      case proto::AttributeProto::STRING:
        to.kind = Kind::kText;
        to.text = shown(from.s());
        break;
      case proto::AttributeProto::FLOATS:
        to.kind = Kind::kReals;
        to.reals.assign(from.floats().begin(), from.floats().end());
        break;
      case proto::AttributeProto::INTS:
        to.kind = Kind::kIntegers;
        to.integers.assign(from.ints().begin(), from.ints().end());
        break;
      case proto::AttributeProto::TENSOR:
        to.kind = Kind::kConstant;
        to.constant = constant_of(from.t(), from.name());
        break;
      default:
        break;
    }
    return to;
  }

  static Value value_of(const proto::ValueInfoProto& from) {
    Value value;
    value.name = from.name();
    for (const auto& size : from.type().tensor_type().shape().dim())
      value.shape.push_back(size.has_dim_value() ? size.dim_value() : Value::kAnySize);
    return value;
  }

  Constant constant_of(const Tensor& from, const std::string& name) {
    Constant to;
    to.shape.assign(from.dims().begin(), from.dims().end());
    if (from.data_location() == Tensor::EXTERNAL || from.external_data_size() > 0)
      fail(path_, fmt::format("constant '{}' lies in another file; export with all data in one file", shown(name)));
    constexpr double kMost = 1e9;
    double count = 1.0;
    for (const std::int64_t size : to.shape) {
      if (size < 0) fail(path_, fmt::format("constant '{}' has a size of {}", shown(name), size));
      count *= static_cast<double>(size);
    }
    if (count > kMost) fail(path_, fmt::format("constant '{}' claims {:.3g} values", shown(name), count));
    switch (from.data_type()) {
      case Tensor::FLOAT:
        to.reals = numbers<float, float>(from, from.float_data());
        break;
      case Tensor::DOUBLE:
        to.reals = numbers<double, float>(from, from.double_data());
        break;
      case Tensor::FLOAT16:
        for (const std::uint16_t half : numbers<std::uint16_t, std::uint16_t>(from, from.int32_data()))
          to.reals.push_back(from_half(half));
        break;
      case Tensor::INT64:
        to.kind = Constant::Kind::kInteger;
        to.integers = numbers<std::int64_t, std::int64_t>(from, from.int64_data());
        break;
      case Tensor::INT32:
        to.kind = Constant::Kind::kInteger;
        to.integers = numbers<std::int32_t, std::int64_t>(from, from.int32_data());
        break;
      default:
        return to;  // of a type that no layer takes; a node that needs it will say so
    }
    if (static_cast<double>(to.size()) != count)
      fail(path_, fmt::format("constant '{}' has {} values, its shape says {:.0f}", shown(name), to.size(), count));
    return to;
  }

  /// raw_data in little endian, or the field of the type.
  template <class Stored, class Wanted, class Field>
  static std::vector<Wanted> numbers(const Tensor& from, const Field& field) {
    static_assert(std::endian::native == std::endian::little);
    std::vector<Wanted> values;
    if (!from.has_raw_data()) {
      for (const auto value : field) values.push_back(static_cast<Wanted>(value));
      return values;
    }
    const std::string& raw = from.raw_data();
    values.reserve(raw.size() / sizeof(Stored));
    for (std::size_t at = 0; at + sizeof(Stored) <= raw.size(); at += sizeof(Stored)) {
      Stored value;
      std::memcpy(&value, raw.data() + at, sizeof(Stored));
      values.push_back(static_cast<Wanted>(value));
    }
    return values;
  }

  std::filesystem::path path_;
};

void put(const Constant& from, Tensor& to) {
  for (const std::int64_t size : from.shape) to.add_dims(size);
  const bool real = from.kind == Constant::Kind::kReal;
  to.set_data_type(real ? Tensor::FLOAT : Tensor::INT64);
  if (real)
    to.set_raw_data(from.reals.data(), from.reals.size() * sizeof(float));
  else
    to.set_raw_data(from.integers.data(), from.integers.size() * sizeof(std::int64_t));
}

void put(const Attribute& from, proto::AttributeProto& to) {
  using Kind = Attribute::Kind;
  switch (from.kind) {
    case Kind::kReal:
      to.set_type(proto::AttributeProto::FLOAT);
      to.set_f(from.real);
      break;
    case Kind::kInteger:
      to.set_type(proto::AttributeProto::INT);
      to.set_i(from.integer);
      break;
    case Kind::kText:
      to.set_type(proto::AttributeProto::STRING);
      to.set_s(from.text);
      break;
    case Kind::kReals:
      to.set_type(proto::AttributeProto::FLOATS);
      for (const float value : from.reals) to.add_floats(value);
      break;
    case Kind::kIntegers:
      to.set_type(proto::AttributeProto::INTS);
      for (const std::int64_t value : from.integers) to.add_ints(value);
      break;
    case Kind::kConstant:
      to.set_type(proto::AttributeProto::TENSOR);
      put(from.constant, *to.mutable_t());
      break;
    case Kind::kOther:
      throw Error(ExitStatus::kBug, "E700", "an ONNX attribute of no kind");
  }
}

void put(const Value& from, proto::ValueInfoProto& to) {
  to.set_name(from.name);
  auto* tensor = to.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(Tensor::FLOAT);
  for (const std::int64_t size : from.shape) {
    auto* dimension = tensor->mutable_shape()->add_dim();
    if (size == Value::kAnySize)
      dimension->set_dim_param("N");
    else
      dimension->set_dim_value(size);
  }
}

}  // namespace

Graph read_file(const std::filesystem::path& path) { return Reader(path).read(); }

void write_file(const std::filesystem::path& path, const Graph& graph) {
  constexpr std::int64_t kIrVersion = 7;  // of ONNX 1.8, which brought opset 13
  proto::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name(graph.producer);
  model.add_opset_import()->set_version(graph.opset);
  proto::GraphProto& to = *model.mutable_graph();
  to.set_name("network");
  for (const Node& node : graph.nodes) {
    proto::NodeProto& made = *to.add_node();
    made.set_op_type(node.operation);
    made.set_name(node.name);
    for (const auto& input : node.inputs) made.add_input(input);
    for (const auto& output : node.outputs) made.add_output(output);
    for (const auto& [name, attribute] : node.attributes) {
      proto::AttributeProto& put_attribute = *made.add_attribute();
      put_attribute.set_name(name);
      put(attribute, put_attribute);
    }
  }
  for (const auto& [name, constant] : graph.constants) {
    Tensor& tensor = *to.add_initializer();
    tensor.set_name(name);
    put(constant, tensor);
  }
  for (const Value& value : graph.inputs) put(value, *to.add_input());
  for (const Value& value : graph.outputs) put(value, *to.add_output());
  const auto part = std::filesystem::path(path.string() + ".part");
  {
    std::ofstream file(part, std::ios::binary);
    if (!model.SerializeToOstream(&file) || !file.flush())
      throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()),
                  "check permissions and free space");
  }
  std::filesystem::rename(part, path);
}

}  // namespace errata::training::onnx
