#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "training/data/data_set.h"

namespace errata::training {

/// Size of a CIFAR-10 image.
inline constexpr ImageShape kCifarShape{32, 32, 3};
inline constexpr std::size_t kCifarClasses = 10;
/// Bytes of a record of the binary version: the label, then the red, green and blue planes.
inline constexpr std::size_t kCifarRecordBytes = 1 + 3072;
/// Most records that a file may hold, ten times what the originals hold: a compressed file says nothing about its size
/// beforehand, so this is where a hostile one is stopped.
inline constexpr std::size_t kCifarMostRecords = 100000;

/// Reads files of the CIFAR-10 binary version (Krizhevsky 2009), each plain or as FILE.gz, one after the other into one
/// set, channels last. A file holds any number of records from 1 to kCifarMostRecords. `threads` files are read at a
/// time; that never changes the result.
/// Errors: a file is missing (project, E301); empty, too large, damaged, not of whole records, a label above 9
/// (artefact, E404).
ImageSet load_cifar(std::span<const std::filesystem::path> files, int threads);

}  // namespace errata::training
