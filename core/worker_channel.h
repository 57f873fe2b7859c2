#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace errata {

/// What a worker says about one item: an answer, or that the child process which ran it was lost and why.
struct WorkerMessage {
  enum Kind : std::uint64_t { kAnswer = 0, kAnswerAndLeave = 1, kTimeout = 2, kCrash = 3 };
  std::uint64_t item = 0;
  std::uint64_t kind = kAnswer;
  std::string bytes;  ///< the answer, or "signal 11"
};

/// Writes everything to a socket; false when nobody is at the other end.
bool write_all(int socket, const void* data, std::size_t size);
/// Reads exactly `size` bytes; false at the end of the stream.
bool read_all(int socket, void* data, std::size_t size);

/// Sends a message with one system call where the socket takes it.
bool send_message(int socket, const WorkerMessage& message);

/// Puts messages together from what comes through a socket; a message that was cut off by a death never appears.
class MessageReader {
 public:
  /// Reads what is there, waiting for a first byte; false at the end of the stream.
  bool receive(int socket);
  /// The next whole message.
  std::optional<WorkerMessage> next();
  void clear();

 private:
  std::string input_;
  std::size_t at_ = 0;
};

}  // namespace errata
