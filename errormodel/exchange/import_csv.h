#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostic.h"

namespace errata::errormodel {

/// A CSV file with a header line, read line by line; every problem is reported as file:line:column.
///
/// Fields are separated by commas, semicolons or tabs (whichever the header has) and may stand in double quotes (RFC
/// 4180). Blank lines and lines that begin with # are skipped; a byte-order mark and CR LF are accepted.
class CsvFile {
 public:
  /// Throws ProjectError (E110) when the file cannot be read or has no header.
  explicit CsvFile(const std::filesystem::path& path);

  /// Index of a column by name, without regard to case.
  std::optional<std::size_t> column(std::string_view name) const;
  /// Columns that none of these names is.
  std::vector<std::string> others(std::span<const std::string_view> names) const;
  const std::vector<std::string>& header() const { return header_; }

  /// Next line with data; false at the end. A line with another number of fields than the header is reported and
  /// skipped.
  bool next();
  std::size_t line() const { return line_; }
  std::string_view text(std::size_t column) const { return fields_[column].text; }
  /// A finite number, or nothing after reporting what stands there.
  std::optional<double> number(std::size_t column);
  /// A whole number from 0 to `largest`, or nothing after reporting.
  std::optional<std::int64_t> count(std::size_t column, std::int64_t lowest, std::int64_t largest);

  /// Reports a problem at a field of the present line, or at the header.
  void report(std::size_t column, std::string message, std::string hint = {});
  void report_header(std::string message, std::string hint = {});
  /// Throws ProjectError with everything reported so far, if anything was.
  void finish() const;

 private:
  struct Field {
    std::string text;
    std::size_t column = 1;  ///< where it begins, from 1
  };
  void split(std::string_view line, std::vector<Field>& fields, std::size_t line_number);
  std::string_view raw_line();
  void add(int line, int column, std::string message, std::string hint, std::string_view excerpt);

  std::string file_, contents_;
  std::size_t at_ = 0, line_ = 0, header_line_ = 0;
  char separator_ = ',';
  std::string_view present_;
  std::string header_text_;
  std::vector<std::string> header_;
  std::vector<Field> fields_;
  std::vector<Diagnostic> problems_;
  std::size_t suppressed_ = 0;
};

}  // namespace errata::errormodel
