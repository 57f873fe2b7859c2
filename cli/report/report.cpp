#include "cli/report/report.h"

#include <fmt/format.h>

#include "cli/report/chapters.h"
#include "cli/report/page.h"
#include "cli/report/text.h"

namespace errata::report {

namespace {

/// The way from netlist to verdict as links; stages that have not run are dashed.
std::string path_html(const ReportInput& in) {
  const struct {
    const char *id, *name;
    bool ran;
  } steps[] = {{"cell", "netlist and cell", in.characterization != nullptr},
               {"columns", "behavioural model", in.model != nullptr},
               {"table", "error table", in.table != nullptr},
               {"training", "training", !in.curves.empty()},
               {"accuracy", "accuracy", in.verification != nullptr},
               {"verification", "verification", in.verification != nullptr},
               {"provenance", "provenance", true}};
  std::string out = "<ol class=\"path\">\n";
  for (const auto& s : steps)
    out += fmt::format("<li><a href=\"#{}\"{}>{}</a></li>\n", s.id,
                       s.ran ? "" : " class=\"absent\" title=\"has not run\"", s.name);
  return out + "</ol>\n";
}

}  // namespace

std::string arm_title(std::string_view arm) {
  if (arm == "ideal") return "not adapted";
  if (arm == "error_aware") return "error-aware";
  if (arm == "no_noise") return "no-noise";
  if (arm == "gaussian") return "Gaussian noise";
  return std::string(arm);
}

std::string hardware_title(std::string_view hardware) {
  if (hardware == "ideal") return "ideal hardware";
  if (hardware == "behavioral") return "behavioural model";
  if (hardware == "table") return "error table";
  if (hardware == "gaussian") return "Gaussian noise";
  return std::string(hardware);
}

int arm_color(std::string_view arm) {
  if (arm == "ideal") return 1;
  if (arm == "error_aware") return 0;
  if (arm == "no_noise") return 4;
  return arm == "gaussian" ? 3 : 2;
}

std::string render_report(const ReportInput& in) {
  const std::string name = in.project.empty() ? "unnamed project" : in.project;
  std::string body = fmt::format(
      "<header>\n<h1>{}</h1>\n<p class=\"subtitle\">From an in-memory-computing netlist to a verified network: report "
      "of errata.</p>\n"
      "</header>\n",
      escape(name));
  body += verdict_box(in) + path_html(in);
  body += cell_chapter(in) + column_chapter(in) + table_chapter(in) + training_chapter(in);
  body += accuracy_chapter(in) + verification_chapter(in) + provenance_chapter(in);
  return page(name + " — errata", body);
}

}  // namespace errata::report
