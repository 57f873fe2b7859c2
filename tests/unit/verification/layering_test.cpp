// Arrows between tiers point one way only (docs/design/structure.md): read from the includes themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace errata {
namespace {

const std::vector<std::string> kTiers = {"core",     "circuit",      "behavioral", "errormodel",
                                         "training", "verification", "cli"};

/// Headers of lower tiers that a tier may include though it is no neighbour's engine: artefacts.
const std::set<std::string> kArtifacts = {"circuit/characterization.h", "behavioral/model.h",
                                          "errormodel/error_table.h"};

std::size_t rank(const std::string& tier) {
  return static_cast<std::size_t>(std::find(kTiers.begin(), kTiers.end(), tier) - kTiers.begin());
}

TEST(Layering, IncludesPointDownward) {
  std::size_t seen = 0;
  for (const auto& tier : kTiers)
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::filesystem::path(ERRATA_SOURCE_DIR) / tier)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("#include \"")) continue;
        const std::string included = line.substr(10, line.find('"', 10) - 10);
        const std::string from = included.substr(0, included.find('/'));
        ++seen;
        ASSERT_LT(rank(from), kTiers.size()) << entry.path() << " includes " << included << " without its tier";
        EXPECT_LE(rank(from), rank(tier)) << entry.path() << " includes " << included;
        const bool engine = from != tier && from != "core" && !kArtifacts.contains(included);
        // Neighbours hand models up; only verification and cli reach several tiers' engines.
        if (engine && rank(tier) < rank("verification"))
          ADD_FAILURE() << entry.path() << " includes the engine header " << included;
      }
    }
  EXPECT_GT(seen, 200u);
}

TEST(Layering, ForeignLibrariesStayInOneSource) {
  const std::map<std::string, std::string> only = {{"<toml++/", "core/toml_project.cpp"},
                                                   {"<ngspice/", "circuit/campaign/ngspice_session.cpp"},
                                                   {"<nlohmann/", "cli/output.cpp"},
                                                   {"<spdlog/", "cli/output.cpp"},
                                                   {"<onnx/", "training/onnx/onnx_file.cpp"},
                                                   {"<google/protobuf/", "training/onnx/onnx_file.cpp"},
                                                   {"<zlib.h>", "training/data/data_file.cpp"},
                                                   {"<curl/", "training/fetch/download.cpp"},
                                                   {"<archive", "training/fetch/unpack.cpp"},
                                                   {"<ceres/", "behavioral/fitting/least_squares.cpp"},
                                                   {"<cholmod", "behavioral/crossbar/crossbar_cholmod.cpp"}};
  for (const auto& tier : kTiers)
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::filesystem::path(ERRATA_SOURCE_DIR) / tier)) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);)
        for (const auto& [header, source] : only)
          if (line.starts_with("#include " + header)) {
            EXPECT_TRUE(entry.path().string().ends_with(source)) << entry.path();
          }
    }
}

}  // namespace
}  // namespace errata
