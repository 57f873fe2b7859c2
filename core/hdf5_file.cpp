#include "core/hdf5_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace errata {

namespace {

/// Owns one HDF5 identifier.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// HDF5 prints its error stack to stderr by itself; a library must not print.
void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

[[noreturn]] void write_failed(const std::filesystem::path& path) {
  throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()),
              "check that the folder exists, is writable and that the disk is not full");
}

Handle fixed_string_type(std::size_t size) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, std::max<std::size_t>(size, 1));
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return Handle(type, H5Tclose);
}

void make_groups(hid_t file, const std::string& name) {
  std::size_t at = 0;
  while ((at = name.find('/', at + 1)) != std::string::npos) {
    const std::string group = name.substr(0, at);
    if (H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) continue;
    Handle properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    H5Pset_obj_track_times(properties, false);
    Handle made(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, properties, H5P_DEFAULT), H5Gclose);
  }
}

/// The name below a group, itself empty for the file's own root.
std::string below(const std::string& root, std::string_view name) {
  if (!root.empty() && name == "/") return root;
  std::string full = root + (name.starts_with('/') ? "" : "/");
  return full.append(name);
}

Handle space_of(const Shape& shape) {
  if (shape.empty()) return Handle(H5Screate(H5S_SCALAR), H5Sclose);
  const std::vector<hsize_t> sizes(shape.begin(), shape.end());
  return Handle(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose);
}

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t space, const void* data) {
  if (H5Aexists(object, name.c_str()) > 0) H5Adelete(object, name.c_str());
  Handle attribute(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, type, data) < 0)
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write attribute {}", name));
}

void write_text_attribute(hid_t object, const std::string& name, std::string_view value) {
  Handle type = fixed_string_type(value.size());
  Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const std::string text = value.empty() ? std::string(1, '\0') : std::string(value);
  write_attribute(object, name, type, space, text.data());
}

void write_dataset(hid_t file, const std::filesystem::path& path, const std::string& full, hid_t type, const void* data,
                   std::size_t count, const Shape& shape, std::string_view units) {
  if (element_count(shape) != count)
    throw Error(ExitStatus::kBug, "E700", fmt::format("dataset {}: {} values for another shape", full, count));
  make_groups(file, full);
  Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties, false);
  constexpr std::size_t kCompressAbove = 4096;
  if (count > kCompressAbove) {
    std::vector<hsize_t> chunk(shape.begin(), shape.end());
    for (std::size_t axis = 0; axis < chunk.size(); ++axis) {
      std::size_t total = 1;
      for (const auto size : chunk) total *= size;
      if (total <= (1u << 17)) break;
      chunk[axis] = std::max<hsize_t>(1, chunk[axis] * (1u << 17) / total);
    }
    H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 1);
  }
  Handle space = space_of(shape);
  Handle dataset(H5Dcreate2(file, full.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) write_failed(path);
  if (count > 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) write_failed(path);
  if (!units.empty()) write_text_attribute(dataset, "units", units);
}

}  // namespace

std::size_t element_count(const Shape& shape) {
  std::size_t count = 1;
  for (const auto size : shape) count *= size;
  return count;
}

Hdf5Writer::Hdf5Writer(std::filesystem::path path) : path_(std::move(path)), part_(path_) {
  silence();
  part_ += ".part";
  std::error_code ignored;
  if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path(), ignored);
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // the root group's times, too
  file_ = H5Fcreate(part_.c_str(), H5F_ACC_TRUNC, creation, access);
  if (file_ < 0) write_failed(path_);
}

std::string Hdf5Writer::absolute(std::string_view name) const { return below(root_, name); }
std::string Hdf5Reader::absolute(std::string_view name) const { return below(root_, name); }

Hdf5Writer::~Hdf5Writer() {
  if (file_ < 0) return;
  H5Fclose(file_);
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
}

void Hdf5Writer::write(std::string_view name, std::span<const double> values, const Shape& shape,
                       std::string_view units) {
  write_dataset(file_, path_, absolute(name), H5T_NATIVE_DOUBLE, values.data(), values.size(), shape, units);
}
void Hdf5Writer::write(std::string_view name, std::span<const float> values, const Shape& shape,
                       std::string_view units) {
  write_dataset(file_, path_, absolute(name), H5T_NATIVE_FLOAT, values.data(), values.size(), shape, units);
}
void Hdf5Writer::write(std::string_view name, std::span<const std::int64_t> values, const Shape& shape,
                       std::string_view units) {
  write_dataset(file_, path_, absolute(name), H5T_NATIVE_INT64, values.data(), values.size(), shape, units);
}
void Hdf5Writer::write(std::string_view name, std::span<const std::int32_t> values, const Shape& shape,
                       std::string_view units) {
  write_dataset(file_, path_, absolute(name), H5T_NATIVE_INT32, values.data(), values.size(), shape, units);
}
void Hdf5Writer::write(std::string_view name, std::span<const std::uint8_t> values, const Shape& shape,
                       std::string_view units) {
  write_dataset(file_, path_, absolute(name), H5T_NATIVE_UINT8, values.data(), values.size(), shape, units);
}

