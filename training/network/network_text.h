#pragma once

#include <string>
#include <string_view>

#include "training/network/network_description.h"

namespace errata::training {

/// Reads a network from TOML text (docs/formats/network.md); `file` is the name used in messages. Input and classes
/// come from the data. Throws ProjectError with every problem at its place (E101, E514).
NetworkDescription parse_network_text(std::string_view text, const std::string& file, ImageShape input,
                                      std::size_t classes);

/// The description as TOML text that parse_network_text() reads back to an equal description.
std::string network_text(const NetworkDescription& description);

}  // namespace errata::training
