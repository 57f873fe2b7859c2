#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace errata::testing {

/// What a run of the program printed and how it ended.
struct ProgramResult {
  int status = -1;
  std::string output;  ///< stdout and stderr together
};

/// Runs a shell command line.
inline ProgramResult run_shell(const std::string& command) {
  ProgramResult result;
  std::FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    result.output.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

/// Runs errata with these arguments.
inline ProgramResult errata(const std::string& arguments) {
  return run_shell(std::string(ERRATA_PROGRAM) + " " + arguments);
}

}  // namespace errata::testing
