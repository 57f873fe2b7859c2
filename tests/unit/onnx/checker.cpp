#include <onnx/checker.h>

#include <exception>

#include "tests/unit/onnx/reference.h"

namespace errata::training::onnx {

std::string checker_complaint(const std::string& path) {
  try {
    ::onnx::checker::check_model(path);
    return {};
  } catch (const std::exception& complaint) {
    return complaint.what();
  }
}

}  // namespace errata::training::onnx
