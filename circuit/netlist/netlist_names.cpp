// Names in expressions: parameters and functions that ngspice would not find. It stops at the first of them, and its
// state cannot be trusted afterwards.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "circuit/netlist/netlist_check.h"
#include "circuit/netlist/netlist_expression.h"

namespace errata::circuit {

namespace {

class NameChecker {
 public:
  NameChecker(const NetlistAnalysis& a, const std::vector<bool>& kept, NetlistReport& report)
      : a_(a), kept_(kept), report_(report) {}

  void run() {
    for (std::size_t s = 0; s < a_.index.scopes().size(); ++s) {
      const Scope& scope = a_.index.scopes()[s];
      if (scope.duplicate || (s > 0 && !a_.reachable[s])) continue;
      if (s > 0) check_letters(scope.begin);
      if (s > 0) check(s, scope.begin, false);
      for (const std::size_t at : scope.others)
        if (kept_[at]) check_statement(s, at);
      for (std::size_t k = 0; s > 0 && k < scope.devices.size(); ++k)
        check_device(s, scope.devices[k], a_.devices[s][k]);
    }
  }

 private:
  void check_letters(std::size_t at) {
    const std::string_view text = a_.index.lower(at);
    const auto letter = std::ranges::find_if(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    if (letter != text.end())
      report_.problem("E206", at, text.substr(static_cast<std::size_t>(letter - text.begin()), 1),
                      "ngspice makes '_' of each letter beyond ASCII, so that different names become one",
                      "write names in ASCII");
  }

  void check_statement(std::size_t s, std::size_t at) {
    check_letters(at);
    const std::string_view text = a_.index.lower(at);
    if (text.starts_with(".func") || text.starts_with(".opt")) return;
    if (text.starts_with(".para")) {
      if (is_function_definition(text)) return;
      const StatementParts parts = parts_of(text);
      std::vector<std::string_view> strays = parts.strays;
      if (parts.words.size() > 1) strays.insert(strays.begin(), parts.words[1]);
      const bool temper = text.find("temper") != std::string_view::npos;  // makes it a function, of the whole text
      if (!strays.empty() && !temper)
        report_.problem("E206", at, strays.front(),
                        fmt::format("ngspice does not read '{}' as part of a value", strays.front()),
                        "put an expression with blanks into {…} or '…'");
    }
    if (text.starts_with(".if") || text.starts_with(".elseif")) {
      check_expression(s, at, text.substr(text.find('(')), false);
      return;
    }
    if (text.starts_with(".model") && takes_words(text)) return;
    check(s, at, false);
  }

  /// Models whose cards hold words: notes on a VDMOS, the devices of CIDER.
  static bool takes_words(std::string_view card) {
    static constexpr std::array<std::string_view, 6> kTypes = {"vdmos", "numos", "numd", "numd2", "nbjt", "nbjt2"};
    const auto words = parts_of(card).words;
    return words.size() > 2 && std::ranges::find(kTypes, words[2]) != kTypes.end();
  }

  static bool is_function_definition(std::string_view text) { return text.find('(') < text.find('='); }

  void check_device(std::size_t s, std::size_t at, const ParsedDevice& d) {
    check_letters(at);
    const std::string_view text = a_.index.lower(at);
    if (d.device.type() == 'b') {
      check_expression(s, at, text.substr(std::min(text.find('='), text.size())), true);
      return;
    }
    check(s, at, d.behavioral);
    const std::string_view value = d.value;
    static constexpr std::array<std::string_view, 18> kKeywords = {
        "dc",   "ac",       "pulse",    "sin",     "exp",     "pwl",     "sffm", "am", "trnoise",
        "poly", "trrandom", "external", "distof1", "distof2", "portnum", "r",    "z0", "noiseless"};
    const bool name = !value.empty() && (value[0] == '_' || (value[0] >= 'a' && value[0] <= 'z'));
    if (!name || std::ranges::find(kKeywords, value) != kKeywords.end() || known(s, value)) return;
    if (d.device.type() == 'v' || d.device.type() == 'i')
      undefined(s, at, value);
    else
      report_.problem("E205", at, value, fmt::format("'{}' is neither a model nor a parameter", value), "");
  }

  void check(std::size_t s, std::size_t at, bool behavioral) {
    for (const auto expression : expressions_of(a_.index.lower(at))) check_expression(s, at, expression, behavioral);
  }

  void check_expression(std::size_t s, std::size_t at, std::string_view expression, bool behavioral) {
    const bool bare_word = expression == "true" || expression == "false";
    if (bare_word) return;
    for (const auto& name : names_of_expression(expression)) {
      if (name.is_function) {
        if (is_builtin_function(name.name, a_.dialect) || defines_function(s, name.name)) continue;
        report_.problem("E204", at, name.name, fmt::format("ngspice knows no function '{}'", name.name),
                        name.name == "if" ? "write a ? b : c, or set circuit.compatibility = \"psa\"" : "");
        continue;
      }
      if (known(s, name.name) || (behavioral && (name.name == "e" || name.name == "pi"))) continue;
      undefined(s, at, name.name);
    }
  }

  void undefined(std::size_t s, std::size_t at, std::string_view name) {
    static constexpr std::array<std::string_view, 8> kConstants = {"pi",     "e",      "boltz", "echarge",
                                                                   "kelvin", "planck", "true",  "false"};
    std::string hint;
    if (std::ranges::find(kConstants, name) != kConstants.end())
      hint = "ngspice has no constants in parameter expressions: define it with .param";
    else if (suggestions_++ < kMostSuggestions)
      hint = suggestion(s, name);
    report_.problem("E204", at, name, fmt::format("parameter '{}' is not defined", name), hint);
  }

  std::string suggestion(std::size_t s, std::string_view name) const {
    std::set<std::string> names;
    for (const std::size_t visible : visible_from(s))
      for (const auto& [parameter, value] : a_.index.scopes()[visible].parameters) names.insert(parameter);
    constexpr std::size_t kMost = 5000;
    if (names.size() > kMost) return {};
    const std::string best = nearest_name(name, std::vector<std::string>(names.begin(), names.end()));
    return best.empty() ? "" : fmt::format("did you mean '{}'?", best);
  }

  /// A parameter is looked for in the subcircuit, then in those that instantiate it, then at the top.
  std::vector<std::size_t> visible_from(std::size_t s) const {
    std::vector<std::size_t> all = {s};
    std::set<std::size_t> seen = {s, 0};
    for (std::size_t i = 0; i < all.size(); ++i)
      for (const std::size_t caller : a_.index.scopes()[all[i]].callers)
        if (seen.insert(caller).second) all.push_back(caller);
    if (s != 0) all.push_back(0);
    return all;
  }

  bool known(std::size_t s, std::string_view name) const {
    static constexpr std::array<std::string_view, 3> kBuiltIn = {"temper", "time", "hertz"};
    static constexpr std::array<std::string_view, 3> kPspice = {"temp", "vt", "gmin"};
    if (std::ranges::find(kBuiltIn, name) != kBuiltIn.end()) return true;
    if (a_.dialect.pspice && std::ranges::find(kPspice, name) != kPspice.end()) return true;
    const std::string key(name);
    const auto& scopes = a_.index.scopes();
    if (scopes[s].parameters.contains(key) || scopes[0].parameters.contains(key)) return true;
    const auto visible = visible_from(s);
    if (key == "m" && std::ranges::any_of(visible, [&](std::size_t v) { return passes_multiplier(v); })) return true;
    return std::ranges::any_of(visible, [&](std::size_t v) { return scopes[v].parameters.contains(key); });
  }

  bool passes_multiplier(std::size_t s) const {
    return std::ranges::any_of(a_.devices[s], [](const ParsedDevice& d) {
      return d.device.type() == 'x' &&
             std::ranges::any_of(d.device.parameters, [](const auto& p) { return p.first == "m"; });
    });
  }

  bool defines_function(std::size_t s, std::string_view name) const {
    const std::string key(name);
    const auto visible = visible_from(s);
    return std::ranges::any_of(visible, [&](std::size_t v) { return a_.index.scopes()[v].functions.contains(key); }) ||
           a_.index.scopes()[a_.index.scopes()[s].parent].functions.contains(key);
  }

  static constexpr int kMostSuggestions = 20;

  const NetlistAnalysis& a_;
  const std::vector<bool>& kept_;
  NetlistReport& report_;
  int suggestions_ = 0;
};

}  // namespace

void check_names(const NetlistAnalysis& analysis, const std::vector<bool>& kept, NetlistReport& report) {
  NameChecker(analysis, kept, report).run();
}

}  // namespace errata::circuit
