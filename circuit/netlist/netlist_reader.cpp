#include "circuit/netlist/netlist_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "circuit/netlist/netlist_conditions.h"
#include "circuit/netlist/netlist_policy.h"

namespace errata::circuit {

namespace {

using Words = std::vector<std::string>;

/// Lower case; ".if(a>b)" begins with ".if".
std::string first_word(std::string_view text) {
  const auto end = std::min(text.find_first_of(text.front() == '.' ? " \t({'/" : " \t"), text.size());
  return lower_case(text.substr(0, std::max<std::size_t>(end, 1)));
}

/// Statements with text that ngspice 39 takes: .macro is lost on it where parameters are passed, `params:` in HSPICE
/// mode, a slash before a subcircuit's name always.
Statement rewritten(Statement s, std::string_view first) {
  const auto replace = [&](std::string text) {
    if (text == s.text) return;
    s.text = std::move(text);
    s.first_line_length = 0;
  };
  const bool subcircuit = first == ".subckt" || first == ".macro";
  if (first == ".macro") replace(".subckt" + s.text.substr(6));
  if (first == ".eom") replace(".ends" + s.text.substr(4));
  if (!subcircuit && first.front() != 'x') return s;
  std::string text = s.text;
  const std::string lower = lower_case(text);
  if (const auto at = lower.find("params:"); at != std::string::npos) text.replace(at, 7, " ");
  if (first.front() == 'x')
    if (const auto at = text.find(" / "); at != std::string::npos) text.replace(at, 3, " ");
  replace(std::move(text));
  return s;
}

class Reader {
 public:
  Reader(const NetlistOptions& options, NetlistFiles& files)
      : options_(options), dialect_(dialect_of(options.compatibility)), files_(files) {}

  NetlistText read(const std::filesystem::path& path) {
    search_ = {path.parent_path()};
    read_file(path, {}, {});
    conditions_.check();
    return std::move(out_);
  }

 private:
  void report(std::string code, const SourcePosition& at, std::string message, std::string hint = {}) {
    out_.problems.push_back(netlist_problem(std::move(code), at, std::move(message), std::move(hint)));
  }

  void warn(std::string code, const SourcePosition& at, std::string message, std::string hint = {}) {
    out_.warnings.push_back(netlist_warning(std::move(code), at, std::move(message), std::move(hint)));
  }

  void read_file(const std::filesystem::path& path, const SourcePosition& from, const std::string& section) {
    std::error_code ignored;
    const auto self = std::pair(std::filesystem::weakly_canonical(path, ignored).string(), section);
    if (std::ranges::find(open_, self) != open_.end())
      return report("E201", from, fmt::format("'{}' includes itself", path.string()));
    constexpr std::size_t kDeepest = 100;
    if (open_.size() > kDeepest)
      return report("E201", from, fmt::format("includes are nested more than {} deep", kDeepest));
    constexpr int kMostFiles = 10000;  // files that include each other twice, many levels deep, would never end
    if (++opened_ > kMostFiles) {
      if (opened_ == kMostFiles + 1) report("E201", from, fmt::format("more than {} files are included", kMostFiles));
      return;
    }
    const auto file = files_.open(path);
    if (file == nullptr) return report("E201", from, fmt::format("cannot read '{}'", path.string()), hint_for(path));
    if (seen_.insert(file.get()).second) {
      out_.problems.insert(out_.problems.end(), file->problems.begin(), file->problems.end());
      out_.warnings.insert(out_.warnings.end(), file->warnings.begin(), file->warnings.end());
      out_.unreadable.insert(out_.unreadable.end(), file->unreadable.begin(), file->unreadable.end());
    }
    open_.push_back(self);
    read_statements(*file, path, section);
    open_.pop_back();
  }

