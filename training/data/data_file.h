#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace errata::training {

/// A data file read front to back, plain or gzip (told by its first bytes), without trust in what it says of
/// itself: a truncated or damaged gzip stream, and bytes after it, are Errors (artefact, E404).
class DataFile {
 public:
  /// A folder, a device and a file that cannot be opened are Errors (artefact, E404).
  explicit DataFile(const std::filesystem::path& path);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  /// Reads until `out` is full or the contents end; returns how many bytes it read.
  std::size_t read(std::span<std::uint8_t> out);
  /// Fills `out` or throws that the file is truncated.
  void read_exactly(std::span<std::uint8_t> out);
  /// Big-endian 32-bit number.
  std::uint32_t big_endian();
  /// Exactly `count` bytes and then the end. Memory grows with what has been read, not with `count`.
  std::vector<std::uint8_t> rest(std::uint64_t count);
  /// Throws unless everything has been read; a gzip file's checksum has been compared then.
  void expect_end();

  /// Throws Error (artefact, E404) that begins with the file's path.
  [[noreturn]] void damaged(std::string_view what) const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

/// The file `plain` if it exists, else `plain`.gz; empty when there is neither.
std::optional<std::filesystem::path> find_data_file(const std::filesystem::path& plain);

/// The same, but neither file is an Error (project, E301).
std::filesystem::path require_data_file(const std::filesystem::path& plain);

/// Bytes that a file holds when unpacked, from its length or the last bytes of a gzip file (modulo 2³²; a file of
/// several gzip members tells the last one only). For listings: nothing is checked.
std::uint64_t claimed_bytes(const std::filesystem::path& path);

}  // namespace errata::training
