#include "circuit/netlist/netlist_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace errata::circuit {

namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// The micro sign, in Latin-1 or UTF-8, is read as u by ngspice.
std::string with_plain_micro(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool micro = byte == 0xc2 && next == 0xb5, mu = byte == 0xce && next == 0xbc;
    if (micro || mu) ++i;
    out += micro || mu || byte == 0xb5 ? 'u' : text[i];
  }
  return out;
}

class Splitter {
 public:
  Splitter(const std::string& file, const Dialect& dialect) : file_(file), dialect_(dialect) {}

  NetlistFile split(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.find('\0') != std::string_view::npos) {
      out_.problems.push_back(netlist_problem("E201", SourcePosition{file_, 0, 0},
                                              fmt::format("'{}' is no text file in ASCII or UTF-8", file_),
                                              "LTspice and Windows editors write UTF-16: save it as UTF-8"));
      return std::move(out_);
    }
    const char end = text.find('\n') == std::string_view::npos ? '\r' : '\n';
    for (int number = 1; !text.empty(); ++number) {
      const auto length = std::min(text.find(end), text.size());
      if (!take(text.substr(0, length), number)) break;
      text.remove_prefix(std::min(length + 1, text.size()));
    }
    return std::move(out_);
  }

 private:
  /// False: the rest of the file is not to be read.
  bool take(std::string_view raw, int number) {
    if (in_encrypted_) {
      in_encrypted_ = !trimmed(raw).starts_with("$CDNENCFINISH");
      return true;
    }
    const std::string_view whole = trimmed(raw);
    const bool joined = std::exchange(continues_, false);
    if (whole.empty()) {
      continues_ = joined;
      return true;
    }
    if (whole.starts_with("$CDNENCSTART")) {
      unreadable(number, "an encrypted block ($CDNENCSTART) cannot be read");
      in_encrypted_ = true;
      return true;
    }
    if (number <= 3 && whole.starts_with("* LTspice Encrypted File")) {
      unreadable(number, "a file that LTspice has encrypted cannot be read");
      return false;
    }
    std::string_view text = trimmed(without_comment(raw, dialect_));
    if (text == "\x1a") return true;  // how DOS ended a file
    if (text.empty()) {
      continues_ = joined;
      return true;
    }
    if (text.ends_with('\\') && whole.ends_with('\\')) {
      continues_ = true;
      while (text.ends_with('\\')) text.remove_suffix(1);
      text = trimmed(text);
    }
    const std::string plain = is_ascii(text) ? std::string() : with_plain_micro(text);
    add(plain.empty() ? text : std::string_view(plain), raw, number, joined);
    return true;
  }

  void add(std::string_view text, std::string_view raw, int number, bool joined) {
    if (text.empty()) return;
    const bool plus = text.front() == '+';
    if (plus || joined) {
      if (plus) text.remove_prefix(1);
      if (!out_.statements.empty()) {
        out_.statements.back().text.append(" ").append(text);
        return;
      }
      ignored(number, "a continuation line that continues nothing is ignored, as by ngspice");
      return;
    }
    const SourcePosition position{file_, number, static_cast<int>(raw.find_first_not_of(" \t")) + 1};
    if (text.front() == '@') {
      out_.problems.push_back(netlist_problem(
          "E206", position, "ngspice stops reading a file at a line that begins with '@'", "remove the line"));
      return;
    }
    if (std::string_view("=[]?()&%\"!:,").find(text.front()) != std::string_view::npos) {
      ignored(number, fmt::format("a line that begins with '{}' is ignored, as by ngspice", text.front()));
      return;
    }
    out_.statements.push_back({std::string(text), position, text.size()});
  }

  void ignored(int number, std::string message) {
    out_.warnings.push_back(netlist_warning("W221", SourcePosition{file_, number, 1}, std::move(message), ""));
  }
  void unreadable(int number, std::string message) {
    out_.unreadable.push_back(netlist_problem("E206", SourcePosition{file_, number, 1}, std::move(message),
                                              "ask its maker for a readable ngspice or HSPICE model"));
  }

  const std::string& file_;
  const Dialect& dialect_;
  NetlistFile out_;
  bool continues_ = false, in_encrypted_ = false;
};

}  // namespace

NetlistFile split_statements(std::string_view text, const std::string& file, const Dialect& dialect) {
  return Splitter(file, dialect).split(text);
}

std::shared_ptr<const NetlistFile> NetlistFiles::open(const std::filesystem::path& path) {
  std::error_code failed;
  const std::string key = std::filesystem::weakly_canonical(path, failed).string() + '\n' + path.string();
  const auto found = files_.find(key);
  if (found != files_.end()) return found->second;
  if (!std::filesystem::is_regular_file(path, failed)) return nullptr;  // a pipe would never end
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return nullptr;
  std::string text;
  const auto size = std::filesystem::file_size(path, failed);
  if (failed) return nullptr;
  constexpr std::uintmax_t kLargest = std::uintmax_t{1} << 30;
  NetlistFile content;
  if (size > kLargest) {
    content.problems.push_back(netlist_problem("E201", SourcePosition{path.string(), 0, 0},
                                               fmt::format("'{}' is larger than a gigabyte", path.string()), ""));
  } else {
    text.resize(size);
    file.read(text.data(), static_cast<std::streamsize>(size));
    text.resize(static_cast<std::size_t>(file.gcount()));
    content = split_statements(text, path.string(), dialect_);
  }
  return files_[key] = std::make_shared<const NetlistFile>(std::move(content));
}

std::string NetlistFiles::section_that_defines(std::string_view name) const {
  std::string best;
  for (const auto& [key, file] : files_) {
    std::string section;
    for (const auto& s : file->statements) {
      if (s.text.front() != '.') continue;
      const auto words = parts_of(s.text).words;
      const std::string first = lower_case(words.empty() ? std::string_view() : words[0]);
      if (first == ".lib" && words.size() == 2) section = lower_case(unquoted(words[1]));
      if (first == ".endl") section.clear();
      if (section.empty() || words.size() < 2 || (first != ".model" && first != ".subckt" && first != ".macro"))
        continue;
      const std::string defined = lower_case(words[1]);
      if (defined != name &&
          !(defined.starts_with(name) && defined.size() > name.size() && defined[name.size()] == '.'))
        continue;
      const std::string hint = fmt::format("section '{}' of {} has it: .lib '{}' {}", section, s.position.file,
                                           std::filesystem::path(s.position.file).filename().string(), section);
      if (best.empty() || hint < best) best = hint;  // the order of files must not matter
    }
  }
  return best;
}

}  // namespace errata::circuit
