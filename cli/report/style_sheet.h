#pragma once

#include <string_view>

namespace errata::report {

/// CSS of the report. Colours are variables: a light set, a dark one, and the light one again for paper. Series colours
/// are those of Okabe and Ito, which people with any kind of colour vision tell apart.
extern const std::string_view kStyleSheet;

}  // namespace errata::report
