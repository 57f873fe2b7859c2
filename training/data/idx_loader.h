#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "training/data/data_set.h"

namespace errata::training {

/// How a data set of the MNIST family differs from MNIST.
struct IdxLayout {
  bool transposed = false;       ///< images are stored column by column (EMNIST)
  std::uint8_t first_label = 0;  ///< label of class 0
  std::size_t classes = 10;
};

/// Images of one pair of IDX files.
struct IdxImages {
  ImageShape shape;
  ImageSet set;
};

/// Reads an IDX image file and its label file, each plain or as FILE.gz (LeCun, Cortes and Burges, "The MNIST
/// database"). Headers are held against each other and against what the files have before memory is taken; labels
/// must lie in the layout's range.
/// Errors: neither file exists (project, E301); damaged, truncated, too long, foreign or swapped (artefact, E404).
IdxImages load_idx_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                          const IdxLayout& layout);

/// Sizes that an IDX file of bytes claims, the number of items first; its contents are not read.
std::vector<std::uint32_t> idx_sizes(const std::filesystem::path& file);

/// Writes bytes as an IDX file of these sizes, whole or not at all. Errors: environment, E601.
void write_idx(const std::filesystem::path& path, std::span<const std::uint8_t> bytes,
               std::span<const std::uint32_t> sizes);

}  // namespace errata::training
