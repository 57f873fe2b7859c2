#pragma once

#include <string>
#include <vector>

#include "core/project_schema.h"

namespace errata::project_keys {

// How the tables of keys beside this file are written: a key of each kind, and what can be said of it besides.

KeySpec integer(std::string path, std::string default_text, double minimum, double maximum, std::string description);
KeySpec real(std::string path, std::string default_text, double minimum, double maximum, std::string description);
KeySpec text(std::string path, std::string default_text, std::string description);
KeySpec flag(std::string path, std::string default_text, std::string description);
KeySpec choice(std::string path, std::string default_text, std::vector<std::string> choices, std::string description);
KeySpec quantity(std::string path, Dimension dimension, std::string default_text, double minimum, double maximum,
                 std::string description);
KeySpec need(KeySpec spec, std::string example);
KeySpec unless(std::string other, KeySpec spec);
KeySpec any(KeySpec spec);
KeySpec list(KeySpec spec);

// One function for each section of errata.toml, in a file of its own.

std::vector<KeySpec> circuit_keys();
std::vector<KeySpec> array_keys();
std::vector<KeySpec> behavioral_keys();
std::vector<KeySpec> errormodel_keys();
std::vector<KeySpec> hardware_keys();
std::vector<KeySpec> training_keys();
std::vector<KeySpec> verification_keys();

}  // namespace errata::project_keys
