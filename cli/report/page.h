#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace errata::report {

// Pieces of the page. A space before "%" never breaks. Arguments named `html` are HTML already; `text` is escaped here.

/// A picture with its sentence below.
std::string figure(std::string_view svg_html, std::string_view text);
/// Pictures side by side where the window is wide enough.
std::string figures(const std::vector<std::string>& figures_html);

struct Table {
  std::vector<std::string> header;             ///< HTML
  std::vector<std::vector<std::string>> rows;  ///< HTML; a row of one cell is the title of those below it
  std::size_t text_columns = 1;                ///< the first ones, left-aligned; the rest are numbers
  std::string caption;                         ///< text
};
/// A table that scrolls sideways where the window is narrow; empty without rows.
std::string table_html(const Table& table);

std::string paragraph(std::string_view html);
std::string subheading(std::string_view text);

struct Chapter {
  std::string id, title;
  std::string lead;  ///< HTML: one or two sentences
  std::string body;  ///< HTML
};
std::string chapter_html(const Chapter& chapter);
/// Body of a chapter whose stage has no artefact yet.
std::string not_run(std::string_view stage);

/// The whole document around `body_html`.
std::string page(std::string_view title, std::string_view body_html);

}  // namespace errata::report
