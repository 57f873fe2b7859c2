#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace errata::testing {

/// A small HTTP/1.1 server on this machine, for one connection at a time, that serves texts from memory, knows ranges,
/// and misbehaves when told to.
class HttpServer {
 public:
  /// What happens to one request; each request takes the next of `faults`, none when there is none left.
  enum class Fault { kNone, kBusy, kForbidden, kBreakOff, kIgnoreRange, kRedirect, kNoLength, kStall };

  struct Request {
    std::string path;
    std::size_t first_byte = 0;  ///< of the range asked for; 0: none
  };

  using Files = std::map<std::string, std::string>;  ///< by path

  explicit HttpServer(Files files, std::deque<Fault> faults = {})
      : files_(std::move(files)), faults_(std::move(faults)) {
    ::setenv("no_proxy", "127.0.0.1", 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      ADD_FAILURE() << "cannot listen on 127.0.0.1";
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    ::shutdown(listener_, SHUT_RDWR);  // accept() returns
    thread_.join();
    ::close(listener_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:PORT/"
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      head.append(buffer, static_cast<std::size_t>(got));
    }
    Request request;
    const auto slash = head.find('/'), end = head.find(' ', slash);
    request.path = head.substr(slash + 1, end - slash - 1);
    const auto range = head.find("Range: bytes=");
    if (range != std::string::npos) request.first_byte = std::stoul(head.substr(range + 13));
    Fault fault = Fault::kNone;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      if (!faults_.empty()) {
        fault = faults_.front();
        faults_.pop_front();
      }
    }
    send_all(connection, reply_to(request, fault));
    if (fault == Fault::kStall) ::recv(connection, buffer, sizeof buffer, 0);  // until the other side gives up
  }

  std::string reply_to(const Request& request, Fault fault) const {
    const auto reply = [](const std::string& status, const std::string& more, const std::string& body) {
      return "HTTP/1.1 " + status + "\r\nConnection: close\r\n" + more + "\r\n" + body;
    };
    const auto length = [](std::size_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; };
    if (fault == Fault::kBusy) return reply("503 Service Unavailable", length(4), "busy");
    if (fault == Fault::kForbidden) return reply("403 Forbidden", length(2), "no");
    if (fault == Fault::kRedirect) return reply("302 Found", "Location: /" + request.path + "\r\n" + length(0), "");
    const auto file = files_.find(request.path);
    if (file == files_.end()) return reply("404 Not Found", length(4), "none");
    const std::string& whole = file->second;
    std::string body = whole, status = "200 OK", more;
    if (request.first_byte > 0 && fault != Fault::kIgnoreRange) {
      if (request.first_byte >= whole.size())
        return reply("416 Range Not Satisfiable",
                     "Content-Range: bytes */" + std::to_string(whole.size()) + "\r\n" + length(8), "no range");
      body = whole.substr(request.first_byte);
      status = "206 Partial Content";
      more = "Content-Range: bytes " + std::to_string(request.first_byte) + "-" + std::to_string(whole.size() - 1) +
             "/" + std::to_string(whole.size()) + "\r\n";
    }
    if (fault != Fault::kNoLength) more += length(body.size());
    if (fault == Fault::kBreakOff || fault == Fault::kNoLength || fault == Fault::kStall) body.resize(body.size() / 2);
    return reply(status, more, body);
  }

  static void send_all(int connection, const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t sent = ::send(connection, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return;
      done += static_cast<std::size_t>(sent);
    }
  }

  Files files_;
  std::deque<Fault> faults_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace errata::testing
