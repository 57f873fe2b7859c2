#include "core/dataset_export.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>

#include "core/error.h"

namespace errata {

namespace {

[[noreturn]] void cannot(const Hdf5Reader& file, std::string_view name, std::string_view what, std::string_view hint) {
  throw Error(ExitStatus::kArtifact, "E408", fmt::format("{}: {}: {}", file.path().string(), name, what),
              std::string(hint));
}

std::string child_path(const std::string& group, const std::string& name) {
  return (group == "/" ? "" : group) + "/" + name;
}

void collect(const Hdf5Reader& file, const std::string& group, std::vector<std::string>& names) {
  for (const auto& name : file.children(group)) {
    const std::string at = child_path(group, name);
    if (file.is_group(at))
      collect(file, at, names);
    else
      names.push_back(at);
  }
}

/// The elements of a dataset as text, each as CSV and JSON write it.
std::vector<std::string> elements(const Hdf5Reader& file, const std::string& name, bool (*accepts)(double)) {
  std::vector<std::string> text;
  const auto numbers = [&](const auto& values) {
    for (const auto v : values) {
      if (!accepts(static_cast<double>(v)))
        cannot(file, name, "holds a value that is not finite", "export it as npz or csv");
      text.push_back(fmt::format("{}", v));
    }
  };
  switch (file.kind(name)) {
    case Hdf5Kind::kReal64:
      numbers(file.doubles(name));
      break;
    case Hdf5Kind::kReal32:
      numbers(file.floats(name));
      break;
    case Hdf5Kind::kInteger64:
    case Hdf5Kind::kInteger32:
      numbers(file.integers(name));
      break;
    case Hdf5Kind::kByte:
      for (const auto v : file.bytes(name)) text.push_back(fmt::format("{}", int{v}));
      break;
    case Hdf5Kind::kText:
      for (const auto& v : file.strings(name)) text.push_back(json_text(v));
      break;
    case Hdf5Kind::kOther:
      cannot(file, name, "has a type that errata does not write", "");
  }
  return text;
}

bool any(double) { return true; }
bool finite(double v) { return std::isfinite(v); }

std::string csv_text(std::string_view json) {
  // JSON escapes a quote with a backslash, CSV doubles it.
  std::string text;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '\\' && i + 1 < json.size() && json[i + 1] == '"') {
      text += "\"\"";
      ++i;
    } else {
      text += json[i];
    }
  }
  return text;
}

std::string attribute_json(const Hdf5Reader& file, const std::string& object, const std::string& name) {
  switch (file.attribute_kind(object, name)) {
    case Hdf5Kind::kText:
      return json_text(file.text(object, name));
    case Hdf5Kind::kReal64:
    case Hdf5Kind::kReal32: {
      const double v = file.real(object, name);
      if (!std::isfinite(v)) cannot(file, object, "has an attribute that is not finite", "export it as npz");
      return fmt::format("{}", v);
    }
    default: {
      const auto list = file.integer_list(object, name);
      return list.size() == 1 ? fmt::format("{}", list[0]) : fmt::format("[{}]", fmt::join(list, ", "));
    }
  }
}

/// Elements as nested lists of the shape; `at` walks along.
void nest(const std::vector<std::string>& text, const Shape& shape, std::size_t axis, std::size_t& at,
          std::string& out) {
  if (axis == shape.size()) {
    out += text[at++];
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < shape[axis]; ++i) {
    if (i > 0) out += ", ";
    nest(text, shape, axis + 1, at, out);
  }
  out += ']';
}

void dataset_json(const Hdf5Reader& file, const std::string& name, std::string& out) {
  const Shape shape = file.shape(name);
  out += '{';
  for (const auto& [key, value] : file.attributes(name))
    out +=
        fmt::format("{}: {}, ", key == "units" ? "\"units\"" : json_text("@" + key), attribute_json(file, name, key));
  out += fmt::format("\"shape\": [{}], \"values\": ", fmt::join(shape, ", "));
  std::size_t at = 0;
  nest(elements(file, name, finite), shape, 0, at, out);
  out += '}';
}

void group_json(const Hdf5Reader& file, const std::string& group, const std::string& indent, std::string& out) {
  out += '{';
  const char* separator = "\n";
  const auto member = [&](std::string_view key) {
    out += separator + indent + "  " + json_text(key) + ": ";
    separator = ",\n";
  };
  for (const auto& [name, value] : file.attributes(group)) {
    member("@" + name);
    out += attribute_json(file, group, name);
  }
  for (const auto& name : file.children(group)) {
    const std::string at = child_path(group, name);
    member(name);
    if (file.is_group(at))
      group_json(file, at, indent + "  ", out);
    else
      dataset_json(file, at, out);
  }
  out += "\n" + indent + "}";
}

// ---- NumPy archives
// --------------------------------------------------------------------------------------------------

std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t;
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1u) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t c = ~0u;
  for (const char byte : bytes) c = table[(c ^ static_cast<std::uint8_t>(byte)) & 0xFFu] ^ (c >> 8);
  return ~c;
}

/// Little-endian numbers of a ZIP header.
void put(std::string& out, std::uint64_t value, int bytes) {
  for (int k = 0; k < bytes; ++k) out += static_cast<char>((value >> (8 * k)) & 0xFFu);
}

