#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace errata {

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

/// SHA-256 of a file's contents. Throws Error (artefact) when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace errata
