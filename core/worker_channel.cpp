#include "core/worker_channel.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace errata {

namespace {
struct Header {
  std::uint64_t item = 0;
  std::uint64_t kind = 0;
  std::uint64_t size = 0;
};
}  // namespace

bool write_all(int socket, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::send(socket, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool read_all(int socket, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = ::recv(socket, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool send_message(int socket, const WorkerMessage& message) {
  const Header header{message.item, message.kind, message.bytes.size()};
  std::string frame(reinterpret_cast<const char*>(&header), sizeof header);
  frame += message.bytes;
  return write_all(socket, frame.data(), frame.size());
}

bool MessageReader::receive(int socket) {
  input_.erase(0, at_);
  at_ = 0;
  char buffer[1 << 16];
  const ssize_t n = ::recv(socket, buffer, sizeof buffer, 0);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (n <= 0) return false;
  input_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

std::optional<WorkerMessage> MessageReader::next() {
  Header header;
  if (input_.size() - at_ < sizeof header) return std::nullopt;
  std::memcpy(&header, input_.data() + at_, sizeof header);
  if (input_.size() - at_ - sizeof header < header.size) return std::nullopt;
  WorkerMessage message{header.item, header.kind, input_.substr(at_ + sizeof header, header.size)};
  at_ += sizeof header + header.size;
  return message;
}

void MessageReader::clear() {
  input_.clear();
  at_ = 0;
}

}  // namespace errata
