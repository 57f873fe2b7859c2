#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "core/diagnostic.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

/// Codes in string literals of all tiers' sources.
std::set<std::string> codes_in_sources() {
  std::set<std::string> codes;
  const std::regex literal(R"re("([EW][0-9]{3})")re");
  for (const char* tier : {"core", "circuit", "behavioral", "errormodel", "training", "verification", "cli"})
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::filesystem::path(ERRATA_SOURCE_DIR) / tier)) {
      const auto extension = entry.path().extension();
      if (entry.path().filename() == "diagnostic_catalogue.cpp" || (extension != ".cpp" && extension != ".h")) continue;
      const std::string text = testing::bytes_of(entry.path());
      for (std::sregex_iterator it(text.begin(), text.end(), literal), end; it != end; ++it) codes.insert((*it)[1]);
    }
  return codes;
}

TEST(DiagnosticCatalogue, KnowsEveryCodeThatIsUsed) {
  std::set<std::string> known;
  for (const auto& entry : diagnostic_catalogue()) known.insert(std::string(entry.code));
  const auto used = codes_in_sources();
  ASSERT_GT(used.size(), 20u);  // else the search is broken
  for (const auto& code : used) EXPECT_TRUE(known.contains(code)) << code << " is not in the catalogue";
}

TEST(DiagnosticCatalogue, HoldsNoDeadCode) {
  const auto used = codes_in_sources();
  // E100 is the code of an empty ProjectError; E602 belongs to `errata doctor`.
  const std::set<std::string> exempt = {"E602"};
  for (const auto& entry : diagnostic_catalogue())
    EXPECT_TRUE(used.contains(std::string(entry.code)) || exempt.contains(std::string(entry.code)))
        << entry.code << " is used nowhere";
}

TEST(DiagnosticCatalogue, IsOrderedUniqueAndComplete) {
  std::string last;
  for (const auto& entry : diagnostic_catalogue()) {
    const std::string number(entry.code.substr(1));
    EXPECT_LT(last, number) << entry.code;
    last = number;
    EXPECT_FALSE(entry.title.empty()) << entry.code;
    EXPECT_TRUE(entry.meaning.ends_with('.')) << entry.code;
    EXPECT_TRUE(entry.remedy.ends_with('.')) << entry.code;
  }
}

}  // namespace
}  // namespace errata
