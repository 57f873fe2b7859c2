#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/tensor.h"

namespace errata::training {

/// A file as a data set's own site offers it.
struct RemoteFile {
  std::string address;    ///< https://… or http://…
  std::string sha256;     ///< 64 lower-case hexadecimal digits
  std::uint64_t bytes{};  ///< its length
};

/// How the files of a data set are laid out.
enum class DataSetFormat { kBuiltIn, kIdx, kCifar };

/// What errata knows of a data set beforehand.
struct DataSetEntry {
  std::string name;
  DataSetFormat format = DataSetFormat::kBuiltIn;
  std::string subject;   ///< what the images show
  std::string licence;   ///< of the data
  std::string citation;  ///< whom to cite
  std::string homepage;
  /// Files that are read, in the folder `name` of the data root, each also as FILE.gz. IDX: training images, training
  /// labels, test images, test labels; CIFAR: the test images last.
  std::vector<std::string> files;
  /// Where they come from: the files themselves, or archives that hold them.
  std::vector<RemoteFile> remote;
  /// For archives: file names to take out of them, in any of their folders; empty: remote are the files themselves.
  std::vector<std::string> members;
};

/// Every data set, in the order of listings.
std::span<const DataSetEntry> data_catalogue();

/// The entry of that name; an unknown name is an Error (project, E511) with a suggestion.
const DataSetEntry& data_set_entry(std::string_view name);

/// What a folder holds of a data set.
struct FoundDataSet {
  std::vector<std::filesystem::path> files;  ///< that would be read
  std::vector<std::string> missing;          ///< names without .gz
  /// Images by the files' headers and lengths, whose contents are not read; 0 when files are missing or damaged.
  std::uint64_t train_images = 0, test_images = 0;
  ImageShape shape{0, 0, 0};
  std::string problem;  ///< why a file cannot be what it should be; empty when all is well
};

/// Looks for the set's files below `root`. Never throws for what it finds there.
FoundDataSet find_data_set(const DataSetEntry& entry, const std::filesystem::path& root);

}  // namespace errata::training