  static std::string hint_for(const std::filesystem::path& path) {
    std::error_code ignored;
    const std::string wanted = lower_case(path.filename().string());
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      const std::string name = entry.path().filename().string();
      if (lower_case(name) == wanted && name != path.filename() && (found.empty() || name < found)) found = name;
    }
    if (!found.empty()) return fmt::format("there is a '{}'", found);
    return "paths are relative to the file that names them, then to the netlist's folder; quote a path with blanks";
  }

  void read_statements(const NetlistFile& file, const std::filesystem::path& path, const std::string& section) {
    bool in_section = section.empty(), found = section.empty(), ended = false;
    SourcePosition section_begin;
    std::string block_end;
    const std::size_t conditions = conditions_.depth();
    for (std::size_t i = 0; i < file.statements.size(); ++i) {
      const Statement& s = file.statements[i];
      const std::string first = first_word(s.text);
      const auto words = first.front() == '.' || is_command(first) || !block_end.empty() ? words_of(s.text) : Words{};
      if (is_title(s, first)) {
        if (s.text.size() > s.first_line_length)
          warn("W221", s.position, "a continuation of the title line is ignored, as by ngspice");
        continue;
      }
      if (!block_end.empty()) {
        if (options_.trust && block_end == ".endc" && first.starts_with("pre_")) keep_command(s, words, path);
        if (first.starts_with(block_end)) block_end.clear();
        continue;
      }
      if (first == ".lib" && words.size() == 2 && !includes_library()) {  // nobody asks for it in a plain include
        in_section = !section.empty() && lower_case(unquoted(words[1])) == section;
        found = found || in_section;
        section_begin = s.position;
        continue;
      }
      if (first == ".endl") {
        in_section = section.empty();
        section_begin = {};
        continue;
      }
      if (!in_section) continue;
      if (first.starts_with(".control")) {  // ngspice itself looks at the first letters only
        block_end = ".endc";
        warn("W210", s.position, "control block dropped: errata issues the analyses itself");
        continue;
      }
      if (first == ".if" || first == ".elseif" || first == ".else" || first == ".endif") {
        if (auto kept = conditions_.take(s, first)) out_.statements.push_back(std::move(*kept));
        continue;
      }
      if (!conditions_.active()) continue;
      if (ended && first != ".end") {
        warn("W221", s.position, "statements behind .end are read too, as ngspice does");
        ended = false;
      }
      if (first == ".end") {
        ended = true;
        continue;
      }
      if (!take(s, words, first, path, block_end)) break;
    }
    if (!section_begin.file.empty())
      report("E201", section_begin, "a .lib section has no .endl",
             "to include a whole file write .include, or set circuit.compatibility to \"psa\" or \"lta\" for PSPICE or "
             "LTspice netlists");
    if (!block_end.empty() && block_end != ".endc")
      report("E209", {path.string(), 0, 0}, fmt::format("a block has no {}", block_end));
    if (!found)
      report("E201", {path.string(), 0, 0}, fmt::format("the library has no section '{}'", section), sections_of(file));
    conditions_.close_down_to(conditions);
  }

  /// SPICE takes the first line of the top file as a title; a dot statement there is meant, not a title.
  bool is_title(const Statement& s, const std::string& first) const {
    if (open_.size() != 1 || s.position.line != 1) return false;
    return first.front() != '.' || !(first.starts_with(".inc") || first == ".lib" || policy_of(first, false));
  }

  bool includes_library() const { return dialect_.pspice || dialect_.ltspice; }

  /// False: the rest of the file is not to be read.
  bool take(const Statement& s, const Words& words, const std::string& first, const std::filesystem::path& path,
            std::string& block_end) {
    if (first.starts_with(".inc") || first.starts_with(".lib")) {
      if (conditions_.decided_by_ngspice()) {
        report("E206", s.position, fmt::format("ngspice reads {} inside .if always", first),
               "decide the .if by a top-level parameter");
        return true;
      }
      include(s, words, first, path);
      return true;
    }
    if (first.front() == '.') return take_dot(s, words, first, block_end);
    if (is_command(first)) {
      if (options_.trust)
        dropped(s, words[0], "outside a .control section it is no command of ngspice's");
      else
        report("E206", s.position, fmt::format("'{}' could run code or write files", words[0]), "remove the line");
      return true;
    }
    if (first == "subckt" || first == "section" || first == "library" || first == "simulator") {
      if (first != "simulator" || lower_case(s.text).find("spectre") != std::string::npos)
        report("E206", s.position, fmt::format("'{}' is Spectre's syntax; errata reads SPICE", words_of(s.text)[0]),
               "export the netlist for HSPICE or ngspice");
      return true;
    }
    out_.statements.push_back(first.front() == 'x' ? rewritten(s, first) : s);
    return true;
  }

