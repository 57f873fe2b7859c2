#include "circuit/netlist/netlist_text.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "circuit/netlist/netlist.h"

namespace errata::circuit {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

/// Behind a bracketed or quoted group that opens at `at`; the text's end when it is not closed.
std::size_t behind_group(std::string_view text, std::size_t at) {
  const char open = text[at];
  if (open == '\'' || open == '"') {
    const auto end = text.find(open, at + 1);
    return end == std::string_view::npos ? text.size() : end + 1;
  }
  const char close = open == '{' ? '}' : ')';
  int depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == open) ++depth;
    if (text[at] == close && --depth == 0) return at + 1;
  }
  return text.size();
}

/// What a group from `begin` to `end` holds, closed or not.
std::string_view inside_group(std::string_view text, std::size_t begin, std::size_t end) {
  const char last = text[end - 1];
  const bool closed = end > begin + 1 && (last == '}' || last == ')' || last == '\'' || last == '"');
  return text.substr(begin + 1, end - begin - (closed ? 2 : 1));
}

bool opens_group(char c) { return c == '{' || c == '\'' || c == '"'; }

/// '=' that assigns: not part of ==, <=, >=, !=.
bool is_assignment(std::string_view text, std::size_t at) {
  if (text[at] != '=' || (at + 1 < text.size() && text[at + 1] == '=')) return false;
  return at == 0 || (text[at - 1] != '=' && text[at - 1] != '<' && text[at - 1] != '>' && text[at - 1] != '!');
}

/// End of a number with exponent and suffix that begins at `at`.
std::size_t behind_number(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const char c = text[at];
    const bool sign_of_exponent = (c == '+' || c == '-') && (text[at - 1] == 'e' || text[at - 1] == 'E') && at >= 2 &&
                                  (is_digit(text[at - 2]) || text[at - 2] == '.') && at + 1 < text.size() &&
                                  is_digit(text[at + 1]);
    if (!is_name_character(c) && c != '.' && !sign_of_exponent) break;
    ++at;
  }
  return at;
}

/// End of the value that begins at `at`: a group, or what has no blank outside parentheses and braces.
std::size_t behind_value(std::string_view text, std::size_t at) {
  if (at < text.size() && opens_group(text[at])) return behind_group(text, at);
  while (at < text.size() && !is_space(text[at]) && text[at] != ',' && text[at] != ')') {
    if (is_assignment(text, at)) break;
    at = text[at] == '(' || opens_group(text[at]) ? behind_group(text, at) : at + 1;
  }
  return at;
}

}  // namespace

Dialect dialect_of(std::string_view compatibility) {
  const std::string word = lower_case(compatibility);
  const auto has = [&](const char* letters) { return word.find(letters) != std::string::npos; };
  Dialect d;
  if (has("mc")) return d;
  d.hspice = has("hs");
  d.pspice = has("ps");
  d.ltspice = has("lt");
  if (has("spe")) d.pspice = d.ltspice = false;
  if (d.pspice) d.hspice = false;
  return d;
}

std::string inlined_compatibility(std::string_view compatibility) {
  const Dialect d = dialect_of(compatibility);
  std::string word = lower_case(compatibility);
  return (d.pspice || d.ltspice) && word.find('a') == std::string::npos ? word + "a" : word;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; });
  return out;
}

Diagnostic netlist_problem(std::string code, SourcePosition at, std::string message, std::string hint) {
  Diagnostic d;
  d.code = std::move(code);
  d.position = std::move(at);
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

Diagnostic netlist_warning(std::string code, SourcePosition at, std::string message, std::string hint) {
  Diagnostic d = netlist_problem(std::move(code), std::move(at), std::move(message), std::move(hint));
  d.severity = Diagnostic::Severity::kWarning;
  return d;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}

bool is_name_character(char c) { return is_letter(c) || is_digit(c); }

bool is_number(std::string_view word) {
  if (!word.empty() && (word[0] == '+' || word[0] == '-')) word.remove_prefix(1);
  if (word.empty() || !(is_digit(word[0]) || (word[0] == '.' && word.size() > 1 && is_digit(word[1])))) return false;
  return behind_number(word, 0) == word.size();
}

std::string_view without_comment(std::string_view line, const Dialect& dialect) {
  const std::string_view text = trimmed(line);
  if (!text.empty() && (text[0] == '*' || text[0] == '$' || text[0] == '#' || text[0] == ';')) return {};
  const bool path = text.size() > 4 && text[0] == '.' && [&] {
    const std::string head = lower_case(text.substr(0, 4));
    return head == ".inc" || head == ".lib";
  }();
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (path && quote != 0) {
      if (c == quote) quote = 0;
      continue;
    }
    if (path && (c == '"' || c == '\'')) {
      quote = c;
      continue;
    }
    const bool after_blank = i > 0 && (is_space(line[i - 1]) || line[i - 1] == ',');
    if (c == ';' || (c == '/' && i + 1 < line.size() && line[i + 1] == '/') ||
        (c == '$' && after_blank && !dialect.pspice))
      return line.substr(0, i);
  }
  return line;
}

