#pragma once

#include <map>
#include <string>
#include <vector>

#include "training/onnx/onnx_file.h"

namespace errata::training::onnx {

/// A tensor in double, row-major.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// Runs a graph by ONNX's own definitions, with plain loops, for the operations that tests use: an independent reading.
Array run_reference(const Graph& graph, const Array& input);

/// What ONNX's own checker has against a file; empty: nothing.
std::string checker_complaint(const std::string& path);

}  // namespace errata::training::onnx