  bool take_dot(const Statement& s, const Words& words, const std::string& first, std::string& block_end) {
    const bool opens = first == ".subckt" || first == ".macro", closes = first == ".ends" || first == ".eom";
    if (conditions_.decided_by_ngspice() && (opens || closes || first.starts_with(".para") || first == ".func")) {
      report("E206", s.position, fmt::format("ngspice reads {} inside .if always", first),
             "decide the .if by a top-level parameter");
      return true;
    }
    if (opens) {
      conditions_.open_subcircuit();
      conditions_.note_parameters(s);
    }
    if (closes) conditions_.close_subcircuit();
    if (opens || closes) {
      out_.statements.push_back(rewritten(s, first));
      return true;
    }
    if (first.starts_with(".opt")) return keep_options(s);
    const auto policy = policy_of(first, conditions_.inside_subcircuit());
    if (!policy) {
      report("E206", s.position, fmt::format("ngspice has no statement '{}'", words[0]), "remove the line");
      return true;
    }
    switch (policy->treatment) {
      case Treatment::kKeep:
        if (first.starts_with(".para")) conditions_.note_parameters(s);
        out_.statements.push_back(s);
        return true;
      case Treatment::kDrop:
        encrypted(s, words, first);
        return true;
      case Treatment::kDropAndWarn:
        dropped(s, words[0], policy->reason);
        return true;
      case Treatment::kDropBlock:
        block_end = policy->block_end;
        dropped(s, words[0], policy->reason);
        return true;
      case Treatment::kDropRest:
        dropped(s, words[0], policy->reason);
        return false;
      case Treatment::kRefuse:
        report("E206", s.position, fmt::format("'{}': {}", words[0], policy->reason), "remove the line");
        return true;
      case Treatment::kRefuseIfNeeded:
        out_.unreadable.push_back(netlist_problem("E206", s.position, fmt::format("'{}': {}", words[0], policy->reason),
                                                  "use a model of ngspice's own, such as BSIM4 (level 54)"));
        return true;
    }
    return true;
  }

  void dropped(const Statement& s, const std::string& word, std::string_view reason) {
    warn("W221", s.position, fmt::format("{} dropped: {}", word, reason));
  }

  void trusted(const Statement& s) {
    warn("W226", s.position, fmt::format("trusted: '{}' goes to ngspice", s.text),
         "--trust-netlist lets this netlist run commands and write files with your rights");
    out_.statements.push_back(s);
  }

  /// A command that ngspice runs before it parses the circuit, in a .control section of its own.
  void keep_command(const Statement& s, const Words& words, const std::filesystem::path& path) {
    Statement command = s;
    std::error_code failed;
    if (words.size() == 2 && std::filesystem::exists(path.parent_path() / unquoted(words[1]), failed))
      command.text =
          words[0] + " " + std::filesystem::absolute(path.parent_path() / unquoted(words[1]), failed).string();
    if (lower_case(command.text) != command.text)
      warn("W226", s.position, "ngspice reads a pre_ command in lower case", "use a path without capital letters");
    command.first_line_length = 0;
    Statement begin = command, end = command;
    begin.text = ".control";
    end.text = ".endc";
    out_.statements.push_back(begin);
    trusted(command);
    out_.statements.push_back(end);
  }

