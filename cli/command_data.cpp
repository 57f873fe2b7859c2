#include <fmt/format.h>

#include <fstream>

#include "cli/command.h"
#include "training/data_set.h"

namespace errata::cli {

namespace {
ExitStatus list(Session& session) {
  const auto root = session.data_root();
  session.out.line(fmt::format("looked for in {}", root.string()));
  for (const auto name : training::data_set_names()) {
    const bool there = name == "glyphs" || std::filesystem::exists(root / name);
    session.out.line(fmt::format("  {:<14} {}", name, name == "glyphs" ? "built in" : there ? "found" : "not found"));
    session.out.append("data_sets", {{"name", std::string(name)}, {"state", there ? "found" : "not found"}}, {});
  }
  return ExitStatus::kOk;
}

/// Writes the built-in glyphs as IDX files, the format of MNIST.
void write_idx(const std::filesystem::path& path, std::span<const std::uint8_t> bytes,
               std::vector<std::uint32_t> sizes) {
  std::ofstream file(path, std::ios::binary);
  const char head[4] = {0, 0, 8, static_cast<char>(sizes.size())};
  file.write(head, 4);
  for (const std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>((size >> shift) & 255));
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()));
}

ExitStatus make(Session& session) {
  const auto& arguments = session.invocation.arguments;
  const std::filesystem::path folder = arguments.size() > 1 ? arguments[1] : "glyphs";
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const auto data = training::load_data_set(
      "glyphs", {.seed = session.invocation.seed.value_or(1), .threads = session.invocation.jobs});
  const auto write = [&](const char* part, const training::ImageSet& set) {
    const auto n = static_cast<std::uint32_t>(set.count());
    write_idx(folder / fmt::format("{}-images-idx3-ubyte", part), set.pixels,
              {n, static_cast<std::uint32_t>(data.shape.height), static_cast<std::uint32_t>(data.shape.width)});
    write_idx(folder / fmt::format("{}-labels-idx1-ubyte", part), set.labels, {n});
  };
  write("train", data.train);
  write("t10k", data.test);
  session.out.line(fmt::format("wrote {} training and {} test images to {}", data.train.count(), data.test.count(),
                               folder.string()));
  return ExitStatus::kOk;
}
}  // namespace

ExitStatus run_data(Session& session) {
  const auto& arguments = session.invocation.arguments;
  const std::string what = arguments.empty() ? "list" : arguments[0];
  if (what == "list") return list(session);
  if (what == "make") return make(session);
  throw Error(ExitStatus::kUsage, "E102", fmt::format("errata data knows no '{}'", what),
              "errata data list, or errata data make [FOLDER]");
}

}  // namespace errata::cli
