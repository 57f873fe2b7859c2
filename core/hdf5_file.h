#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace errata {

/// Sizes of a dataset, slowest axis first. Empty: a scalar.
using Shape = std::vector<std::size_t>;

/// Number of elements of a dataset with this shape.
std::size_t element_count(const Shape& shape);

/// Writes one HDF5 file atomically: to PATH.part, flushed to disk and renamed by commit().
///
/// Without commit() the destructor removes the partial file, so a reader never sees half a file.
/// The bytes depend only on what is written: HDF5's own object times are off. Not thread safe.
/// Throws Error (environment) when the folder is read-only or the disk is full.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(std::filesystem::path path);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  /// Datasets; missing groups on the way are made. `units` is stored as an attribute ("V", "A", "1", …).
  void write(std::string_view name, std::span<const double> values, const Shape& shape, std::string_view units);
  void write(std::string_view name, std::span<const float> values, const Shape& shape, std::string_view units);
  void write(std::string_view name, std::span<const std::int64_t> values, const Shape& shape, std::string_view units);
  void write(std::string_view name, std::span<const std::int32_t> values, const Shape& shape, std::string_view units);
  void write(std::string_view name, std::span<const std::uint8_t> values, const Shape& shape, std::string_view units);
  void write_strings(std::string_view name, std::span<const std::string> values);
  void write_scalar(std::string_view name, double value, std::string_view units);

  /// Attributes of the object at `object` ("/" for the root); groups are made when missing.
  void attribute(std::string_view object, std::string_view name, std::string_view value);
  void attribute(std::string_view object, std::string_view name, std::int64_t value);
  void attribute(std::string_view object, std::string_view name, double value);
  void attribute(std::string_view object, std::string_view name, std::span<const std::int64_t> values);

  /// From now on names are below this group of the file ("/op[1]"), so that one file can hold several of a kind.
  void enter(std::string group) { root_ = std::move(group); }

  /// Flushes, syncs and renames PATH.part to PATH.
  void commit();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::string absolute(std::string_view name) const;

  std::filesystem::path path_, part_;
  std::string root_;
  std::int64_t file_ = -1;
};

/// What a dataset or an attribute holds.
enum class Hdf5Kind { kReal64, kReal32, kInteger64, kInteger32, kByte, kText, kOther };

/// Reads one HDF5 file. Every size in a file is checked against the file's own length before memory is
/// taken for it. Throws Error (artefact) that names file and dataset when anything is missing,
/// truncated, foreign or of another type. Not thread safe.
class Hdf5Reader {
 public:
  /// Names are below the group `root` of the file, where one is given.
  explicit Hdf5Reader(std::filesystem::path path, std::string root = {});
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  bool has(std::string_view name) const;
  Shape shape(std::string_view name) const;
  Hdf5Kind kind(std::string_view name) const;
  Hdf5Kind attribute_kind(std::string_view object, std::string_view name) const;
  /// The values of a dataset; when `expected` is not empty the shape must equal it.
  std::vector<double> doubles(std::string_view name, const Shape& expected = {}) const;
  std::vector<float> floats(std::string_view name, const Shape& expected = {}) const;
  std::vector<std::int64_t> integers(std::string_view name, const Shape& expected = {}) const;
  std::vector<std::uint8_t> bytes(std::string_view name, const Shape& expected = {}) const;
  std::vector<std::string> strings(std::string_view name) const;
  double scalar(std::string_view name) const;
  std::string units(std::string_view name) const;

  bool has_attribute(std::string_view object, std::string_view name) const;
  std::string text(std::string_view object, std::string_view name) const;
  std::int64_t integer(std::string_view object, std::string_view name) const;
  double real(std::string_view object, std::string_view name) const;
  std::vector<std::int64_t> integer_list(std::string_view object, std::string_view name) const;
  /// Every attribute of an object, as text, for `errata inspect`.
  std::map<std::string, std::string> attributes(std::string_view object) const;

  /// Names of the groups and datasets directly below `group`, sorted.
  std::vector<std::string> children(std::string_view group) const;
  bool is_group(std::string_view name) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  template <typename T>
  std::vector<T> read(std::string_view name, const Shape& expected, std::int64_t type) const;
  /// Fails when a header asks for more memory than the file's own length can account for.
  void check_claim(std::string_view name, const Shape& claimed, std::size_t element_bytes) const;
  [[noreturn]] void fail(std::string_view name, std::string_view what) const;
  std::string absolute(std::string_view name) const;

  std::filesystem::path path_;
  std::string root_;
  std::int64_t file_ = -1;
};

}  // namespace errata
