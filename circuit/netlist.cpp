#include "circuit/netlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>

#include "core/sha256.h"

namespace errata::circuit {

namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string without_comment(const std::string& text) {
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == ';' || (c == '$' && (i == 0 || std::isspace(static_cast<unsigned char>(text[i - 1])))) ||
               (c == '/' && i + 1 < text.size() && text[i + 1] == '/')) {
      return text.substr(0, i);
    }
  }
  return text;
}

std::string unquoted(const std::string& text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'')) return text.substr(1, text.size() - 2);
  return text;
}

/// Reads files recursively into statements.
class Reader {
 public:
  explicit Reader(const NetlistOptions& options) : options_(options) {}

  std::vector<Statement> statements;
  std::vector<Diagnostic> problems;
  std::vector<Diagnostic> warnings;

  void read_file(const std::filesystem::path& path, const SourcePosition& from, const std::string& section) {
    std::error_code ignored;
    const auto self = std::pair(std::filesystem::weakly_canonical(path, ignored).string(), section);
    if (std::ranges::find(open_, self) != open_.end()) {
      report("E201", from, fmt::format("'{}' includes itself", path.string()), "");
      return;
    }
    constexpr int kMostFiles = 10000;  // files that include each other twice, many levels deep, would never end
    if (++files_ > kMostFiles) {
      if (files_ == kMostFiles + 1)
        report("E201", from, fmt::format("more than {} files are included", kMostFiles), "");
      return;
    }
    std::ifstream file;
    if (std::filesystem::is_regular_file(path, ignored)) file.open(path, std::ios::binary);  // a pipe would never end
    if (!file.is_open()) {
      report("E201", from, fmt::format("cannot read '{}'", path.string()),
             "paths are relative to the file that names them");
      return;
    }
    open_.push_back(self);
    read_lines(file, path, section, from.file.empty());
    open_.pop_back();
  }

 private:
  void report(std::string code, const SourcePosition& at, std::string message, std::string hint) {
    problems.push_back(
        Diagnostic{.code = std::move(code), .position = at, .message = std::move(message), .hint = std::move(hint)});
  }

  void read_lines(std::istream& file, const std::filesystem::path& path, const std::string& section, bool is_top) {
    std::vector<Statement> raw;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      const std::string text = trimmed(without_comment(line));
      // SPICE takes the first line of the top file as a title; a dot statement there is meant, not a title.
      if (is_top && number == 1 && !text.starts_with('.')) continue;
      if (text.empty() || text.starts_with('*')) continue;
      if (text.starts_with('+') && !raw.empty()) {
        raw.back().text.append(" ").append(text, 1);
      } else {
        raw.push_back({text, {path.string(), number, 1}});
      }
    }
    bool in_section = section.empty(), in_other_section = false, in_control = false, found = section.empty();
    for (auto& statement : raw) {
      const auto words = words_of(statement.text);
      const std::string first = lower(words.empty() ? "" : words[0]);
      if (in_control) {
        in_control = !first.starts_with(".endc");
        continue;
      }
      if (first.starts_with(".lib") && words.size() == 2) {  // a section begins; nobody asks for it in a plain include
        in_section = !section.empty() && lower(words[1]) == section;
        found = found || in_section;
        in_other_section = !in_section;
        continue;
      }
      if (first == ".endl") {
        in_section = section.empty();
        in_other_section = false;
        continue;
      }
      if (!in_section) continue;
      if (first.starts_with(".control")) {  // ngspice itself looks at the first letters only
        in_control = true;
        warnings.push_back(Diagnostic{.severity = Diagnostic::Severity::kWarning,
                                      .code = "W210",
                                      .position = statement.position,
                                      .message = "control block dropped: errata issues "
                                                 "the analyses itself"});
        continue;
      }
      take(std::move(statement), words, first, path);
    }
    if (in_other_section)
      report("E201", {path.string(), 0, 0}, "a .lib section has no .endl", "to include a whole file write .include");
    if (!found) report("E201", {path.string(), 0, 0}, fmt::format("the library has no section '{}'", section), "");
  }

  void take(Statement statement, const std::vector<std::string>& words, const std::string& first,
            const std::filesystem::path& path) {
    static const std::set<std::string> kDropped = {".op",   ".tran", ".dc",    ".ac",    ".noise", ".tf",
                                                   ".sens", ".pz",   ".disto", ".print", ".plot",  ".measure",
                                                   ".meas", ".save", ".end",   ".probe", ".four",  ".width"};
    if (kDropped.contains(first)) return;
    const bool library = first.starts_with(".lib") && words.size() >= 3;
    if (first.starts_with(".inc") || library) {  // the first letters count, as in ngspice
      if (words.size() < 2) {
        report("E201", statement.position, fmt::format("{} names no file", first), "");
        return;
      }
      const auto file = path.parent_path() / unquoted(words[1]);
      std::string section = library ? lower(unquoted(words[2])) : std::string();
      if (library && open_.size() == 1 && !options_.corner.empty() && has_section(file, lower(options_.corner)))
        section = lower(options_.corner);
      read_file(file, statement.position, section);
      return;
    }
    if (refuse(statement, words, first)) return;
    statements.push_back(std::move(statement));
  }

  static bool has_section(const std::filesystem::path& path, const std::string& section) {
    std::error_code ignored;
    std::ifstream file;
    if (std::filesystem::is_regular_file(path, ignored)) file.open(path, std::ios::binary);
    for (std::string line; std::getline(file, line);) {
      const auto words = words_of(lower(without_comment(line)));
      if (words.size() == 2 && words[0] == ".lib" && unquoted(words[1]) == section) return true;
    }
    return false;
  }

  bool refuse(const Statement& statement, const std::vector<std::string>& words, const std::string& first) {
    const auto no = [&](std::string_view why) {
      report("E206", statement.position, std::string(why), "remove the line");
      return true;
    };
    if (first == ".hdl" || first == ".osdi" || first == ".pre_osdi" || first.starts_with('n'))
      return no("Verilog-A (OSDI) models are not in Debian's ngspice");
    if (first == ".temp") return no("the temperature is circuit.temperature; .temp would override it");
    if (first == ".protect" || first == ".unprotect" || first == ".prot") return no("encrypted models cannot be read");
    if (first == ".model") {
      const std::string text = lower(statement.text);
      const auto at = text.find("level");
      if (at != std::string::npos) {
        const auto value = text.find_first_of("0123456789", at);
        const int level = value == std::string::npos ? 0 : std::atoi(text.c_str() + value);
        if (level == 72 || level == 73)
          return no(fmt::format("model level {} (BSIM-CMG, HiSIM) is not in Debian's ngspice", level));
      }
    }
    if (options_.trust) return false;
    static const std::set<std::string> kDangerous = {"shell", "system", "source", "write", "wrdata", "codemodel"};
    if (kDangerous.contains(first) || first.starts_with(".csparam"))
      return no(fmt::format("'{}' could run code or write files", words[0]));
    return false;
  }

  NetlistOptions options_;
  std::vector<std::pair<std::string, std::string>> open_;  ///< files being read, with their .lib section
  int files_ = 0;
};

