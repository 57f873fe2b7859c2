#include "training/data/data_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "core/error.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::uint8_t, 2> kGzipMagic{0x1f, 0x8b};

std::string system_message() { return std::generic_category().message(errno); }

[[noreturn]] void unreadable(const fs::path& path, std::string_view why) {
  throw Error(ExitStatus::kArtifact, "E404", fmt::format("{}: cannot be read: {}", path.string(), why),
              "check that it is a file and that you may read it");
}

}  // namespace

/// An open file and, where it is compressed, the state of its decompression.
struct DataFile::Stream {
  explicit Stream(const fs::path& p) : path(p) {
    // Without O_NONBLOCK a named pipe would wait for a writer for ever.
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) unreadable(path, system_message());
    struct ::stat status = {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(descriptor);
      unreadable(path, S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file");
    }
    stored_bytes = static_cast<std::uint64_t>(status.st_size);
  }
  ~Stream() {
    if (compressed) ::inflateEnd(&inflation);
    ::close(descriptor);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::size_t read_stored(std::uint8_t* target, std::size_t count) {
    ssize_t got = 0;
    do got = ::read(descriptor, target, count);
    while (got < 0 && errno == EINTR);
    if (got < 0) unreadable(path, system_message());
    return static_cast<std::size_t>(got);
  }

  /// Takes more stored bytes into the buffer; false at the end of the file.
  bool refill() {
    const std::size_t got = read_stored(buffer.data(), buffer.size());
    inflation.next_in = buffer.data();
    inflation.avail_in = static_cast<unsigned>(got);
    return got > 0;
  }

  fs::path path;
  int descriptor = -1;
  std::uint64_t stored_bytes = 0;
  bool begun = false, compressed = false;
  bool between_members = false;  ///< a gzip stream has ended; another one or nothing may follow
  z_stream inflation = {};
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(std::size_t{1} << 18);
};

DataFile::DataFile(const fs::path& path) : stream_(std::make_unique<Stream>(path)) {
  Stream& s = *stream_;
  s.refill();
  constexpr int kGzipOnly = 15 + 16;
  s.compressed = s.inflation.avail_in >= kGzipMagic.size() &&
                 std::equal(kGzipMagic.begin(), kGzipMagic.end(), s.inflation.next_in) &&
                 ::inflateInit2(&s.inflation, kGzipOnly) == Z_OK;
}

DataFile::~DataFile() = default;

void DataFile::damaged(std::string_view what) const {
  throw Error(ExitStatus::kArtifact, "E404", fmt::format("{}: {}", stream_->path.string(), what),
              "delete it and fetch it again: errata data fetch NAME");
}

std::size_t DataFile::read(std::span<std::uint8_t> out) {
  Stream& s = *stream_;
  std::size_t done = 0;
  if (!s.compressed) {
    done = std::min<std::size_t>(out.size(), s.inflation.avail_in);
    std::copy_n(s.inflation.next_in, done, out.data());
    s.inflation.next_in += done;
    s.inflation.avail_in -= static_cast<unsigned>(done);
    while (done < out.size()) {
      const std::size_t got = s.read_stored(out.data() + done, out.size() - done);
      if (got == 0) break;
      done += got;
    }
    return done;
  }
  while (done < out.size()) {
    if (s.inflation.avail_in == 0 && !s.refill()) {
      if (s.between_members) break;
      damaged("is a truncated gzip file");
    }
    if (s.between_members) {
      if (s.inflation.next_in[0] != kGzipMagic[0]) damaged("has other bytes after its gzip data");
      ::inflateReset(&s.inflation);
      s.between_members = false;
    }
    constexpr std::size_t kMost = std::size_t{1} << 30;  // zlib counts in 32 bits
    const std::size_t want = std::min(kMost, out.size() - done);
    s.inflation.next_out = out.data() + done;
    s.inflation.avail_out = static_cast<unsigned>(want);
    const int status = ::inflate(&s.inflation, Z_NO_FLUSH);
    done += want - s.inflation.avail_out;
    if (status == Z_STREAM_END)
      s.between_members = true;
    else if (status != Z_OK && status != Z_BUF_ERROR)
      damaged(fmt::format("is not a valid gzip file ({})",
                          s.inflation.msg != nullptr ? s.inflation.msg : "unknown compression"));
  }
  return done;
}

void DataFile::read_exactly(std::span<std::uint8_t> out) {
  const std::size_t got = read(out);
  if (got != out.size()) damaged(fmt::format("is truncated: {} bytes where {} are needed", got, out.size()));
}

std::uint32_t DataFile::big_endian() {
  std::array<std::uint8_t, 4> b{};
  if (read(b) != b.size()) damaged("ends within its header");
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

std::vector<std::uint8_t> DataFile::rest(std::uint64_t count) {
  constexpr std::uint64_t kDeflateLimit = 1100, kHeader = 1 << 10;  // deflate shrinks at most 1032-fold
  if (count > (stream_->stored_bytes + kHeader) * (stream_->compressed ? kDeflateLimit : 1))
    damaged(
        fmt::format("its header claims {} bytes, more than {} stored bytes can hold", count, stream_->stored_bytes));
  constexpr std::uint64_t kFirst = std::uint64_t{1} << 20;
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < count) {
    const std::size_t before = bytes.size();
    // Doubling: a false claim costs at most as much again as the file really holds.
    bytes.resize(std::min<std::uint64_t>(count, std::max<std::uint64_t>(kFirst, 2 * before)));
    const std::size_t got = read(std::span(bytes).subspan(before));
    if (before + got < bytes.size())
      damaged(fmt::format("is truncated: its header claims {} bytes, it has {}", count, before + got));
  }
  expect_end();
  return bytes;
}

void DataFile::expect_end() {
  std::array<std::uint8_t, 1> beyond{};
  if (read(beyond) != 0) damaged("has bytes beyond its last record");
}

std::optional<fs::path> find_data_file(const fs::path& plain) {
  fs::path compressed = plain;
  compressed += ".gz";
  std::error_code ignored;
  for (const auto& path : {plain, compressed})
    if (fs::is_regular_file(path, ignored)) return path;
  for (const auto& path : {plain, compressed})
    if (fs::exists(path, ignored)) return path;  // a folder, say: reading it tells what is wrong
  return std::nullopt;
}

fs::path require_data_file(const fs::path& plain) {
  if (const auto found = find_data_file(plain)) return *found;
  throw Error(ExitStatus::kInvalidProject, "E301",
              fmt::format("neither {} nor {}.gz exists", plain.string(), plain.filename().string()),
              "`errata data fetch NAME` gets it; or set --data-dir or ERRATA_DATA to the folder with the data sets, or "
              "use the built-in set 'glyphs'");
}

std::uint64_t claimed_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 4> head{}, tail{};
  file.read(head.data(), 2);
  const bool compressed = file && static_cast<std::uint8_t>(head[0]) == kGzipMagic[0] &&
                          static_cast<std::uint8_t>(head[1]) == kGzipMagic[1];
  std::error_code failure;
  const std::uint64_t stored = fs::file_size(path, failure);
  if (failure) return 0;
  if (!compressed) return stored;
  file.seekg(-4, std::ios::end);
  file.read(tail.data(), 4);
  std::uint64_t bytes = 0;
  for (std::size_t i = 4; i-- > 0;) bytes = bytes << 8 | static_cast<std::uint8_t>(tail[i]);
  return file ? bytes : 0;
}

}  // namespace errata::training
