#pragma once

#include <stdexcept>
#include <string>

namespace errata {

/// Exit statuses of the program (docs/reference/exit-status.md).
enum class ExitStatus : int {
  kOk = 0,
  kSpecificationFailed = 1,
  kUsage = 2,
  kInvalidProject = 3,
  kArtifact = 4,
  kComputation = 5,
  kEnvironment = 6,
  kBug = 70,
  kInterrupted = 130,
};

/// What a caller cannot continue from; caught once, in cli/main.cpp.
///
/// `code` is a stable diagnostic code ("E401") that `errata explain` knows; `hint` says what to try.
class Error : public std::runtime_error {
 public:
  Error(ExitStatus status, std::string code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), status_(status), code_(std::move(code)), hint_(std::move(hint)) {}

  ExitStatus status() const { return status_; }
  const std::string& code() const { return code_; }
  const std::string& hint() const { return hint_; }

 private:
  ExitStatus status_;
  std::string code_;
  std::string hint_;
};

}  // namespace errata
