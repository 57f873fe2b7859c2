#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/hdf5_file.h"

namespace errata {

/// Paths of all datasets of a file, groups walked in the order of their names.
std::vector<std::string> dataset_names(const Hdf5Reader& file);

/// One dataset as CSV: a column for each axis with the index from 0, then `value`, or `value [unit]`; text in quotes.
std::string dataset_csv(const Hdf5Reader& file, std::string_view name);

/// A whole file as one JSON object: groups are objects, an attribute is `"@name": value`, a dataset is
/// `{"units": …, "shape": […], "values": nested lists}`. Numbers read back to the same bits. Throws Error (artefact,
/// E408) for values that are not finite, which JSON cannot say.
std::string file_json(const Hdf5Reader& file);

/// A whole file as a NumPy archive: one array for each dataset, named by its path without the leading slash, and one
/// text for each attribute, named `path@name`. The bytes depend on the contents only.
std::string file_npz(const Hdf5Reader& file);

/// Writes a text or archive to PATH by way of PATH.part. Throws Error (environment, E601).
void write_whole_file(const std::filesystem::path& path, std::string_view bytes);

/// A text in JSON's quotes.
std::string json_text(std::string_view text);

}  // namespace errata
