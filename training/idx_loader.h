#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "training/data_set.h"

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
/// database"). The header is held against what the file has before memory is taken for it.
/// Errors: neither file exists (project, E301); damaged, truncated, too long or foreign (artefact, E404).
IdxImages load_idx_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                          const IdxLayout& layout);

}  // namespace errata::training
