#pragma once

#include <algorithm>
#include <cctype>
#include <string>

namespace errata {

/// The text in lower case, for ASCII; SPICE knows no case.
inline std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace errata
