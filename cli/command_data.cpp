#include <fmt/format.h>

#include "cli/command.h"
#include "training/data/data_catalogue.h"
#include "training/data/data_set.h"
#include "training/data/idx_loader.h"
#include "training/fetch/data_fetch.h"

namespace errata::cli {

namespace {

using training::DataSetEntry;
using training::FoundDataSet;

std::string_view state_of(const DataSetEntry& entry, const FoundDataSet& found) {
  if (entry.format == training::DataSetFormat::kBuiltIn) return "built in";
  if (found.files.empty()) return "not found";
  if (!found.missing.empty()) return "incomplete";
  return found.problem.empty() ? "found" : "damaged";
}

/// What there is to say of its state: numbers of images, or what is wrong.
std::string details(const DataSetEntry& entry, const FoundDataSet& found) {
  if (found.files.empty() && !found.missing.empty()) return fmt::format("errata data fetch {}", entry.name);
  if (!found.missing.empty()) return fmt::format("without {}", fmt::join(found.missing, ", "));
  if (!found.problem.empty()) return found.problem;
  return fmt::format("{} training and {} test images of {}×{}{}", found.train_images, found.test_images,
                     found.shape.height, found.shape.width,
                     found.shape.channels > 1 ? fmt::format(", {} channels", found.shape.channels) : "");
}

std::string joined_names(const FoundDataSet& found) {
  std::vector<std::string> names;
  for (const auto& file : found.files) names.push_back(file.filename().string());
  return fmt::format("{}", fmt::join(names, ", "));
}

ExitStatus list(Session& session) {
  const auto root = session.data_root();
  session.out.line(fmt::format("looked in {}", root.string()));
  session.out.line(
      "(the first that is given or exists: --data-dir, $ERRATA_DATA, $XDG_DATA_HOME/errata, ~/.local/share/errata, "
      "/usr/share/errata)");
  session.out.set("folder", root.string());
  for (const auto& entry : training::data_catalogue()) {
    const FoundDataSet found = training::find_data_set(entry, root);
    const auto state = state_of(entry, found);
    const std::string files = joined_names(found);
    session.out.line(fmt::format("\n  {:<14} {:<11} {}", entry.name, state, details(entry, found)));
    const auto more = [&](std::string_view what, const std::string& text) {
      if (!text.empty()) session.out.line(fmt::format("  {:<14} {:<11} {}", "", what, text));
    };
    more("subject", entry.subject);
    more("files", files);
    more("licence", entry.licence);
    more("cite", entry.citation);
    more("site", entry.homepage);
    session.out.append("data_sets",
                       {{"name", entry.name},
                        {"state", std::string(state)},
                        {"details", details(entry, found)},
                        {"files", files},
                        {"licence", entry.licence},
                        {"citation", entry.citation},
                        {"site", entry.homepage}},
                       {{"train_images", static_cast<double>(found.train_images)},
                        {"test_images", static_cast<double>(found.test_images)}});
  }
  return ExitStatus::kOk;
}

/// Writes the built-in glyphs as IDX files, the format of MNIST.
ExitStatus make(Session& session) {
  const auto& arguments = session.invocation.arguments;
  const std::filesystem::path folder = arguments.size() > 1 ? arguments[1] : "glyphs";
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot make {}: {}", folder.string(), failure.message()),
                "name a folder that you can write to");
  const auto data = training::load_data_set(
      "glyphs", {.seed = session.invocation.seed.value_or(1), .threads = session.invocation.jobs});
  const auto write = [&](const char* part, const training::ImageSet& set) {
    const auto number = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
    const std::uint32_t sizes[] = {number(set.count()), number(data.shape.height), number(data.shape.width)};
    training::write_idx(folder / fmt::format("{}-images-idx3-ubyte", part), set.pixels, sizes);
    training::write_idx(folder / fmt::format("{}-labels-idx1-ubyte", part), set.labels, std::span(sizes).first(1));
  };
  write("train", data.train);
  write("t10k", data.test);
  session.out.line(fmt::format("wrote {} training and {} test images to {}", data.train.count(), data.test.count(),
                               folder.string()));
  return ExitStatus::kOk;
}

ExitStatus fetch(Session& session) {
  const auto& arguments = session.invocation.arguments;
  if (arguments.size() < 2)
    throw Error(ExitStatus::kUsage, "E102", "errata data fetch needs the name of a data set",
                "for example: errata data fetch mnist; `errata data list` shows all");
  const DataSetEntry& entry = training::data_set_entry(arguments[1]);
  training::FetchOptions options;
  options.root = session.data_target();
  options.base_address = session.invocation.from;
  const auto fetched = training::fetch_data_set(entry, options, session.context);
  const auto folder = options.root / entry.name;
  const FoundDataSet found = training::find_data_set(entry, options.root);
  session.out.line(fetched.empty() ? fmt::format("{}: everything is there already", folder.string())
                                   : fmt::format("{}: {}", folder.string(), fmt::join(fetched, ", ")));
  session.out.line(details(entry, found));
  session.out.line(fmt::format("licence: {}; cite: {}", entry.licence, entry.citation));
  session.out.set("folder", folder.string());
  session.out.set("fetched", fetched);
  return ExitStatus::kOk;
}

}  // namespace

ExitStatus run_data(Session& session) {
  const auto& arguments = session.invocation.arguments;
  const std::string what = arguments.empty() ? "list" : arguments[0];
  if (what != "fetch" && !session.invocation.from.empty())
    throw Error(ExitStatus::kUsage, "E103", fmt::format("`errata data {}` takes no --from", what),
                "errata data fetch NAME --from ADDRESS");
  if (what == "list") return list(session);
  if (what == "make") return make(session);
  if (what == "fetch") return fetch(session);
  throw Error(ExitStatus::kUsage, "E102", fmt::format("errata data knows no '{}'", what),
              "errata data list, errata data make [FOLDER], or errata data fetch NAME");
}

}  // namespace errata::cli
