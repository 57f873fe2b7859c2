#include "training/data/cifar_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "training/data/data_file.h"
#include "training/shards.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPlane = kCifarShape.height * kCifarShape.width;

/// Plane after plane becomes pixel after pixel.
void interleave(const std::uint8_t* planes, std::uint8_t* pixels) {
  for (std::size_t i = 0; i < kPlane; ++i)
    for (std::size_t c = 0; c < 3; ++c) pixels[3 * i + c] = planes[c * kPlane + i];
}

void append_records(const DataFile& file, std::span<const std::uint8_t> records, ImageSet& set) {
  const std::size_t count = records.size() / kCifarRecordBytes, before = set.count();
  set.labels.resize(before + count);
  set.pixels.resize((before + count) * kCifarShape.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* record = records.data() + i * kCifarRecordBytes;
    if (record[0] >= kCifarClasses)
      file.damaged(fmt::format("record {} has label {}, expected 0 … {}: is it a file of the CIFAR-10 binary version?",
                               before + i, record[0], kCifarClasses - 1));
    set.labels[before + i] = record[0];
    interleave(record + 1, set.pixels.data() + (before + i) * kCifarShape.size());
  }
}

ImageSet load_file(const fs::path& path) {
  constexpr std::size_t kRecordsAtOnce = 256;
  DataFile file(path);
  ImageSet set;
  std::vector<std::uint8_t> records(kRecordsAtOnce * kCifarRecordBytes);
  for (;;) {
    const std::size_t got = file.read(records);
    if (got % kCifarRecordBytes != 0)
      file.damaged(fmt::format("its {} bytes are not whole records of {} bytes: is it truncated?",
                               set.count() * kCifarRecordBytes + got, kCifarRecordBytes));
    append_records(file, std::span(records).first(got), set);
    if (set.count() > kCifarMostRecords) file.damaged(fmt::format("holds more than {} records", kCifarMostRecords));
    if (got < records.size()) break;
  }
  if (set.count() == 0) file.damaged("is empty");
  return set;
}

}  // namespace

ImageSet load_cifar(std::span<const fs::path> files, int threads) {
  std::vector<ImageSet> parts(files.size());
  for_each_shard(files.size(), threads, [&](std::size_t i) { parts[i] = load_file(require_data_file(files[i])); });
  ImageSet set;
  std::size_t count = 0;
  for (const ImageSet& part : parts) count += part.count();
  set.pixels.reserve(count * kCifarShape.size());
  set.labels.reserve(count);
  for (ImageSet& part : parts) {
    set.pixels.insert(set.pixels.end(), part.pixels.begin(), part.pixels.end());
    set.labels.insert(set.labels.end(), part.labels.begin(), part.labels.end());
    part = {};
  }
  return set;
}

}  // namespace errata::training
