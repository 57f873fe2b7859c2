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

/// Labelled grey or colour images, bytes, [image][row][column][channel].
struct ImageSet {
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;

  std::size_t count() const { return labels.size(); }
};

/// Images to train with and images to test with.
struct DataSet {
  std::string name;
  ImageShape shape;
  std::size_t classes = 0;
  ImageSet train;
  ImageSet test;
};

/// Which images to take.
struct DataSetOptions {
  std::filesystem::path root;    ///< holds mnist/, fashion-mnist/, emnist/, cifar-10/; not needed for glyphs
  std::uint64_t seed = 1;        ///< of made data sets (glyphs)
  std::size_t train_images = 0;  ///< first so many training images; 0: all there are (glyphs: 20,000)
  std::size_t test_images = 0;   ///< first so many test images; 0: all there are (glyphs: 4,000)
  int threads = 1;               ///< for making and reading images; never changes them
};

/// Loads or makes a data set: "glyphs", "mnist", "fashion-mnist", "emnist" (letters split), "cifar-10".
/// Errors: unknown name (project, E511), no such files (project, E301), damaged files (artefact, E404).
DataSet load_data_set(std::string_view name, const DataSetOptions& options);

}  // namespace errata::training