/// Names used inside {…} and '…' expressions.
std::vector<std::string> names_in_expressions(const std::string& text) {
  std::vector<std::string> names;
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '{') inside = true;
    if (c == '}') inside = false;
    if (c == '\'') inside = !inside;
    if (inside &&
        (std::isdigit(static_cast<unsigned char>(c)) || c == '.')) {  // a number with its suffix: 1.5e-9, 0.4u
      while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '.' ||
                                 ((text[i] == '-' || text[i] == '+') && (text[i - 1] == 'e' || text[i - 1] == 'E'))))
        ++i;
      continue;
    }
    if (inside && (std::isalpha(static_cast<unsigned char>(c)) || c == '_')) {
      std::size_t end = i;
      while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
      std::size_t next = text.find_first_not_of(' ', end);
      if (next == std::string::npos || text[next] != '(') {
        names.push_back(lower(text.substr(i, end - i)));
      } else if (const std::string f = lower(text.substr(i, end - i)); f == "v" || f == "i") {
        end = std::min(text.find(')', next), text.size());
      }
      i = end;
      continue;
    }
    ++i;
  }
  return names;
}

/// name=value assignments of a .param or .subckt statement.
std::vector<std::string> assigned_names(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    std::size_t end = text.find_last_not_of(" \t", at - 1);
    if (at == 0 || end == std::string::npos) continue;
    std::size_t begin = end;
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(text[begin - 1])) || text[begin - 1] == '_')) --begin;
    names.push_back(lower(text.substr(begin, end - begin + 1)));
  }
  return names;
}

/// Checks what can be checked without a simulator, and indexes the subcircuits.
class Indexer {
 public:
  Indexer(Netlist& netlist, std::vector<Diagnostic>& problems) : netlist_(netlist), problems_(problems) {}

  void run() {
    for (const auto& s : netlist_.statements) collect_globals(s);
    for (const auto& s : netlist_.statements) visit(s);
    for (const auto* open : open_)
      report("E209", open->position, fmt::format(".subckt {} has no .ends", open->name), "");
    for (const auto& [name, position] : used_models_)
      if (!is_model(name))
        report("E205", position, fmt::format("model '{}' is not defined", name),
               models_.empty() ? "include the file that holds the .model card" : near(name, models_));
    for (const auto& [name, position] : used_subcircuits_)
      if (!netlist_.subcircuits.contains(name))
        report("E202", position, fmt::format("subcircuit '{}' is not defined", name), "");
  }

 private:
  void report(std::string code, const SourcePosition& at, std::string message, std::string hint) {
    problems_.push_back(
        Diagnostic{.code = std::move(code), .position = at, .message = std::move(message), .hint = std::move(hint)});
  }

