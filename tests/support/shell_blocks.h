#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace errata::testing {

/// The ```sh blocks of a page, in order.
inline std::string shell_blocks(const std::filesystem::path& page) {
  std::ifstream file(page);
  std::string text, line;
  for (bool inside = false; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = line == "```sh";
      continue;
    }
    if (inside) text += line + "\n";
  }
  return text;
}

}  // namespace errata::testing
