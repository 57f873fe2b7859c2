#include <utility>

#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

KeySpec integer(std::string path, std::string default_text, double minimum, double maximum, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kInteger,
          .default_text = std::move(default_text),
          .minimum = minimum,
          .maximum = maximum,
          .description = std::move(description)};
}
KeySpec real(std::string path, std::string default_text, double minimum, double maximum, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kReal,
          .default_text = std::move(default_text),
          .minimum = minimum,
          .maximum = maximum,
          .description = std::move(description)};
}
KeySpec text(std::string path, std::string default_text, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kText,
          .default_text = std::move(default_text),
          .description = std::move(description)};
}
KeySpec flag(std::string path, std::string default_text, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kBoolean,
          .default_text = std::move(default_text),
          .description = std::move(description)};
}
KeySpec choice(std::string path, std::string default_text, std::vector<std::string> choices, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kChoice,
          .default_text = std::move(default_text),
          .choices = std::move(choices),
          .description = std::move(description)};
}
KeySpec quantity(std::string path, Dimension dimension, std::string default_text, double minimum, double maximum,
                 std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kQuantity,
          .dimension = dimension,
          .default_text = std::move(default_text),
          .minimum = minimum,
          .maximum = maximum,
          .description = std::move(description)};
}
KeySpec need(KeySpec spec, std::string example) {
  spec.required = true;
  spec.example = std::move(example);
  return spec;
}
KeySpec unless(std::string other, KeySpec spec) {
  spec.unless = std::move(other);
  return spec;
}
KeySpec any(KeySpec spec) {
  spec.any_dimension = true;
  return spec;
}
KeySpec list(KeySpec spec) {
  spec.kind = ValueKind::kQuantityList;
  return spec;
}

}  // namespace errata::project_keys
