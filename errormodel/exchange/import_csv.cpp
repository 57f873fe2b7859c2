#include "errormodel/exchange/import_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "core/text.h"

namespace errata::errormodel {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

constexpr std::size_t kMostProblems = 20;

}  // namespace

CsvFile::CsvFile(const std::filesystem::path& path) : file_(path.string()) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  std::ifstream file(path, std::ios::binary);
  if (failure || !file || !std::filesystem::is_regular_file(path)) {
    add(0, 0, "the file does not exist or cannot be read", "", "");
    finish();
  }
  contents_.resize(size);
  file.read(contents_.data(), static_cast<std::streamsize>(size));
  contents_.resize(static_cast<std::size_t>(file.gcount()));
  if (contents_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  while (at_ < contents_.size()) {
    const std::string_view line = raw_line();
    if (trimmed(line).empty() || trimmed(line).starts_with('#')) continue;
    header_text_ = line;
    header_line_ = line_;
    const auto has = [&](char c) { return line.find(c) != std::string_view::npos; };
    separator_ = has(',') ? ',' : has(';') ? ';' : has('\t') ? '\t' : ',';
    std::vector<Field> fields;
    split(line, fields, line_);
    for (const auto& f : fields) header_.push_back(lower_case(f.text));
    for (std::size_t k = 0; k < header_.size(); ++k)
      if (std::ranges::count(header_, header_[k]) > 1 && !header_[k].empty()) {
        report_header(fmt::format("column '{}' stands twice", header_[k]));
        finish();
      }
    return;
  }
  add(1, 1, "the file has no header line", "the first line names the columns, for example chip,column,operand,value",
      "");
  finish();
}

std::string_view CsvFile::raw_line() {
  const std::size_t end = std::min(contents_.find('\n', at_), contents_.size());
  std::string_view line = std::string_view(contents_).substr(at_, end - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  at_ = end + 1;
  ++line_;
  return line;
}

void CsvFile::split(std::string_view line, std::vector<Field>& fields, std::size_t line_number) {
  fields.clear();
  std::size_t at = 0;
  while (true) {
    Field f;
    std::size_t begin = line.find_first_not_of(" \t", at);
    if (separator_ == '\t') begin = line.find_first_not_of(' ', at);
    begin = std::min(begin, line.size());
    f.column = begin + 1;
    if (begin < line.size() && line[begin] == '"') {
      std::size_t k = begin + 1;
      bool closed = false;
      for (; k < line.size(); ++k) {
        if (line[k] != '"') {
          f.text += line[k];
        } else if (k + 1 < line.size() && line[k + 1] == '"') {
          f.text += line[k++];
        } else {
          closed = true;
          ++k;
          break;
        }
      }
      if (!closed) add(static_cast<int>(line_number), static_cast<int>(begin + 1), "a quote is not closed", "", line);
      at = std::min(line.find(separator_, k), line.size());
    } else {
      const std::size_t end = std::min(line.find(separator_, begin), line.size());
      f.text = trimmed(line.substr(begin, end - begin));
      at = end;
    }
    fields.push_back(std::move(f));
    if (at >= line.size()) return;
    ++at;
  }
}

std::optional<std::size_t> CsvFile::column(std::string_view name) const {
  const auto found = std::ranges::find(header_, name);
  if (found == header_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header_.begin());
}

std::vector<std::string> CsvFile::others(std::span<const std::string_view> names) const {
  std::vector<std::string> unknown;
  for (const auto& h : header_)
    if (std::ranges::find(names, std::string_view(h)) == names.end()) unknown.push_back(h);
  return unknown;
}

bool CsvFile::next() {
  while (at_ < contents_.size()) {
    present_ = raw_line();
    const std::string_view text = trimmed(present_);
    if (text.empty() || text.starts_with('#')) continue;
    split(present_, fields_, line_);
    if (fields_.size() == header_.size()) return true;
    add(static_cast<int>(line_), static_cast<int>(fields_.back().column),
        fmt::format("{} fields, but the header names {} columns", fields_.size(), header_.size()),
        separator_ == ',' && fields_.size() > header_.size() ? "decimal commas? write numbers with a point" : "",
        present_);
  }
  return false;
}

std::optional<double> CsvFile::number(std::size_t column) {
  const std::string& text = fields_[column].text;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  double value = 0.0;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value)) return value;
  std::string hint;
  if (text.find(',') != std::string::npos) hint = "write numbers with a decimal point";
  report(column,
         text.empty() ? fmt::format("'{}' is empty", header_[column])
                      : fmt::format("'{}' is no finite number", text.substr(0, 40)),
         hint);
  return std::nullopt;
}

std::optional<std::int64_t> CsvFile::count(std::size_t column, std::int64_t lowest, std::int64_t largest) {
  const std::string& text = fields_[column].text;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= lowest && value <= largest) return value;
  report(column, fmt::format("'{}' is no whole number from {} to {}", text.substr(0, 40), lowest, largest));
  return std::nullopt;
}

void CsvFile::add(int line, int column, std::string message, std::string hint, std::string_view excerpt) {
  if (problems_.size() >= kMostProblems) {
    ++suppressed_;
    return;
  }
  problems_.push_back({.code = "E110",
                       .position = {file_, line, column},
                       .message = std::move(message),
                       .hint = std::move(hint),
                       .excerpt = std::string(excerpt.substr(0, 200))});
}

void CsvFile::report(std::size_t column, std::string message, std::string hint) {
  add(static_cast<int>(line_), static_cast<int>(fields_[column].column), std::move(message), std::move(hint), present_);
}

void CsvFile::report_header(std::string message, std::string hint) {
  add(static_cast<int>(header_line_), 1, std::move(message), std::move(hint), header_text_);
}

void CsvFile::finish() const {
  std::vector<Diagnostic> all = problems_;
  if (suppressed_ > 0) {
    Diagnostic rest;
    rest.code = "E110";
    rest.position.file = file_;
    rest.message = fmt::format("and {} more problems of this file", suppressed_);
    all.push_back(std::move(rest));
  }
  throw_if_errors(all);
}

}  // namespace errata::errormodel
