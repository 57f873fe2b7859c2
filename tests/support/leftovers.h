#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// Tests with a temporary folder of their own, where after each test no process and no file may be left.
class LeavesNothing : public ::testing::Test {
 protected:
  LeavesNothing() {
    if (const char* old = ::getenv("TMPDIR")) old_ = old;
    ::setenv("TMPDIR", scratch_.path().c_str(), 1);
  }
  ~LeavesNothing() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
    EXPECT_EQ(errno, ECHILD);
    EXPECT_TRUE(std::filesystem::is_empty(scratch_.path())) << "a worker's folder is left";
    old_.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", old_.c_str(), 1);
  }

  const std::filesystem::path& scratch() const { return scratch_.path(); }

 private:
  TemporaryFolder scratch_;
  std::string old_;
};

/// Parent of a process, 0 when it is gone or dead.
inline pid_t parent_of(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stat)), {});
  const auto name = text.rfind(") ");
  if (name == std::string::npos || text[name + 2] == 'Z') return 0;
  return static_cast<pid_t>(std::atol(text.c_str() + name + 4));
}

/// All living processes below one.
inline std::vector<pid_t> descendants_of(pid_t ancestor) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const pid_t process = static_cast<pid_t>(std::atol(entry.path().filename().c_str()));
    for (pid_t p = process; p > 1; p = parent_of(p))
      if (parent_of(p) == ancestor) {
        found.push_back(process);
        break;
      }
  }
  return found;
}

}  // namespace errata::testing
