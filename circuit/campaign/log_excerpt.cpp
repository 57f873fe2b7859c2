#include "circuit/campaign/log_excerpt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool contains_any(std::string_view line, std::initializer_list<std::string_view> patterns) {
  return std::ranges::any_of(patterns, [&](auto p) { return line.find(p) != std::string_view::npos; });
}

/// Without "stderr " or "stdout ".
std::string_view without_channel(std::string_view line) {
  for (const std::string_view channel : {"stderr ", "stdout "})
    if (line.starts_with(channel)) line.remove_prefix(channel.size());
  return trimmed(line);
}

/// Words compare without case and with single blanks, as ngspice rewrites a line.
std::string plain(std::string_view line) {
  std::string out;
  for (const char c : lower_case(line)) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank || (!out.empty() && out.back() != ' ')) out += blank ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

/// The deck's lines by subcircuit.
class DeckIndex {
 public:
  explicit DeckIndex(const Deck& deck) {
    bodies_.emplace_back();
    std::vector<std::size_t> open = {0};
    for (std::size_t i = 1; i < deck.lines.size(); ++i) {  // the first is a title
      lower_.resize(i + 1);
      lower_[i] = plain(deck.lines[i]);
      by_text_.emplace(lower_[i], i);
      const auto words = parts_of(lower_[i]).words;
      if (words.empty()) continue;
      if (words[0] == ".subckt" && words.size() > 1) {
        bodies_[open.back()].children.emplace(words[1], bodies_.size());
        const std::size_t parent = open.back();
        open.push_back(bodies_.size());
        bodies_.push_back({.parent = parent, .begin = i});
      } else if (words[0] == ".ends" && open.size() > 1) {
        open.pop_back();
      } else {
        bodies_[open.back()].lines.push_back(i);
        bodies_[open.back()].by_name.emplace(
            words[0] == ".model" && words.size() > 1 ? ":" + std::string(words[1]) : std::string(words[0]), i);
      }
    }
  }

  std::optional<std::size_t> line_with_text(std::string_view text) const {
    const auto found = by_text_.find(plain(text));
    if (found == by_text_.end()) return std::nullopt;
    return found->second;
  }

  /// "m.x1.x2.m1", "m.x1.m.x2.m1", "x1.x2:n", "x1:x2:n", "x1.q", "v.x1.va#branch".
  std::optional<std::size_t> find_path(std::string_view path) const {
    path = path.substr(0, path.find('#'));
    const bool is_model = path.find(':') != std::string_view::npos;
    const char type = path.size() > 2 && path[1] == '.' ? path[0] : '.';
    std::size_t body = 0;
    while (!path.empty()) {
      const auto end = std::min(path.find_first_of(".:"), path.size());
      const std::string_view name = path.substr(0, end);
      const auto line = bodies_[body].by_name.find(name);
      if (name.size() == 1 && name[0] == type && end < path.size()) {  // the type, before each part
        path.remove_prefix(2);
        continue;
      }
      if (name.empty() || name.front() != 'x' || line == bodies_[body].by_name.end()) break;
      const std::size_t inner = subcircuit(body, parts_of(lower_[line->second]).words.back());
      if (inner == 0 || end == path.size()) return user_line(body, line->second);  // the instance itself
      body = inner;
      path.remove_prefix(end + 1);
    }
    if (is_model) return in_scope(body, fmt::format(":{}", path));
    if (const auto device = bodies_[body].by_name.find(path); device != bodies_[body].by_name.end())
      return user_line(body, device->second);
    return body == 0 ? std::nullopt : line_that_touches(body, path);
  }

  /// First line that has the name as a word of an expression.
  std::optional<std::size_t> line_that_uses(std::string_view name) const {
    for (std::size_t i = 1; i < lower_.size(); ++i)
      for (const auto expression : expressions_of(lower_[i]))
        for (const auto& found : names_of_expression(expression))
          if (found.name == name) return i;
    return std::nullopt;
  }

 private:
  struct Body {
    std::size_t parent = 0, begin = 0;
    std::map<std::string, std::size_t, std::less<>> by_name, children;
    std::vector<std::size_t> lines;
  };

  std::size_t subcircuit(std::size_t body, std::string_view name) const {
    for (;; body = bodies_[body].parent) {
      const auto found = bodies_[body].children.find(name);
      if (found != bodies_[body].children.end()) return found->second;
      if (body == 0) return 0;
    }
  }

  /// Nothing for a line at the top of a deck: errata wrote it.
  static std::optional<std::size_t> user_line(std::size_t body, std::size_t line) {
    return body == 0 ? std::nullopt : std::optional(line);
  }

  std::optional<std::size_t> in_scope(std::size_t body, const std::string& name) const {
    for (;; body = bodies_[body].parent) {
      const auto found = bodies_[body].by_name.find(name);
      if (found != bodies_[body].by_name.end()) return found->second;
      if (body == 0) return std::nullopt;
    }
  }

