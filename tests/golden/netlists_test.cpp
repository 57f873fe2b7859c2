// Every folder of tests/golden/netlists is a netlist in the style of others with what errata says of it and makes of
// it. ERRATA_UPDATE_GOLDEN=1 writes the expectations anew; read the difference before you commit it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "circuit/campaign/campaign.h"
#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_text.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(ERRATA_SOURCE_DIR) / "tests/golden/netlists";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// First lines of the top file: "* errata: roots=cell,switch compatibility=hs corner=ff trust".
NetlistOptions options_of(const std::filesystem::path& top) {
  NetlistOptions options;
  std::ifstream file(top);
  std::string line;
  std::getline(file, line);
  const auto at = line.find("errata:");
  std::istringstream words(at == std::string::npos ? std::string() : line.substr(at + 7));
  for (std::string word; words >> word;) {
    const std::string value = word.substr(word.find('=') + 1);
    if (word.starts_with("roots=")) {
      std::istringstream roots(value);
      for (std::string root; std::getline(roots, root, ',');) options.roots.push_back(root);
    }
    if (word.starts_with("compatibility=")) options.compatibility = inlined_compatibility(value);
    if (word.starts_with("corner=")) options.corner = value;
    if (word == "trust") options.trust = true;
  }
  return options;
}

/// Paths relative to the case's folder.
std::string without_folder(std::string text, const std::filesystem::path& folder) {
  const std::string prefix = folder.string() + "/";
  for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) text.erase(at, prefix.size());
  return text;
}

std::string outcome(const std::filesystem::path& folder) {
  std::string text;
  try {
    const auto top = folder / "top.cir";
    const Netlist n = read_netlist(top, options_of(top));
    for (const auto& w : n.warnings) text += format_diagnostic(w) + "\n";
    text += "--- deck\n";
    for (const auto& s : n.statements) text += fmt::format("{}:{}: {}\n", s.position.file, s.position.line, s.text);
    for (const auto& root : options_of(top).roots) {
      text += fmt::format("--- {}\n", root);
      for (const auto& leaf : leaf_devices(n, root))
        text += fmt::format("{} {}{}{}\n", leaf.path, leaf.type, leaf.model.empty() ? "" : " ", leaf.model);
    }
  } catch (const ProjectError& e) {
    for (const auto& d : e.diagnostics()) text += format_diagnostic(d) + "\n";
  }
  return without_folder(text, folder);
}

class GoldenNetlist : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenNetlist, IsReadAsExpected) {
  const auto folder = kFolder / GetParam();
  const std::string found = outcome(folder);
  if (std::getenv("ERRATA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(folder / "expected.txt", std::ios::binary) << found;
    return;
  }
  EXPECT_EQ(found, testing::bytes_of(folder / "expected.txt")) << "ERRATA_UPDATE_GOLDEN=1 accepts what is new";
}

/// The roots between resistors.
Deck deck_of(const Netlist& netlist, const NetlistOptions& options) {
  Deck deck{.name = "golden", .lines = {"title"}};
  for (const auto& s : netlist.statements) deck.lines.push_back(s.text);
  for (const auto& node : netlist.globals) deck.lines.push_back(fmt::format("vglobal_{0} {0} 0 0", node));
  int next = 0;
  for (const auto& root : options.roots) {
    std::string line = fmt::format("xroot{}", next);
    for (std::size_t i = 0; i < netlist.subcircuits.at(root).pins.size(); ++i, ++next) {
      line += fmt::format(" p{}", next);
      deck.lines.push_back(fmt::format("rp{0} p{0} in 1k", next));
    }
    deck.lines.push_back(line + " " + netlist.subcircuits.at(root).deck_name);
  }
  deck.lines.insert(deck.lines.end(), {"vin in 0 0.5", ".end"});
  deck.positions.resize(deck.lines.size());
  deck.outputs = {{"vin#branch", 1.0}};
  deck.compatibility = options.compatibility;
  return deck;
}

TEST_P(GoldenNetlist, RunsInNgspiceWhenItIsAccepted) {
  const auto top = kFolder / GetParam() / "top.cir";
  const NetlistOptions options = options_of(top);
  try {
    const Deck deck = deck_of(read_netlist(top, options), options);
    const auto result = run_campaign({deck}, {{}}, {.retries = 0, .tolerated_failures = 1}, {}, {}, RunContext{});
    EXPECT_EQ(result.points[0].status, PointStatus::kOk) << result.points[0].log;
  } catch (const ProjectError&) {
    SUCCEED();  // refused, as expected.txt says
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenNetlist, ::testing::ValuesIn(cases()), [](const auto& one) { return one.param; });

TEST(GoldenNetlists, AreFound) { EXPECT_GE(cases().size(), 10u); }

}  // namespace
}  // namespace errata::circuit