  /// `.prot` only hides a listing; with a key word (FREELIB, CUSTOM, …) what follows is encrypted.
  void encrypted(const Statement& s, const Words& words, const std::string& first) {
    if (!first.starts_with(".prot") || words.size() < 2) return;
    out_.unreadable.push_back(netlist_problem("E206", s.position, "an encrypted block cannot be read",
                                              "ask its maker for a readable ngspice or HSPICE model"));
  }

  bool keep_options(const Statement& s) {
    const KeptOptions kept = kept_options(s.text);
    if (!kept.replaced.empty())
      warn("W221", s.position, fmt::format("option {} dropped: errata sets it", kept.replaced));
    if (!kept.search.empty()) search_.push_back(std::filesystem::path(s.position.file).parent_path() / kept.search);
    if (kept.text.empty()) return true;
    if (!kept.scale.empty()) out_.scale = kept.scale;
    out_.sets_nominal_temperature = out_.sets_nominal_temperature || kept.nominal_temperature;
    out_.statements.push_back({kept.text, s.position, 0});
    return true;
  }

  void include(const Statement& s, const Words& words, const std::string& first, const std::filesystem::path& path) {
    const bool library = first.starts_with(".lib") && words.size() >= 3;
    if (words.size() < 2) return report("E201", s.position, fmt::format("{} names no file", first));
    std::string name(unquoted(words[1]));
    std::ranges::replace(name, '\\', '/');  // written on Windows
    if (name.empty() || name.front() == '~' || name.find('$') != std::string::npos)
      return report("E201", s.position, fmt::format("'{}' is not expanded", name), "write the path itself");
    std::filesystem::path file = path.parent_path() / name;
    std::error_code ignored;
    for (const auto& folder : search_)
      if (!std::filesystem::exists(file, ignored)) file = folder / name;
    if (!std::filesystem::exists(file, ignored)) file = path.parent_path() / name;
    // LTspice names its own libraries in every netlist that it writes.
    if (dialect_.ltspice && !std::filesystem::exists(file, ignored) && file.stem() == "standard") {
      out_.unreadable.push_back(netlist_problem("E206", s.position,
                                                fmt::format("'{}', LTspice's own library, is not here", name),
                                                "copy the models into the netlist"));
      return;
    }
    std::string section = library ? lower_case(unquoted(words[2])) : std::string();
    if (library && open_.size() == 1 && !options_.corner.empty() && has_section(file, lower_case(options_.corner)))
      section = lower_case(options_.corner);
    read_file(file, s.position, section);
  }

  static std::vector<std::string> section_names(const NetlistFile& file) {
    std::vector<std::string> names;
    for (const auto& s : file.statements) {
      if (s.text.size() < 5 || lower_case(s.text.substr(0, 4)) != ".lib") continue;
      const auto words = words_of(s.text);
      if (words.size() == 2) names.push_back(lower_case(unquoted(words[1])));
    }
    return names;
  }
  static std::string sections_of(const NetlistFile& file) {
    const auto names = section_names(file);
    return names.empty() ? "" : fmt::format("it has: {}", fmt::join(names, ", "));
  }
  bool has_section(const std::filesystem::path& path, const std::string& section) {
    const auto file = files_.open(path);
    if (file == nullptr) return false;
    const auto names = section_names(*file);
    return std::ranges::find(names, section) != names.end();
  }

  const NetlistOptions& options_;
  Dialect dialect_;
  NetlistFiles& files_;
  NetlistText out_;
  std::vector<std::filesystem::path> search_;              ///< the netlist's folder, then those of `.option search`
  std::vector<std::pair<std::string, std::string>> open_;  ///< files being read, with their .lib section
  std::set<const NetlistFile*> seen_;
  int opened_ = 0;
  NetlistConditions conditions_{dialect_, out_.problems};
};

}  // namespace

NetlistText inline_netlist(const std::filesystem::path& path, const NetlistOptions& options, NetlistFiles& files) {
  return Reader(options, files).read(path);
}

}  // namespace errata::circuit