  std::optional<std::size_t> line_that_touches(std::size_t body, std::string_view node) const {
    for (const std::size_t i : bodies_[body].lines) {
      const auto words = parts_of(lower_[i]).words;
      if (std::find(words.begin() + (words.empty() ? 0 : 1), words.end(), node) != words.end()) return i;
    }
    return std::nullopt;
  }

  std::vector<std::string> lower_;
  std::map<std::string, std::size_t, std::less<>> by_text_;
  std::vector<Body> bodies_;
};

class Finder {
 public:
  explicit Finder(const Deck& deck) : deck_(deck), index_(deck) {}

  std::vector<LogPlace> find(std::string_view log) {
    for (const auto raw : lines_of(log)) {
      const std::string_view line = without_channel(raw);
      by_number(line);
      add(index_.line_with_text(line));
      for (const std::string_view quote : {"Please check line ", "Error: unknown subckt: "})
        if (line.starts_with(quote)) add(index_.line_with_text(line.substr(quote.size())));
      undefined_parameter(line);
      by_path(lower_case(line));
    }
    return std::move(places_);
  }

 private:
  void add(std::optional<std::size_t> line) {
    constexpr std::size_t kMost = 5;
    if (!line || *line >= deck_.lines.size() || places_.size() == kMost || !seen_.insert(*line).second) return;
    const SourcePosition position = *line < deck_.positions.size() ? deck_.positions[*line] : SourcePosition{};
    if (!position.file.empty()) places_.push_back({position, deck_.lines[*line]});
  }

  /// "Error on line 7 or its substitute:", "Netlist line no. 7:", "Model issue on line 7 :"; ngspice counts from 1.
  void by_number(std::string_view line) {
    for (const std::string_view phrase : {"on line ", "line no. ", "line number "}) {
      const auto at = line.find(phrase);
      if (at == std::string_view::npos) continue;
      std::size_t number = 0;
      const char* begin = line.data() + at + phrase.size();
      const auto [end, failed] = std::from_chars(begin, line.data() + line.size(), number);
      if (failed == std::errc{} && number > 1) add(number - 1);
    }
  }

  void undefined_parameter(std::string_view line) {
    constexpr std::string_view kPhrase = "Undefined parameter [";
    if (!line.starts_with(kPhrase)) return;
    line.remove_prefix(kPhrase.size());
    add(index_.line_that_uses(line.substr(0, line.find(']'))));
  }

  void by_path(const std::string& line) {
    constexpr std::string_view kInstance = "(instance: x";
    if (const auto at = line.find(kInstance); at != std::string::npos) {
      const std::string_view rest = std::string_view(line).substr(at + kInstance.size());
      add(index_.find_path(rest.substr(0, rest.find(')'))));
    }
    for (const auto& word : words_of(line)) {
      std::string_view w = word;
      while (!w.empty() && std::string_view("\"'(,").find(w.front()) != std::string_view::npos) w.remove_prefix(1);
      while (!w.empty() && std::string_view("\"'),.:;").find(w.back()) != std::string_view::npos) w.remove_suffix(1);
      if (w.find_first_of(".:") != std::string_view::npos) add(index_.find_path(w));
    }
  }

  const Deck& deck_;
  DeckIndex index_;
  std::vector<LogPlace> places_;
  std::set<std::size_t> seen_;
};

}  // namespace

std::string relevant_lines(std::string_view log) {
  std::string text;
  std::set<std::string_view> seen;
  int quoted = 0;  // lines that belong to the one before
  for (const auto line : lines_of(log)) {
    constexpr std::size_t kLongest = 2000;
    if (text.size() >= kLongest) break;
    const bool noise = contains_any(line, {"Trying gmin", "Further gmin increment", "One successful", "No. of Data"});
    const bool relevant = contains_any(
        line, {"rror",           "arning",  "atal",    "abort",        "singular", "stepping",        "ndefined",
               "nknown",         "no such", "can't",   "annot",        "Timestep", "Transient op",    "not parsed",
               "Could not find", "oo few",  "oo many", "Netlist line", "ismatch",  "solution failed", "doAnalyses"});
    const bool shown = quoted-- > 0 || (relevant && !noise);
    if (contains_any(line,
                     {"rror on line", "from line", "on line ", "Netlist line no.", "checking for", "out of range"}))
      quoted = 2;
    if (shown && seen.insert(line).second) text.append(line.substr(0, 300)).push_back('\n');
  }
  return text;
}

std::vector<LogPlace> places_in_log(std::string_view log, const Deck& deck) { return Finder(deck).find(log); }

std::string log_with_places(const std::string& log, const Deck& deck) {
  std::string text = log;
  for (const auto& place : places_in_log(log, deck)) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += fmt::format("  {}:{}: {}", place.position.file, place.position.line, place.excerpt.substr(0, 200));
  }
  return text;
}

}  // namespace errata::circuit
