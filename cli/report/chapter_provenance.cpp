#include <fmt/format.h>

#include "behavioral/model.h"
#include "circuit/characterization.h"
#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/text.h"
#include "core/version.h"
#include "errormodel/error_table.h"
#include "verification/verdict.h"

namespace errata::report {

namespace {

std::vector<std::string> row_of(const Provenance& p) {
  std::string inputs;
  for (const auto& i : p.inputs)
    inputs += fmt::format("{}{} {}", inputs.empty() ? "" : "<br/>", escape(i.role), short_hash(i.sha256));
  return {escape(p.format), fmt::format("{}.{}", p.major_version, p.minor_version), std::to_string(p.seed),
          short_hash(p.fingerprint()), inputs.empty() ? "none recorded" : inputs};
}

std::string settings_of(const Provenance& p) {
  if (p.config.empty()) return {};
  return fmt::format(
      "<details><summary>Settings that <code>{}</code> was made with</summary>\n<pre>{}</pre></details>\n",
      escape(p.format), escape(p.config));
}

}  // namespace

std::string provenance_chapter(const ReportInput& in) {
  std::vector<const Provenance*> all;
  if (in.characterization != nullptr) all.push_back(&in.characterization->provenance);
  if (in.model != nullptr) all.push_back(&in.model->provenance);
  if (in.table != nullptr) all.push_back(&in.table->provenance);
  if (in.verification != nullptr) all.push_back(&in.verification->provenance);
  Table t{.header = {"Artefact", "Format", "Seed", "Fingerprint", "Made from (SHA-256)"},
          .rows = {},
          .text_columns = 5,
          .caption = {}};
  std::string settings;
  for (const auto* p : all) {
    t.rows.push_back(row_of(*p));
    settings += settings_of(*p);
  }
  std::string versions = fmt::format("errata {}", escape(kVersion));
  if (in.characterization != nullptr && !in.characterization->simulator.empty())
    versions += fmt::format(", {}", escape(in.characterization->simulator));
  Chapter chapter{"provenance", "7. Where every number comes from",
                  "The same inputs, settings and seed give the same files, byte for byte; hold the pointer over a hash "
                  "to see all of it.",
                  all.empty() ? paragraph("No stage has run yet.") : table_html(t) + settings};
  chapter.body += paragraph(versions + ".");
  return chapter_html(chapter);
}

}  // namespace errata::report