void Hdf5Writer::write_strings(std::string_view name, std::span<const std::string> values) {
  std::size_t longest = 1;
  for (const auto& value : values) longest = std::max(longest, value.size());
  std::string packed(longest * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) values[i].copy(packed.data() + i * longest, longest);
  Handle type = fixed_string_type(longest);
  write_dataset(file_, path_, absolute(name), type, packed.data(), values.size(), {values.size()}, "");
}

void Hdf5Writer::write_scalar(std::string_view name, double value, std::string_view units) {
  write(name, std::span<const double>(&value, 1), Shape{}, units);
}

namespace {
Handle open_or_make(hid_t file, const std::string& full) {
  if (full != "/" && H5Lexists(file, full.c_str(), H5P_DEFAULT) <= 0) make_groups(file, full + "/");
  return Handle(H5Oopen(file, full.c_str(), H5P_DEFAULT), H5Oclose);
}
}  // namespace

void Hdf5Writer::attribute(std::string_view object, std::string_view name, std::string_view value) {
  Handle at = open_or_make(file_, absolute(object));
  constexpr std::size_t kCompactLimit = 60000;  // HDF5 keeps an attribute in the object header below 64 KiB
  if (value.size() > kCompactLimit)
    throw Error(ExitStatus::kBug, "E700", fmt::format("attribute {} is too long", name));
  write_text_attribute(at, std::string(name), value);
}
void Hdf5Writer::attribute(std::string_view object, std::string_view name, std::int64_t value) {
  Handle at = open_or_make(file_, absolute(object));
  Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  write_attribute(at, std::string(name), H5T_NATIVE_INT64, space, &value);
}
void Hdf5Writer::attribute(std::string_view object, std::string_view name, double value) {
  Handle at = open_or_make(file_, absolute(object));
  Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  write_attribute(at, std::string(name), H5T_NATIVE_DOUBLE, space, &value);
}
void Hdf5Writer::attribute(std::string_view object, std::string_view name, std::span<const std::int64_t> values) {
  Handle at = open_or_make(file_, absolute(object));
  Handle space = space_of({values.size()});
  write_attribute(at, std::string(name), H5T_NATIVE_INT64, space, values.data());
}

void Hdf5Writer::commit() {
  const bool flushed = H5Fflush(file_, H5F_SCOPE_GLOBAL) >= 0;
  const bool closed = H5Fclose(file_) >= 0;
  file_ = -1;
  std::error_code failure;
  if (flushed && closed) {
    const int descriptor = ::open(part_.c_str(), O_RDONLY);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    if (descriptor >= 0) ::close(descriptor);
    if (synced) std::filesystem::rename(part_, path_, failure);
    if (synced && !failure) return;
  }
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
  write_failed(path_);
}

Hdf5Reader::Hdf5Reader(std::filesystem::path path, std::string root) : path_(std::move(path)), root_(std::move(root)) {
  silence();
  if (!std::filesystem::exists(path_))
    throw Error(ExitStatus::kArtifact, "E401", fmt::format("{} does not exist", path_.string()),
                "check the name, or run the stage that makes it (`errata run` runs all that are missing)");
  file_ = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file_ < 0)
    throw Error(ExitStatus::kArtifact, "E402",
                fmt::format("{} is not a readable HDF5 file (truncated, corrupt or foreign)", path_.string()),
                "check the name; a file of errata's own that was cut short is made again by its stage");
}

Hdf5Reader::~Hdf5Reader() {
  if (file_ >= 0) H5Fclose(file_);
}

void Hdf5Reader::fail(std::string_view name, std::string_view what) const {
  throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {}: {}", path_.string(), name, what),
              "the file is damaged or was made by something else; run the stage that makes it again");
}

bool Hdf5Reader::has(std::string_view name) const {
  const std::string full = absolute(name);
  if (full == "/") return true;
  std::size_t at = 0;
  while ((at = full.find('/', at + 1)) != std::string::npos)
    if (H5Lexists(file_, full.substr(0, at).c_str(), H5P_DEFAULT) <= 0) return false;
  return H5Lexists(file_, full.c_str(), H5P_DEFAULT) > 0;
}

bool Hdf5Reader::is_group(std::string_view name) const {
  Handle object(H5Oopen(file_, absolute(name).c_str(), H5P_DEFAULT), H5Oclose);
  return object.valid() && H5Iget_type(object) == H5I_GROUP;
}