std::vector<std::string> words_of(const std::string& statement) {
  std::vector<std::string> words;
  std::string word;
  int braces = 0;
  char quote = 0;
  for (const char c : statement) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    }
    if (c == '{') ++braces;
    if (c == '}') --braces;
    const bool separator = std::isspace(static_cast<unsigned char>(c)) && braces == 0 && quote == 0;
    if (!separator) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

StatementParts parts_of(std::string_view text) {
  StatementParts parts;
  const auto separates = [](char c) { return is_space(c) || c == ',' || c == '(' || c == ')'; };
  for (std::size_t at = 0; at < text.size();) {
    if (separates(text[at]) || text[at] == '=') {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && !separates(text[at]) && !is_assignment(text, at))
      at = opens_group(text[at]) ? behind_group(text, at) : at + 1;
    const std::string_view word = text.substr(begin, at - begin);
    const std::size_t next = skip_blanks(text, at);
    if (next < text.size() && is_assignment(text, next)) {
      const std::size_t value = skip_blanks(text, next + 1);
      at = behind_value(text, value);
      parts.pairs.emplace_back(word, text.substr(value, at - value));
    } else {
      (parts.pairs.empty() ? parts.words : parts.strays).push_back(word);
    }
  }
  return parts;
}

std::vector<ExpressionName> names_of_expression(std::string_view text) {
  std::vector<ExpressionName> names;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {  // a string
      i = behind_group(text, i);
      continue;
    }
    if (is_digit(c) || (c == '.' && i + 1 < text.size() && is_digit(text[i + 1]))) {
      i = behind_number(text, i);
      continue;
    }
    if (!is_letter(c)) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && (is_name_character(text[end]) || text[end] == '.')) ++end;
    const std::size_t next = skip_blanks(text, end);
    ExpressionName found{.name = text.substr(i, end - i), .at = i};
    if (next < text.size() && text[next] == '(') {
      const std::size_t close = behind_group(text, next);
      found.is_function = true;
      found.arguments = text.substr(next, close - next);
      const bool probe = found.name.size() == 1 && std::string_view("vViI").find(found.name[0]) != std::string::npos;
      end = probe ? close : next;
      if (!probe) names.push_back(found);
    } else if (next >= text.size() || !is_assignment(text, next)) {
      names.push_back(found);
    }
    i = end;
  }
  return names;
}

std::vector<std::string_view> expressions_of(std::string_view text) {
  std::vector<std::string_view> all;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '{' || text[i] == '\'') {
      const std::size_t end = behind_group(text, i);
      all.push_back(inside_group(text, i, end));
      i = end;
    } else if (text[i] == '"') {
      i = behind_group(text, i);
    } else if (is_assignment(text, i)) {
      const std::size_t value = skip_blanks(text, i + 1);
      if (value < text.size() && (is_letter(text[value]) || text[value] == '(' || text[value] == '-' ||
                                  text[value] == '+' || is_digit(text[value]) || text[value] == '.')) {
        const std::size_t end = behind_value(text, value);
        all.push_back(text.substr(value, end - value));
        i = end > i ? end : i + 1;
      } else {
        i = value;
      }
    } else {
      ++i;
    }
  }
  return all;
}

std::vector<std::string_view> probes_in_expression(std::string_view text, char probe) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != probe || (i > 0 && (is_name_character(text[i - 1]) || text[i - 1] == '.'))) continue;
    const std::size_t open = skip_blanks(text, i + 1);
    if (open >= text.size() || text[open] != '(') continue;
    const std::size_t close = behind_group(text, open);
    std::string_view inside = inside_group(text, open, close);
    while (!inside.empty()) {
      const auto comma = std::min(inside.find(','), inside.size());
      const std::string_view name = trimmed(inside.substr(0, comma));
      if (!name.empty()) names.push_back(name);
      inside.remove_prefix(std::min(comma + 1, inside.size()));
    }
    i = open;
  }
  return names;
}

NominalText with_nominal_values(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kRandom = {"agauss", "gauss", "aunif", "unif", "limit"};
  NominalText out;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_letter(text[i]) || (i > 0 && (is_name_character(text[i - 1]) || text[i - 1] == '.'))) {
      out.text += text[i++];
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_name_character(text[end])) ++end;
    const std::string name = lower_case(text.substr(i, end - i));
    const std::size_t open = skip_blanks(text, end);
    const bool random = std::ranges::find(kRandom, name) != kRandom.end() && open < text.size() && text[open] == '(';
    const std::size_t close = random ? behind_group(text, open) : end;
    std::vector<std::size_t> commas;
    int depth = 0;
    for (std::size_t k = open; random && k + 1 < close; ++k) {
      if (text[k] == '(') ++depth;
      if (text[k] == ')') --depth;
      if (text[k] == ',' && depth == 1) commas.push_back(k);
    }
    const std::size_t expected = name == "agauss" || name == "gauss" ? 2 : 1;
    if (!random || commas.size() < expected || (name == "limit" && commas.size() != 1) || text[close - 1] != ')') {
      out.text += text.substr(i, end - i);
      i = end;
      continue;
    }
    const NominalText inner = with_nominal_values(text.substr(open + 1, commas.front() - open - 1));
    out.text += "(" + inner.text + ")";
    out.count += 1 + inner.count;
    i = close;
  }
  return out;
}

}  // namespace errata::circuit
