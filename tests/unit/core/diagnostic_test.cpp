#include "core/diagnostic.h"

#include <gtest/gtest.h>

namespace errata {
namespace {

TEST(FormatDiagnostic, NamesPlaceCodeMessageExcerptAndHint) {
  Diagnostic d{.code = "E104",
               .position = {"errata.toml", 12, 9},
               .message = "wrong unit",
               .hint = "write V",
               .excerpt = "levels = 5"};
  EXPECT_EQ(format_diagnostic(d), "errata.toml:12:9: error E104: wrong unit\n    levels = 5\n            ^\n  write V");
  d.severity = Diagnostic::Severity::kWarning;
  d.position = {"a b.cir", 3, 0};
  d.excerpt = d.hint = "";
  EXPECT_EQ(format_diagnostic(d), "a b.cir:3: warning E104: wrong unit");
  d.position = {};
  EXPECT_EQ(format_diagnostic(d), "warning E104: wrong unit");
}

TEST(ProjectError, CarriesEveryProblem) {
  const Diagnostic a{.code = "E102", .message = "first"}, b{.code = "E106", .message = "second"};
  const ProjectError e({a, b});
  EXPECT_EQ(e.status(), ExitStatus::kInvalidProject);
  EXPECT_EQ(e.code(), "E102");
  EXPECT_EQ(e.diagnostics().size(), 2u);
  EXPECT_STREQ(e.what(), "error E102: first\nerror E106: second");
  EXPECT_EQ(ProjectError({}).code(), "E100");
}

TEST(ThrowIfErrors, LetsWarningsPass) {
  EXPECT_NO_THROW(throw_if_errors({}));
  EXPECT_NO_THROW(throw_if_errors({Diagnostic{.severity = Diagnostic::Severity::kWarning, .code = "W210"}}));
  EXPECT_THROW(throw_if_errors({Diagnostic{.severity = Diagnostic::Severity::kWarning, .code = "W210"},
                                Diagnostic{.code = "E204"}}),
               ProjectError);
}

TEST(NearestName, FindsTypingErrorsAndNothingElse) {
  const std::vector<std::string> known = {"rows", "columns", "wire_resistance"};
  EXPECT_EQ(nearest_name("row", known), "rows");
  EXPECT_EQ(nearest_name("colums", known), "columns");
  EXPECT_EQ(nearest_name("wire_resistence", known), "wire_resistance");
  EXPECT_EQ(nearest_name("temperature", known), "");
  EXPECT_EQ(nearest_name("rows", {}), "");
  EXPECT_EQ(nearest_name("", known), "");
}

}  // namespace
}  // namespace errata
