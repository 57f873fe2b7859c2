#include "core/artifact.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/sha256.h"
#include "core/version.h"

namespace errata {

std::string Provenance::fingerprint() const {
  std::string text =
      fmt::format("errata {}\n{} {}.{}\nseed {}\n{}", kVersion, format, major_version, minor_version, seed, config);
  for (const auto& input : inputs) text += fmt::format("{} {}\n", input.role, input.sha256);
  return sha256(text);
}

void write_provenance(Hdf5Writer& file, const Provenance& p) {
  const std::int64_t version[] = {p.major_version, p.minor_version};
  std::string inputs;
  for (const auto& input : p.inputs) inputs += fmt::format("{} {}\n", input.role, input.sha256);
  file.attribute("/", "errata_format", std::string_view(p.format));
  file.attribute("/", "format_version", std::span<const std::int64_t>(version));
  file.attribute("/", "errata_version", std::string_view(kVersion));
  file.attribute("/", "inputs", std::string_view(inputs));
  file.attribute("/", "config", std::string_view(p.config));
  file.attribute("/", "seed", static_cast<std::int64_t>(p.seed));
  file.attribute("/", "fingerprint", std::string_view(p.fingerprint()));
  file.attribute("/", "complete", std::int64_t{1});
}

Provenance read_provenance(const Hdf5Reader& file, std::string_view format, std::int64_t major) {
  const auto incompatible = [&](const std::string& what) {
    throw Error(ExitStatus::kArtifact, "E405", fmt::format("{}: {}", file.path().string(), what),
                "run the stage that makes it again with this version of errata");
  };
  if (!file.has_attribute("/", "errata_format")) incompatible("is an HDF5 file, but not one of errata's");
  Provenance p;
  p.format = file.text("/", "errata_format");
  if (p.format != format) incompatible(fmt::format("is a '{}' file; a '{}' file is needed", p.format, format));
  const auto version = file.integer_list("/", "format_version");
  if (version.size() != 2 || version[0] != major)
    incompatible(fmt::format("has format version {}; this errata reads {}.x", fmt::join(version, "."), major));
  p.major_version = version[0];
  p.minor_version = version[1];
  p.config = file.text("/", "config");
  p.seed = static_cast<std::uint64_t>(file.integer("/", "seed"));
  const std::string inputs = file.text("/", "inputs");
  for (std::size_t at = 0; at < inputs.size();) {
    const std::size_t end = std::min(inputs.find('\n', at), inputs.size());
    const std::size_t space = inputs.find(' ', at);
    if (space < end) p.inputs.push_back({inputs.substr(at, space - at), inputs.substr(space + 1, end - space - 1)});
    at = end + 1;
  }
  return p;
}

std::string operating_point_group(std::size_t k) { return fmt::format("/op[{}]", k); }

std::string stored_fingerprint(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  try {
    const Hdf5Reader file(path);
    if (!file.has_attribute("/", "complete")) return {};
    return file.text("/", "fingerprint");
  } catch (const Error&) {
    return {};
  }
}

}  // namespace errata
