#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace errata::testing {

/// Another program that greets with a line and answers each line with one line.
class PeerProcess {
 public:
  explicit PeerProcess(std::vector<std::string> command) {
    int to_peer[2], from_peer[2];
    if (pipe(to_peer) != 0 || pipe(from_peer) != 0) throw std::runtime_error("pipe failed");
    pid_ = fork();
    if (pid_ == 0) {
      dup2(to_peer[0], STDIN_FILENO);
      dup2(from_peer[1], STDOUT_FILENO);
      for (const int descriptor : {to_peer[0], to_peer[1], from_peer[0], from_peer[1]}) close(descriptor);
      std::vector<char*> arguments;
      for (auto& word : command) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(to_peer[0]);
    close(from_peer[1]);
    in_ = fdopen(to_peer[1], "w");
    out_ = fdopen(from_peer[0], "r");
    greeting_ = line();
  }
  ~PeerProcess() {
    fclose(in_);
    fclose(out_);
    waitpid(pid_, nullptr, 0);
  }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  const std::string& greeting() const { return greeting_; }
  std::string ask(const std::string& question) {
    std::fprintf(in_, "%s\n", question.c_str());
    std::fflush(in_);
    return line();
  }

 private:
  std::string line() {
    std::string text;
    for (int c = std::fgetc(out_); c != '\n'; c = std::fgetc(out_)) {
      if (c == EOF) throw std::runtime_error("the peer ended");
      text.push_back(static_cast<char>(c));
    }
    return text;
  }

  pid_t pid_ = -1;
  FILE *in_ = nullptr, *out_ = nullptr;
  std::string greeting_;
};

}  // namespace errata::testing