Shape Hdf5Reader::shape(std::string_view name) const {
  if (!has(name)) fail(name, "dataset is missing");
  Handle dataset(H5Dopen2(file_, absolute(name).c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail(name, "is not a dataset");
  Handle space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) fail(name, "has no shape");
  std::vector<hsize_t> sizes(rank);
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  return Shape(sizes.begin(), sizes.end());
}

namespace {
Hdf5Kind kind_of(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return Hdf5Kind::kText;
    case H5T_FLOAT:
      return size == 8 ? Hdf5Kind::kReal64 : size == 4 ? Hdf5Kind::kReal32 : Hdf5Kind::kOther;
    case H5T_INTEGER:
      return size == 8   ? Hdf5Kind::kInteger64
             : size == 4 ? Hdf5Kind::kInteger32
             : size == 1 ? Hdf5Kind::kByte
                         : Hdf5Kind::kOther;
    default:
      return Hdf5Kind::kOther;
  }
}
}  // namespace

Hdf5Kind Hdf5Reader::kind(std::string_view name) const {
  Handle dataset(H5Dopen2(file_, absolute(name).c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.valid()) fail(name, "is not a dataset");
  return kind_of(Handle(H5Dget_type(dataset), H5Tclose));
}

Hdf5Kind Hdf5Reader::attribute_kind(std::string_view object, std::string_view name) const {
  if (!has_attribute(object, name)) fail(object, fmt::format("attribute {} is missing", name));
  Handle attribute(
      H5Aopen_by_name(file_, absolute(object).c_str(), std::string(name).c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return kind_of(Handle(H5Aget_type(attribute), H5Tclose));
}

void Hdf5Reader::check_claim(std::string_view name, const Shape& claimed, std::size_t element_bytes) const {
  constexpr double kDeflateLimit = 1100.0;            // deflate shrinks at most about 1030-fold
  double bytes = static_cast<double>(element_bytes);  // in double: a hostile shape's product may overflow
  for (const auto size : claimed) bytes *= static_cast<double>(size);
  const double file_bytes = static_cast<double>(std::filesystem::file_size(path_));
  if (bytes > kDeflateLimit * file_bytes) fail(name, "claims more data than the file can hold");
}

template <typename T>
std::vector<T> Hdf5Reader::read(std::string_view name, const Shape& expected, std::int64_t type) const {
  const Shape found = shape(name);
  if (!expected.empty() && found != expected)
    fail(name, fmt::format("has shape [{}], expected [{}]", fmt::join(found, ","), fmt::join(expected, ",")));
  check_claim(name, found, sizeof(T));
  Handle dataset(H5Dopen2(file_, absolute(name).c_str(), H5P_DEFAULT), H5Dclose);
  Handle stored(H5Dget_type(dataset), H5Tclose);
  const H5T_class_t kind = H5Tget_class(stored);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) fail(name, "does not hold numbers");
  std::vector<T> values(element_count(found));
  if (!values.empty() && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    fail(name, "cannot be read");
  return values;
}

std::vector<double> Hdf5Reader::doubles(std::string_view name, const Shape& expected) const {
  return read<double>(name, expected, H5T_NATIVE_DOUBLE);
}
std::vector<float> Hdf5Reader::floats(std::string_view name, const Shape& expected) const {
  return read<float>(name, expected, H5T_NATIVE_FLOAT);
}
std::vector<std::int64_t> Hdf5Reader::integers(std::string_view name, const Shape& expected) const {
  return read<std::int64_t>(name, expected, H5T_NATIVE_INT64);
}
std::vector<std::uint8_t> Hdf5Reader::bytes(std::string_view name, const Shape& expected) const {
  return read<std::uint8_t>(name, expected, H5T_NATIVE_UINT8);
}

std::vector<std::string> Hdf5Reader::strings(std::string_view name) const {
  const Shape found = shape(name);
  Handle dataset(H5Dopen2(file_, absolute(name).c_str(), H5P_DEFAULT), H5Dclose);
  Handle type(H5Dget_type(dataset), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0) fail(name, "does not hold strings");
  const std::size_t size = H5Tget_size(type), count = element_count(found);
  check_claim(name, found, size);
  std::string packed(size * count, '\0');
  if (count > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed.data()) < 0)
    fail(name, "cannot be read");
  std::vector<std::string> values;
  for (std::size_t i = 0; i < count; ++i) {
    std::string value = packed.substr(i * size, size);
    value.resize(std::min(value.size(), value.find('\0') == std::string::npos ? value.size() : value.find('\0')));
    values.push_back(std::move(value));
  }
  return values;
}

double Hdf5Reader::scalar(std::string_view name) const {
  const auto values = doubles(name);
  if (values.size() != 1) fail(name, "is not a single number");
  return values[0];
}

std::string Hdf5Reader::units(std::string_view name) const {
  return has_attribute(name, "units") ? text(name, "units") : std::string();
}

bool Hdf5Reader::has_attribute(std::string_view object, std::string_view name) const {
  if (!has(object)) return false;
  return H5Aexists_by_name(file_, absolute(object).c_str(), std::string(name).c_str(), H5P_DEFAULT) > 0;
}

std::string Hdf5Reader::text(std::string_view object, std::string_view name) const {
  if (!has_attribute(object, name)) fail(object, fmt::format("attribute {} is missing", name));
  Handle attribute(
      H5Aopen_by_name(file_, absolute(object).c_str(), std::string(name).c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  Handle type(H5Aget_type(attribute), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0)
    fail(object, fmt::format("attribute {} is not text", name));
  Handle space(H5Aget_space(attribute), H5Sclose);
  const std::size_t size = H5Tget_size(type);
  if (H5Sget_simple_extent_npoints(space) != 1) fail(object, fmt::format("attribute {} is not one text", name));
  if (size > (1u << 20)) fail(object, fmt::format("attribute {} is too long", name));
  std::string value(size, '\0');
  if (H5Aread(attribute, type, value.data()) < 0) fail(object, fmt::format("attribute {} cannot be read", name));
  while (!value.empty() && value.back() == '\0') value.pop_back();
  return value;
}

std::int64_t Hdf5Reader::integer(std::string_view object, std::string_view name) const {
  const auto values = integer_list(object, name);
  if (values.size() != 1) fail(object, fmt::format("attribute {} is not one number", name));
  return values[0];
}

std::vector<std::int64_t> Hdf5Reader::integer_list(std::string_view object, std::string_view name) const {
  if (!has_attribute(object, name)) fail(object, fmt::format("attribute {} is missing", name));
  Handle attribute(
      H5Aopen_by_name(file_, absolute(object).c_str(), std::string(name).c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  Handle space(H5Aget_space(attribute), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  Handle type(H5Aget_type(attribute), H5Tclose);
  if (count < 0 || count > 4096 || H5Tget_class(type) != H5T_INTEGER)
    fail(object, fmt::format("attribute {} is not a list of integers", name));
  std::vector<std::int64_t> values(count);
  if (H5Aread(attribute, H5T_NATIVE_INT64, values.data()) < 0)
    fail(object, fmt::format("attribute {} cannot be read", name));
  return values;
}

double Hdf5Reader::real(std::string_view object, std::string_view name) const {
  if (!has_attribute(object, name)) fail(object, fmt::format("attribute {} is missing", name));
  Handle attribute(
      H5Aopen_by_name(file_, absolute(object).c_str(), std::string(name).c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  Handle space(H5Aget_space(attribute), H5Sclose);
  Handle type(H5Aget_type(attribute), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  double value = 0.0;
  if (H5Sget_simple_extent_npoints(space) != 1 || (kind != H5T_FLOAT && kind != H5T_INTEGER) ||
      H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) < 0)
    fail(object, fmt::format("attribute {} is not one number", name));
  return value;
}

std::map<std::string, std::string> Hdf5Reader::attributes(std::string_view object) const {
  Handle at(H5Oopen(file_, absolute(object).c_str(), H5P_DEFAULT), H5Oclose);
  if (!at.valid()) fail(object, "is missing");
  std::vector<std::string> names;
  H5Aiterate2(
      at, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t, const char* name, const H5A_info_t*, void* list) -> herr_t {
        static_cast<std::vector<std::string>*>(list)->emplace_back(name);
        return 0;
      },
      &names);
  std::map<std::string, std::string> found;
  for (const auto& name : names) {
    Handle attribute(H5Aopen(at, name.c_str(), H5P_DEFAULT), H5Aclose);
    Handle type(H5Aget_type(attribute), H5Tclose);
    switch (H5Tget_class(type)) {
      case H5T_STRING:
        found[name] = text(object, name);
        break;
      case H5T_INTEGER:
        found[name] = fmt::format("{}", fmt::join(integer_list(object, name), "."));
        break;
      case H5T_FLOAT:
        found[name] = fmt::format("{}", real(object, name));
        break;
      default:
        found[name] = "(unknown type)";
    }
  }
  return found;
}

std::vector<std::string> Hdf5Reader::children(std::string_view group) const {
  Handle at(H5Gopen2(file_, absolute(group).c_str(), H5P_DEFAULT), H5Gclose);
  if (!at.valid()) fail(group, "is not a group");
  std::vector<std::string> names;
  H5Literate(
      at, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t, const char* name, const H5L_info_t*, void* list) -> herr_t {
        static_cast<std::vector<std::string>*>(list)->emplace_back(name);
        return 0;
      },
      &names);
  return names;
}

}  // namespace errata
