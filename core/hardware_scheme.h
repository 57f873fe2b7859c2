#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace errata {

/// How signed weights stand on bit lines that can only add.
enum class SignedScheme : std::uint8_t {
  kDifferentialBeforeAdc,  ///< a pair of lines, subtracted before the ADC: one conversion
  kDifferentialAfterAdc,   ///< a pair of lines, each converted; their codes are subtracted
  kOffsetColumn,           ///< weights are stored with an offset; the code of a reference column is subtracted
};

inline constexpr std::string_view kSignedSchemeNames[] = {"differential_before_adc", "differential_after_adc",
                                                          "offset_column"};

/// The scheme of that name; names are checked by the schema.
inline SignedScheme signed_scheme(std::string_view name) {
  if (name == kSignedSchemeNames[1]) return SignedScheme::kDifferentialAfterAdc;
  if (name == kSignedSchemeNames[2]) return SignedScheme::kOffsetColumn;
  return SignedScheme::kDifferentialBeforeAdc;
}

/// Bit lines that one conversion reads.
inline std::size_t branches_of(SignedScheme scheme) { return scheme == SignedScheme::kDifferentialBeforeAdc ? 2 : 1; }

}  // namespace errata
