#include "training/data/idx_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "training/data/data_file.h"
#include "training/logs/append_file.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kByteType = 0x08, kLabelMagic = kByteType << 8 | 1, kImageMagic = kByteType << 8 | 3;

/// Reads the magic number and the sizes after it.
std::vector<std::uint32_t> read_sizes(DataFile& file) {
  const std::uint32_t magic = file.big_endian();
  if (magic != kLabelMagic && magic != kImageMagic)
    file.damaged(fmt::format("is not an IDX file of bytes: it begins with {:#010x}", magic));
  std::vector<std::uint32_t> sizes(magic & 0xff);
  for (std::uint32_t& size : sizes) size = file.big_endian();
  return sizes;
}

std::uint32_t read_label_header(DataFile& file) {
  const auto sizes = read_sizes(file);
  if (sizes.size() != 1) file.damaged("holds images where labels belong: are the two files swapped?");
  if (sizes[0] == 0) file.damaged("its header claims no labels");
  return sizes[0];
}

ImageShape read_image_header(DataFile& file, std::uint32_t labels) {
  constexpr std::uint32_t kLargestSide = 4096;
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 32;
  const auto sizes = read_sizes(file);
  if (sizes.size() != 3) file.damaged("holds labels where images belong: are the two files swapped?");
  const std::uint64_t count = sizes[0], rows = sizes[1], columns = sizes[2];
  if (rows == 0 || columns == 0 || rows > kLargestSide || columns > kLargestSide)
    file.damaged(fmt::format("its header claims {} images of {}×{}", count, rows, columns));
  if (count != labels) file.damaged(fmt::format("has {} images for {} labels", count, labels));
  if (count * rows * columns > kMostBytes)  // below 2³² · 4096², which fits 64 bits
    file.damaged(fmt::format("its header claims {} images of {}×{}, more than 4 GiB", count, rows, columns));
  return {rows, columns, 1};
}

std::vector<std::uint8_t> class_numbers(const DataFile& file, std::vector<std::uint8_t> labels,
                                        const IdxLayout& layout) {
  for (std::uint8_t& label : labels) {
    if (label < layout.first_label || label >= layout.first_label + layout.classes)
      file.damaged(fmt::format("has label {}, expected {} … {}", label, layout.first_label,
                               layout.first_label + layout.classes - 1));
    label = static_cast<std::uint8_t>(label - layout.first_label);
  }
  return labels;
}

void transpose(std::span<const std::uint8_t> from, const ImageShape& shape, std::span<std::uint8_t> to) {
  for (std::size_t y = 0; y < shape.height; ++y)
    for (std::size_t x = 0; x < shape.width; ++x) to[y * shape.width + x] = from[x * shape.height + y];
}

}  // namespace

IdxImages load_idx_images(const fs::path& images, const fs::path& labels, const IdxLayout& layout) {
  DataFile image_file(require_data_file(images)), label_file(require_data_file(labels));
  const std::uint32_t count = read_label_header(label_file);
  const ImageShape stored = read_image_header(image_file, count);
  IdxImages result;
  result.set.labels = class_numbers(label_file, label_file.rest(count), layout);
  result.set.pixels = image_file.rest(count * stored.size());
  result.shape = layout.transposed ? ImageShape{stored.width, stored.height, 1} : stored;
  if (!layout.transposed) return result;
  std::vector<std::uint8_t> image(stored.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto place = std::span(result.set.pixels).subspan(i * image.size(), image.size());
    transpose(place, result.shape, image);
    std::ranges::copy(image, place.begin());
  }
  return result;
}

std::vector<std::uint32_t> idx_sizes(const fs::path& path) {
  DataFile file(path);
  return read_sizes(file);
}

void write_idx(const fs::path& path, std::span<const std::uint8_t> bytes, std::span<const std::uint32_t> sizes) {
  std::string head{0, 0, static_cast<char>(kByteType), static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) head += static_cast<char>(size >> shift & 255);
  replace_file(path, head.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace errata::training
