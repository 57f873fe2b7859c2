#include "training/idx_loader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void damaged(const fs::path& path, std::string_view what) {
  throw Error(ExitStatus::kArtifact, "E404", fmt::format("{}: {}", path.string(), what),
              "fetch the file again and compare its checksum");
}

/// The plain file when it exists, else the compressed one.
fs::path existing(const fs::path& plain) {
  fs::path compressed = plain;
  compressed += ".gz";
  for (const auto& path : {plain, compressed}) {
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) return path;
  }
  throw Error(ExitStatus::kInvalidProject, "E301",
              fmt::format("neither {} nor {} exists", plain.string(), compressed.filename().string()),
              "set --data-dir or ERRATA_DATA to the folder with the data sets, or use the built-in set 'glyphs'");
}

/// Bytes of a plain or gzip file, front to back; zlib passes plain files through.
class ByteSource {
 public:
  explicit ByteSource(const fs::path& path) : path_(path), file_(gzopen(path.c_str(), "rb"), gzclose) {
    if (!file_) damaged(path_, "cannot be opened");
    std::error_code failure;
    stored_bytes_ = fs::file_size(path_, failure);
    if (failure) damaged(path_, "has no size");
  }

  std::uint32_t big_endian() {
    std::array<std::uint8_t, 4> b{};
    if (read_some(b.data(), b.size()) != b.size()) damaged(path_, "ends within its header");
    return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  }

  /// Exactly `count` bytes and then the end. Memory grows with what has been read, not with `count`.
  std::vector<std::uint8_t> rest(std::uint64_t count) {
    constexpr std::uint64_t kDeflateLimit = 1100, kHeader = 1 << 10;  // deflate shrinks at most 1032-fold
    if (count > (stored_bytes_ + kHeader) * kDeflateLimit)
      damaged(path_,
              fmt::format("its header claims {} bytes, more than {} stored bytes can hold", count, stored_bytes_));
    constexpr std::size_t kChunk = 1 << 20;
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < count) {
      const std::size_t before = bytes.size(), want = std::min<std::uint64_t>(kChunk, count - before);
      bytes.resize(before + want);
      const std::size_t got = read_some(bytes.data() + before, want);
      if (got != want)
        damaged(path_, fmt::format("is truncated: its header claims {} bytes, it has {}", count, before + got));
    }
    std::uint8_t beyond = 0;
    if (read_some(&beyond, 1) != 0) damaged(path_, fmt::format("has more than the {} bytes its header claims", count));
    return bytes;
  }

 private:
  std::size_t read_some(std::uint8_t* target, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
      const int got = gzread(file_.get(), target + done, static_cast<unsigned>(count - done));
      if (got < 0) damaged(path_, "is not a valid gzip file");
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    int status = Z_OK;
    gzerror(file_.get(), &status);
    if (done < count && status != Z_OK && status != Z_STREAM_END) damaged(path_, "is a truncated gzip file");
    return done;
  }

  fs::path path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  std::uint64_t stored_bytes_ = 0;
};

void transpose(std::span<const std::uint8_t> from, const ImageShape& shape, std::span<std::uint8_t> to) {
  for (std::size_t y = 0; y < shape.height; ++y)
    for (std::size_t x = 0; x < shape.width; ++x) to[y * shape.width + x] = from[x * shape.height + y];
}

IdxImages read_images(const fs::path& path, const IdxLayout& layout) {
  constexpr std::uint32_t kMagic = 0x00000803, kLargestSide = 4096;
  ByteSource source(path);
  if (source.big_endian() != kMagic) damaged(path, "is not an IDX file of byte images");
  const std::uint64_t count = source.big_endian(), rows = source.big_endian(), columns = source.big_endian();
  if (count == 0 || rows == 0 || columns == 0 || rows > kLargestSide || columns > kLargestSide)
    damaged(path, fmt::format("its header claims {} images of {}×{}", count, rows, columns));
  IdxImages images;
  // 2³² · 4096² fits 64 bits.
  images.set.pixels = source.rest(count * rows * columns);
  images.shape = layout.transposed ? ImageShape{columns, rows, 1} : ImageShape{rows, columns, 1};
  if (!layout.transposed) return images;
  std::vector<std::uint8_t> image(rows * columns);
  for (std::size_t i = 0; i < count; ++i) {
    const auto place = std::span(images.set.pixels).subspan(i * image.size(), image.size());
    transpose(place, images.shape, image);
    std::ranges::copy(image, place.begin());
  }
  return images;
}

std::vector<std::uint8_t> read_labels(const fs::path& path, const IdxLayout& layout) {
  constexpr std::uint32_t kMagic = 0x00000801;
  ByteSource source(path);
  if (source.big_endian() != kMagic) damaged(path, "is not an IDX file of byte labels");
  auto labels = source.rest(source.big_endian());
  for (std::uint8_t& label : labels) {
    if (label < layout.first_label || label >= layout.first_label + layout.classes)
      damaged(path, fmt::format("has label {}, expected {} … {}", label, layout.first_label,
                                layout.first_label + layout.classes - 1));
    label = static_cast<std::uint8_t>(label - layout.first_label);
  }
  return labels;
}

}  // namespace

IdxImages load_idx_images(const fs::path& images, const fs::path& labels, const IdxLayout& layout) {
  const fs::path image_path = existing(images), label_path = existing(labels);
  IdxImages result = read_images(image_path, layout);
  result.set.labels = read_labels(label_path, layout);
  const std::size_t count = result.set.pixels.size() / result.shape.size();
  if (count != result.set.labels.size())
    damaged(label_path, fmt::format("has {} labels for {} images", result.set.labels.size(), count));
  return result;
}

}  // namespace errata::training
