#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace errata::training::onnx {

/// An ONNX file as plain data: what networks of images need of it, and no protobuf.

/// A constant. Numbers are in `reals` or, for integer types, in `integers`.
struct Constant {
  enum class Kind { kReal, kInteger };

  Kind kind = Kind::kReal;
  std::vector<std::int64_t> shape;  ///< empty: a scalar
  std::vector<float> reals;         ///< float, double and float16 alike
  std::vector<std::int64_t> integers;

  std::size_t size() const { return kind == Kind::kReal ? reals.size() : integers.size(); }
};

struct Attribute {
  enum class Kind { kReal, kInteger, kText, kReals, kIntegers, kConstant, kOther };

  Kind kind = Kind::kOther;
  float real = 0.0f;
  std::int64_t integer = 0;
  std::string text;
  std::vector<float> reals;
  std::vector<std::int64_t> integers;
  Constant constant;
};

struct Node {
  std::string operation;  ///< "Conv", "Gemm", …; with its domain in front where that is not ONNX's own
  std::string name;
  std::vector<std::string> inputs, outputs;  ///< names of values; empty: left out
  std::map<std::string, Attribute> attributes;
};

/// An input or output of the whole graph.
struct Value {
  static constexpr std::int64_t kAnySize = -1;

  std::string name;
  std::vector<std::int64_t> shape;
};

struct Graph {
  std::int64_t opset = 13;  ///< version of ONNX's own operations
  std::string producer;
  std::vector<Node> nodes;
  std::map<std::string, Constant> constants;
  std::vector<Value> inputs, outputs;  ///< inputs without those that are constants
};

/// Reads a file. Unreadable, truncated or foreign files, constants whose data does not match their shape, and data in
/// other files are an Error (artefact, E515).
Graph read_file(const std::filesystem::path& path);

/// Writes a file atomically (PATH.part, renamed). Throws Error (environment, E601) when that fails.
void write_file(const std::filesystem::path& path, const Graph& graph);

}  // namespace errata::training::onnx