/// A ZIP file of stored members without times.
class Zip {
 public:
  void add(const std::string& name, std::string_view contents) {
    constexpr std::uint32_t kDay = 0x21;  // 1980-01-01, the first that a ZIP file can say
    std::string common;
    put(common, 20, 2);  // version 2.0
    put(common, 0, 2);
    put(common, 0, 2);  // stored
    put(common, 0, 2);
    put(common, kDay, 2);
    put(common, crc32(contents), 4);
    put(common, contents.size(), 4);
    put(common, contents.size(), 4);
    put(common, name.size(), 2);
    put(common, 0, 2);
    const std::size_t offset = body_.size();
    body_ += "PK\x03\x04" + common + name;
    body_ += contents;
    directory_ += "PK\x01\x02";
    put(directory_, 20, 2);
    directory_ += common;
    put(directory_, 0, 2);
    put(directory_, 0, 2);
    put(directory_, 0, 2);
    put(directory_, 0, 4);
    put(directory_, offset, 4);
    directory_ += name;
    ++members_;
    if (body_.size() > 0xFFFFFFF0u || members_ > 0xFFF0u)
      throw Error(ExitStatus::kArtifact, "E408", "the file is too large for a NumPy archive (4 GiB)",
                  "export single datasets as csv, or read it with h5py");
  }

  std::string bytes() {
    std::string end = "PK\x05\x06";
    put(end, 0, 2);
    put(end, 0, 2);
    put(end, members_, 2);
    put(end, members_, 2);
    put(end, directory_.size(), 4);
    put(end, body_.size(), 4);
    put(end, 0, 2);
    return body_ + directory_ + end;
  }

 private:
  std::string body_, directory_;
  std::size_t members_ = 0;
};

/// One array in NumPy's own format, version 1.0.
std::string npy(const std::string& type, const Shape& shape, std::string_view data) {
  std::string sizes;
  for (const auto size : shape) sizes += fmt::format("{},", size);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  constexpr std::size_t kAlign = 64, kPrefix = 10;
  header.append((kAlign - (kPrefix + header.size() + 1) % kAlign) % kAlign, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  put(out, header.size(), 2);
  out += header;
  out += data;
  return out;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string text_array(const std::vector<std::string>& values, const Shape& shape) {
  std::size_t longest = 1;
  for (const auto& v : values) longest = std::max(longest, v.size());
  std::string data;
  for (const auto& v : values) {
    data += v;
    data.append(longest - v.size(), '\0');
  }
  return npy(fmt::format("|S{}", longest), shape, data);
}

std::string dataset_npy(const Hdf5Reader& file, const std::string& name) {
  const Shape shape = file.shape(name);
  switch (file.kind(name)) {
    case Hdf5Kind::kReal64:
      return npy("<f8", shape, raw(file.doubles(name)));
    case Hdf5Kind::kReal32:
      return npy("<f4", shape, raw(file.floats(name)));
    case Hdf5Kind::kInteger64:
    case Hdf5Kind::kInteger32:
      return npy("<i8", shape, raw(file.integers(name)));
    case Hdf5Kind::kByte:
      return npy("|u1", shape, raw(file.bytes(name)));
    case Hdf5Kind::kText:
      return text_array(file.strings(name), shape);
    case Hdf5Kind::kOther:
      break;
  }
  cannot(file, name, "has a type that errata does not write", "");
}

void add_attributes(const Hdf5Reader& file, const std::string& object, Zip& zip) {
  const std::string name = object == "/" ? "" : object.substr(1);
  for (const auto& [key, value] : file.attributes(object)) zip.add(name + "@" + key + ".npy", text_array({value}, {}));
}

void add_group(const Hdf5Reader& file, const std::string& group, Zip& zip) {
  add_attributes(file, group, zip);
  for (const auto& name : file.children(group)) {
    const std::string at = child_path(group, name);
    if (file.is_group(at)) {
      add_group(file, at, zip);
      continue;
    }
    zip.add(at.substr(1) + ".npy", dataset_npy(file, at));
    add_attributes(file, at, zip);
  }
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + '"';
}

std::vector<std::string> dataset_names(const Hdf5Reader& file) {
  std::vector<std::string> names;
  collect(file, "/", names);
  return names;
}

std::string dataset_csv(const Hdf5Reader& file, std::string_view name) {
  const std::string at(name);
  const Shape shape = file.shape(at);
  const bool text = file.kind(at) == Hdf5Kind::kText;
  const std::string units = file.units(at);
  std::string out;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) out += fmt::format("index{},", axis);
  out += units.empty() || units == "1" ? "value\n" : fmt::format("value [{}]\n", units);
  const auto values = elements(file, at, any);
  for (std::size_t k = 0; k < values.size(); ++k) {
    std::string line;
    std::size_t rest = k;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
      line = fmt::format("{},", rest % shape[axis]) + line;
    out += line + (text ? csv_text(values[k]) : values[k]) + "\n";
  }
  return out;
}

std::string file_json(const Hdf5Reader& file) {
  std::string out;
  group_json(file, "/", "", out);
  return out + "\n";
}

std::string file_npz(const Hdf5Reader& file) {
  Zip zip;
  add_group(file, "/", zip);
  return zip.bytes();
}

void write_whole_file(const std::filesystem::path& path, std::string_view bytes) {
  auto part = path;
  part += ".part";
  bool good = false;
  {
    std::ofstream file(part, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    good = static_cast<bool>(file.flush());
  }
  std::error_code failure;
  if (good) std::filesystem::rename(part, path, failure);
  if (good && !failure) return;
  std::filesystem::remove(part, failure);
  throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()),
              "check that the folder exists, is writable and that the disk is not full");
}

}  // namespace errata