  static std::string near(const std::string& name, const std::set<std::string>& known) {
    const std::vector<std::string> list(known.begin(), known.end());
    const std::string best = nearest_name(name, list);
    return best.empty() ? "" : fmt::format("did you mean '{}'?", best);
  }

  /// A binned PDK model "nfet" is defined by cards "nfet.1", "nfet.2", …
  bool is_model(const std::string& name) const {
    if (models_.contains(name)) return true;
    return std::ranges::any_of(models_, [&](const std::string& m) { return m.starts_with(name + "."); });
  }

  void collect_globals(const Statement& s) {
    const auto words = words_of(lower(s.text));
    if (words.empty()) return;
    if (words[0] == ".param" || words[0] == ".params")
      for (const auto& name : assigned_names(s.text)) parameters_.insert(name);
    if (words[0] == ".func" && words.size() > 1) parameters_.insert(words[1].substr(0, words[1].find('(')));
    if (words[0] == ".model" && words.size() > 1) models_.insert(words[1]);
  }

  void visit(const Statement& s) {
    const std::string text = lower(s.text);
    const auto words = words_of(text);
    if (words.empty()) return;
    if (words[0] == ".subckt") {
      begin(s, words);
    } else if (words[0] == ".ends") {
      if (open_.empty())
        report("E209", s.position, ".ends without .subckt", "");
      else
        open_.pop_back();
      if (open_.empty()) locals_.clear();
    } else if (words[0][0] != '.') {
      if (!open_.empty()) open_.back()->devices[words[0]] = text;
      visit_device(s, words);
    }
    if (words[0] != ".func") check_parameters(s);
  }

  void begin(const Statement& s, const std::vector<std::string>& words) {
    Subcircuit sub;
    sub.position = s.position;
    sub.name = words.size() > 1 ? words[1] : "";
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "params:" || words[i].find('=') != std::string::npos ||
          (i + 1 < words.size() && words[i + 1].starts_with('=')))
        break;
      sub.pins.push_back(words[i]);
    }
    for (const auto& name : assigned_names(s.text)) locals_.insert(name);
    open_.push_back(&(netlist_.subcircuits[sub.name] = sub));
  }

  /// q1 c b e [substrate] model: a fourth node stands before the model's name.
  bool has_substrate(const std::vector<std::string>& words) const {
    return words.size() > 5 && !is_model(words[4]) && is_model(words[5]);
  }

  void visit_device(const Statement& s, const std::vector<std::string>& words) {
    const auto position_of_model = [&](std::size_t nodes) {
      if (words.size() > nodes + 1 && words[nodes + 1].find('=') == std::string::npos)
        used_models_.emplace_back(words[nodes + 1], s.position);
    };
    switch (words[0][0]) {
      case 'm':
        position_of_model(4);
        break;
      case 'd':
        position_of_model(2);
        break;
      case 'q':
        position_of_model(has_substrate(words) ? 4 : 3);
        break;
      case 'x': {
        std::string name;
        for (std::size_t i = 1; i < words.size(); ++i) {
          if (words[i] == "params:" || words[i].find('=') != std::string::npos ||
              (i + 1 < words.size() && words[i + 1].starts_with('=')))
            break;
          name = words[i];
        }
        if (!name.empty()) used_subcircuits_.emplace_back(name, s.position);
        break;
      }
      default:
        break;
    }
  }

  void check_parameters(const Statement& s) {
    static const std::set<std::string> kKnown = {"pi",     "e", "time", "temper", "hertz", "boltz", "kelvin", "echarge",
                                                 "planck", "c", "i",    "yes",    "no",    "true",  "false",  "temp"};
    for (const auto& name : names_in_expressions(s.text)) {
      if (kKnown.contains(name) || parameters_.contains(name) || locals_.contains(name)) continue;
      std::set<std::string> all = parameters_;
      all.insert(locals_.begin(), locals_.end());
      report("E204", s.position, fmt::format("parameter '{}' is not defined", name), near(name, all));
    }
  }

  Netlist& netlist_;
  std::vector<Diagnostic>& problems_;
  std::set<std::string> parameters_, locals_, models_;
  std::vector<Subcircuit*> open_;
  std::vector<std::pair<std::string, SourcePosition>> used_models_, used_subcircuits_;
};

}  // namespace

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

Netlist read_netlist(const std::filesystem::path& path, const NetlistOptions& options) {
  Reader reader(options);
  reader.read_file(path, {}, {});
  Netlist netlist;
  netlist.statements = std::move(reader.statements);
  netlist.warnings = std::move(reader.warnings);
  std::vector<Diagnostic> problems = std::move(reader.problems);
  const bool files_missing = !problems.empty();
  if (!files_missing) Indexer(netlist, problems).run();
  throw_if_errors(problems);
  std::string all;
  for (const auto& s : netlist.statements) all += s.text + "\n";
  netlist.sha256 = sha256(all);
  return netlist;
}

}  // namespace errata::circuit
