#include "core/project_schema.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/settings.h"
#include "tests/support/example_project.h"

namespace errata {
namespace {

/// The example with a [[spec]], so that every list of tables of the schema has an entry.
Settings everything() {
  std::string text = testing::kExampleProject;
  text += "[[spec]]\nmetric = \"accuracy\"\n[[circuit.correlation]]\nfirst = \"a\"\nsecond = \"b\"\n";
  text += "[[circuit.output]]\nname = \"o\"\nnode = \"bit_line\"\n[[training.layer]]\nname = \"conv1\"\n";
  return parse_project(text, "errata.toml", "/tmp", {});
}

std::string in_first_entry(std::string path) {
  const auto bracket = path.find("[]");
  return bracket == std::string::npos ? path : path.replace(bracket, 2, "[0]");
}

TEST(Schema, EveryDefaultConvertsAndLiesInItsRange) {
  const Settings s = everything();
  for (const auto& spec : project_schema()) {
    const std::string path = in_first_entry(spec.path);
    if (spec.default_text.empty()) continue;
    ASSERT_TRUE(s.has(path)) << spec.path << ": the default does not convert";
    const SettingValue& value = s.value(path);
    if (spec.kind == ValueKind::kText || spec.kind == ValueKind::kChoice) {
      EXPECT_FALSE(value.text.empty()) << path;
    }
    for (const double number : value.numbers) {
      EXPECT_TRUE(std::isfinite(number)) << path;
      if (spec.minimum) {
        EXPECT_GE(number, *spec.minimum) << path;
      }
      if (spec.maximum) {
        EXPECT_LE(number, *spec.maximum) << path;
      }
    }
  }
}

TEST(Schema, EveryKeyIsDescribedAndUnique) {
  std::set<std::string> paths;
  for (const auto& spec : project_schema()) {
    EXPECT_TRUE(paths.insert(spec.path).second) << spec.path << " stands twice";
    EXPECT_TRUE(spec.description.ends_with('.')) << spec.path;
    EXPECT_EQ(spec.required, !spec.example.empty()) << spec.path;
    if (spec.kind == ValueKind::kChoice) {
      EXPECT_FALSE(spec.choices.empty()) << spec.path;
    }
    if (spec.minimum && spec.maximum) {
      EXPECT_LT(*spec.minimum, *spec.maximum) << spec.path;
    }
    EXPECT_FALSE(spec.required && !spec.default_text.empty()) << spec.path << " is required and has a default";
  }
}

TEST(Schema, ExamplesAreAccepted) {
  // A required key is replaced by its example; the rest of the example project stays.
  for (const auto& spec : project_schema()) {
    if (!spec.required || spec.path.find("[]") != std::string::npos) continue;
    EXPECT_NO_THROW(parse_project(testing::kExampleProject, "errata.toml", "/tmp",
                                  std::vector<SettingOverride>{{spec.path, spec.example}}))
        << spec.path << " = " << spec.example;
  }
}

TEST(Schema, StagesNameKnownSections) {
  std::set<std::string> sections, keys;
  for (const auto& spec : project_schema()) {
    sections.insert(spec.path.substr(0, spec.path.find_first_of(".[")));
    keys.insert(spec.path);
  }
  for (const char* stage : {"characterize", "fit", "compile", "train", "verify", "all"})
    for (const auto& section : sections_of_stage(stage))
      EXPECT_TRUE(sections.contains(section) || keys.contains(section)) << stage << " " << section;
  EXPECT_EQ(sections_of_stage("all").size(), sections.size());
}

TEST(Schema, ReferencePageNamesEveryKeyAndDefault) {
  const std::string page = schema_reference_page();
  for (const auto& spec : project_schema()) {
    EXPECT_NE(page.find("| `" + spec.path + "` |"), std::string::npos) << spec.path;
    if (!spec.default_text.empty()) {
      EXPECT_NE(page.find("`" + spec.default_text + "`"), std::string::npos) << spec.path;
    }
  }
}

}  // namespace
}  // namespace errata
