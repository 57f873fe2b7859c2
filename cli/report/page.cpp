#include "cli/report/page.h"

#include <fmt/format.h>

#include "cli/report/style_sheet.h"
#include "cli/report/text.h"

namespace errata::report {

namespace {
/// The text with no-break spaces before percent signs.
std::string hold_together(std::string text) {
  for (auto at = text.find(" %"); at != std::string::npos; at = text.find(" %", at)) text.replace(at, 1, "\u00a0");
  return text;
}
}  // namespace

std::string figure(std::string_view svg_html, std::string_view text) {
  return fmt::format("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n", svg_html, hold_together(escape(text)));
}

std::string figures(const std::vector<std::string>& figures_html) {
  std::string out;
  for (const auto& f : figures_html) out += f;
  return out.empty() ? out : "<div class=\"figures\">\n" + out + "</div>\n";
}

std::string table_html(const Table& t) {
  if (t.rows.empty()) return {};
  const auto cell_class = [&](std::size_t column) { return column < t.text_columns ? "" : " class=\"n\""; };
  std::string out = "<div class=\"table\">\n";  // the caption stands outside of what scrolls
  if (!t.caption.empty()) out += fmt::format("<p class=\"caption\">{}</p>\n", hold_together(escape(t.caption)));
  out += fmt::format("<div class=\"scroll\"><table{}>\n<thead><tr>",
                     t.caption.empty() ? "" : fmt::format(" aria-label=\"{}\"", escape(t.caption)));
  for (std::size_t i = 0; i < t.header.size(); ++i)
    out += fmt::format("<th{} scope=\"col\">{}</th>", cell_class(i), t.header[i]);
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : t.rows) {
    if (row.size() == 1 && t.header.size() > 1) {
      out += fmt::format("<tr><td class=\"group\" colspan=\"{}\">{}</td></tr>\n", t.header.size(), row[0]);
      continue;
    }
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += fmt::format("<td{}>{}</td>", cell_class(i), row[i]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n</div>\n";
}

std::string paragraph(std::string_view html) { return fmt::format("<p>{}</p>\n", hold_together(std::string(html))); }
std::string subheading(std::string_view text) { return fmt::format("<h3>{}</h3>\n", escape(text)); }

std::string chapter_html(const Chapter& c) {
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n<p class=\"lead\">{}</p>\n{}</section>\n", escape(c.id),
                     escape(c.title), c.lead, c.body);
}

std::string not_run(std::string_view stage) {
  return fmt::format("<p class=\"missing\">This stage has not run yet. <code>errata {}</code> runs it.</p>\n",
                     escape(stage));
}

std::string page(std::string_view title, std::string_view body_html) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
      escape(title), kStyleSheet, body_html);
}

}  // namespace errata::report
