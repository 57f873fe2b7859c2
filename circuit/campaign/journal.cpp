#include "circuit/campaign/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "core/error.h"

namespace errata::circuit {

namespace {
std::uint64_t checksum(std::uint64_t item, const std::string& bytes) {  // FNV-1a
  std::uint64_t hash = (1469598103934665603ULL ^ item) * 1099511628211ULL;
  for (const unsigned char c : bytes) hash = (hash ^ c) * 1099511628211ULL;
  return hash;
}

template <typename T>
void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T get(const std::string& bytes, std::size_t& at) {
  if (at + sizeof(T) > bytes.size()) throw std::out_of_range("record is too short");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  at += sizeof value;
  return value;
}
}  // namespace

std::string encode(const PointResult& result) {
  std::string bytes;
  put(bytes, static_cast<std::uint8_t>(result.status));
  put(bytes, static_cast<std::uint8_t>(result.remedy));
  put(bytes, static_cast<std::uint32_t>(result.values.size()));
  for (const double value : result.values) put(bytes, value);
  put(bytes, static_cast<std::uint32_t>(result.log.size()));
  return bytes + result.log;
}

PointResult decode(const std::string& bytes) {
  PointResult result;
  std::size_t at = 0;
  result.status = static_cast<PointStatus>(get<std::uint8_t>(bytes, at));
  result.remedy = static_cast<Remedy>(get<std::uint8_t>(bytes, at));
  const auto count = get<std::uint32_t>(bytes, at);
  if (count > bytes.size()) throw std::out_of_range("record is damaged");
  for (std::uint32_t i = 0; i < count; ++i) result.values.push_back(get<double>(bytes, at));
  const auto size = get<std::uint32_t>(bytes, at);
  result.log = bytes.substr(at, size);
  return result;
}

Journal::Journal(std::filesystem::path path, const std::string& fingerprint,
                 const std::function<void(std::size_t, PointResult)>& on_replayed)
    : path_(std::move(path)) {
  std::error_code ignored;
  std::filesystem::create_directories(path_.parent_path(), ignored);
  const int descriptor = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  file_ = descriptor >= 0 ? ::fdopen(descriptor, "r+b") : nullptr;
  if (file_ == nullptr)
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path_.string()),
                "check that the project's artifacts folder is writable");
  // A lock of this process alone: forked workers, which may outlive a killed run by a moment, do not hold it.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor, F_SETLK, &whole) != 0) {
    std::fclose(file_);
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("{} is in use by another run", path_.string()),
                "wait for it, or stop it");
  }
  const long valid = replay(fingerprint, on_replayed);
  if (::ftruncate(descriptor, valid) != 0 || std::fseek(file_, valid, SEEK_SET) != 0)
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path_.string()));
  if (valid > 0) return;
  std::fwrite(fingerprint.data(), 1, fingerprint.size(), file_);
  std::fflush(file_);
}

long Journal::replay(const std::string& fingerprint, const std::function<void(std::size_t, PointResult)>& on_replayed) {
  std::string head(fingerprint.size(), '\0');
  if (std::fread(head.data(), 1, head.size(), file_) != head.size() || head != fingerprint) return 0;
  long valid = static_cast<long>(head.size());
  std::uint64_t header[3];  // item, size, checksum
  constexpr std::uint64_t kLongest = 1u << 24;
  while (std::fread(header, sizeof header, 1, file_) == 1 && header[1] < kLongest) {
    std::string bytes(header[1], '\0');
    if (std::fread(bytes.data(), 1, bytes.size(), file_) != bytes.size() || checksum(header[0], bytes) != header[2])
      break;
    try {
      on_replayed(header[0], decode(bytes));
    } catch (const std::out_of_range&) {
      break;
    }
    valid = std::ftell(file_);
  }
  return valid;
}

Journal::~Journal() {
  if (file_ != nullptr) std::fclose(file_);
}

void Journal::append(std::size_t item, const PointResult& result) {
  const std::string bytes = encode(result);
  const std::uint64_t header[3] = {item, bytes.size(), checksum(item, bytes)};
  const bool written = std::fwrite(header, sizeof header, 1, file_) == 1 &&
                       std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() && std::fflush(file_) == 0;
  if (!written)
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}: the disk is full?", path_.string()),
                "finished points are kept; free some space and run the same command again");
}

void Journal::discard() {
  std::fclose(file_);
  file_ = nullptr;
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace errata::circuit
