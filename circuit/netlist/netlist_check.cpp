#include "circuit/netlist/netlist_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "circuit/netlist/netlist_policy.h"

namespace errata::circuit {

namespace {

/// Names for a suggestion; with very many a search would take longer than the whole check.
std::string did_you_mean(std::string_view name, std::vector<std::string> known) {
  constexpr std::size_t kMost = 5000;
  if (known.size() > kMost) return {};
  std::ranges::sort(known);
  const std::string best = nearest_name(name, known);
  return best.empty() ? "" : fmt::format("did you mean '{}'?", best);
}

/// Where `word` stands with no letter or digit beside it.
std::size_t find_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !is_name_character(text[at - 1]);
    const bool ends = at + word.size() == text.size() || !is_name_character(text[at + word.size()]);
    if (begins && ends) return at;
  }
  return std::string_view::npos;
}

class DeviceChecker {
 public:
  DeviceChecker(const NetlistAnalysis& a, const NetlistFiles& files, bool trust, NetlistReport& report)
      : a_(a), files_(files), trust_(trust), report_(report) {}

  void run() {
    for (std::size_t s = 0; s < a_.index.scopes().size(); ++s)
      if (s > 0 && a_.reachable[s]) check_scope(s);
    check_recursion();
  }

 private:
  const Scope& scope(std::size_t s) const { return a_.index.scopes()[s]; }

  void check_scope(std::size_t s) {
    const Scope& sub = scope(s);
    for (const auto& pin : sub.pins)
      if (pin.ends_with(':'))
        report_.problem("E206", sub.begin, pin, fmt::format("ngspice has no {} pins", pin), "make them plain pins");
    std::map<std::string_view, std::size_t> names;
    for (std::size_t k = 0; k < sub.devices.size(); ++k) {
      const std::size_t at = sub.devices[k];
      const ParsedDevice& d = a_.devices[s][k];
      const auto [first, fresh] = names.emplace(d.device.name, at);
      if (!fresh && !(a_.index.conditional(at) && a_.index.conditional(first->second)))
        report_.problem("E233", at, d.device.name,
                        fmt::format("subcircuit '{}' has two elements '{}'", sub.name, d.device.name),
                        fmt::format("the first: line {}", a_.index.statements()[first->second].position.line));
      check_device(s, at, d, a_.targets[s][k]);
    }
  }

  void check_device(std::size_t s, std::size_t at, const ParsedDevice& d, std::size_t target) {
    if (d.device.type() == 'u' && a_.dialect.pspice) return;  // PSPICE's digital elements, which ngspice translates
    if (!d.trouble.empty() && !(d.device.nodes.size() == 3 && is_vdmos(s, d))) {
      const bool missing =
          d.trouble.starts_with("Verilog") || d.trouble.starts_with("no element") || d.trouble.starts_with("ngspice");
      report_.problem(missing ? "E206" : "E231", at, d.device.name, d.trouble, "");
      return;
    }
    if (!d.unknown_model.empty()) unknown_model(s, at, d.unknown_model);
    if (!d.device.model.empty()) used_model(s, at, d);
    for (const auto& source : d.controls) check_control(s, at, d, source);
    if (d.device.type() == 'x') check_instance(s, at, d, target);
    check_value(at, d);
  }

  /// The one MOSFET that may have three nodes.
  bool is_vdmos(std::size_t s, const ParsedDevice& d) const {
    const auto* cards = d.device.model.empty() ? nullptr : a_.index.find_model(s, d.device.model);
    return cards != nullptr && a_.index.lower(cards->front()).find("vdmos") != std::string::npos;
  }

  void unknown_model(std::size_t s, std::size_t at, const std::string& name) {
    std::vector<std::string> known;
    for (std::size_t k = s;; k = scope(k).parent) {
      for (const auto* models : {&scope(k).models, &scope(k).bins})
        for (const auto& [model, statements] : *models) known.push_back(model);
      if (k == 0) break;
    }
    std::string hint = files_.section_that_defines(name);
    if (a_.index.find_subcircuit(s, name) != 0)
      hint = fmt::format("'{}' is a subcircuit: let the element's name begin with x", name);
    if (hint.empty()) hint = known.empty() ? "include the file that holds the .model card" : did_you_mean(name, known);
    report_.problem("E205", at, name, fmt::format("model '{}' is not defined", name), hint);
  }

  /// ngspice looks for a controlling source in the same subcircuit only.
  void check_control(std::size_t s, std::size_t at, const ParsedDevice& d, const std::string& source) {
    if (source.find('.') != std::string::npos ||
        std::ranges::any_of(a_.devices[s], [&](const ParsedDevice& other) { return other.device.name == source; }))
      return;
    std::vector<std::string> known;
    for (const auto& other : a_.devices[s]) known.push_back(other.device.name);
    report_.problem(
        "E231", at, source,
        fmt::format("'{}' refers to '{}', which is no element of '{}'", d.device.name, source, scope(s).name),
        did_you_mean(source, known));
  }

  void used_model(std::size_t s, std::size_t at, const ParsedDevice& d) {
    const auto* cards = a_.index.find_model(s, d.device.model);
    if (cards == nullptr) return;
    for (const std::size_t card : *cards)
      if (const auto why = model_refusal(a_.index.lower(card), a_.dialect, trust_))
        report_.problem("E206", card, d.device.model, *why,
                        fmt::format("used at {}:{}", a_.index.statements()[at].position.file,
                                    a_.index.statements()[at].position.line));
  }

  void check_instance(std::size_t s, std::size_t at, const ParsedDevice& d, std::size_t target) {
    const std::string& name = d.subcircuit;
    if (target == 0) {
      std::vector<std::string> known;
      for (std::size_t k = s;; k = scope(k).parent) {
        for (const auto& [child, number] : scope(k).children) known.push_back(child);
        if (k == 0) break;
      }
      std::string hint = files_.section_that_defines(name);
      if (hint.empty()) hint = did_you_mean(name, known);
      report_.problem("E202", at, name, fmt::format("subcircuit '{}' is not defined", name), hint);
      return;
    }
    const Scope& sub = scope(target);
    if (d.device.nodes.size() != sub.pins.size()) {
      report_.problem("E231", at, d.device.name,
                      fmt::format("'{}' connects {} node{} to subcircuit '{}', which has {} pin{}", d.device.name,
                                  d.device.nodes.size(), d.device.nodes.size() == 1 ? "" : "s", name, sub.pins.size(),
                                  sub.pins.size() == 1 ? "" : "s"),
                      fmt::format("its pins: {}", fmt::join(sub.pins, " ")));
      return;
    }
    for (std::size_t k = 0; k < sub.pins.size(); ++k) check_pin(at, d.device.nodes[k], sub.pins[k], sub.name);
    check_parameters(at, d, target);
  }

  /// ngspice reads "gnd" and global names as what they are everywhere, also where they are a pin.
  void check_pin(std::size_t at, const std::string& node, const std::string& pin, const std::string& name) {
    const bool ground = a_.index.is_ground(pin) && !a_.index.is_ground(node);
    const bool global = a_.index.globals().contains(pin) && node != pin;
    if (ground || global)
      report_.problem("E206", at, node,
                      fmt::format("pin '{}' of '{}' is {} in ngspice, whatever it is connected to (here '{}')", pin,
                                  name, ground ? "ground" : "the global node", node),
                      "give the pin another name");
  }

  void check_parameters(std::size_t at, const ParsedDevice& d, std::size_t target) {
    const Scope& sub = scope(target);
    for (const auto& [name, value] : d.device.parameters) {
      if (sub.parameters.contains(name)) continue;
      if (name == "m") {
        if (value != "1") check_multiplier(at, d, target);
        continue;
      }
      std::vector<std::string> known;
      for (const auto& [parameter, text] : sub.parameters) known.push_back(parameter);
      if (known.empty())
        report_.problem("E204", at, name,
                        fmt::format("subcircuit '{}' has no parameters, but '{}' is set", sub.name, name), "");
      else
        report_.warning("W225", at, name,
                        fmt::format("subcircuit '{}' has no parameter '{}'; ngspice ignores it", sub.name, name),
                        did_you_mean(name, known));
    }
  }

  /// ngspice hands m down by adding `m={m}` to lines of some types only, and outside HSPICE mode it overrides their
  /// own.
  void check_multiplier(std::size_t at, const ParsedDevice& instance, std::size_t target) {
    std::string why;
    std::unordered_set<std::size_t> seen;
    const std::function<void(std::size_t)> visit = [&](std::size_t s) {
      if (!seen.insert(s).second || !why.empty()) return;
      for (std::size_t k = 0; k < a_.devices[s].size() && why.empty(); ++k) {
        const ParsedDevice& d = a_.devices[s][k];
        const bool own = std::ranges::any_of(d.device.parameters, [](const auto& p) { return p.first == "m"; });
        const bool carries = std::string_view("bswtouaypn").find(d.device.type()) != std::string_view::npos;
        const bool current = d.device.type() != 'b' || (!d.contacts.empty() && d.contacts[0] == Contact::kPlate);
        if (carries && current)
          why = fmt::format("it does not reach '{}' in subcircuit '{}'", d.device.name, scope(s).name);
        else if (own && !a_.dialect.hspice)
          why = fmt::format("it replaces the m of '{}' in subcircuit '{}' instead of multiplying it", d.device.name,
                            scope(s).name);
        const std::size_t inner = a_.targets[s][k];
        if (inner != 0 && !scope(inner).parameters.contains("m")) visit(inner);
      }
    };
    visit(target);
    if (why.empty()) return;
    report_.problem("E206", at, "m",
                    fmt::format("ngspice misreads the multiplier of '{}': {}", instance.device.name, why),
                    why.starts_with("it replaces") ? "set circuit.compatibility = \"hsa\", or write the product"
                                                   : "write the instance that many times");
  }

  void check_value(std::size_t at, const ParsedDevice& d) {
    const char type = d.device.type();
    if (a_.dialect.ltspice || std::string_view("rcl").find(type) == std::string_view::npos) return;
    const std::string_view v = d.value;
    const auto letter = v.find_first_not_of("0123456789.");
    if (v.empty() || letter == 0 || letter == std::string_view::npos || v[letter] == 'e') return;
    if (letter + 1 < v.size() && v.find_first_not_of("0123456789", letter + 1) == std::string_view::npos)
      report_.problem("E206", at, v, fmt::format("ngspice reads '{}' as {}", v, v.substr(0, letter + 1)),
                      fmt::format("write {}.{}{}, or set circuit.compatibility = \"lta\"", v.substr(0, letter),
                                  v.substr(letter + 1), v[letter]));
  }

  void check_recursion() {
    enum class Color { kWhite, kGrey, kBlack };
    std::vector<Color> colors(a_.index.scopes().size(), Color::kWhite);
    std::vector<std::size_t> heights(colors.size(), 0);
    constexpr std::size_t kDeepest = 18;  // 19 are too many for ngspice 39, 20 are not
    // Depth first with a stack of its own: chains of instances may be long.
    struct Frame {
      std::size_t scope, next;
    };
    for (std::size_t root = 1; root < colors.size(); ++root) {
      if (!a_.reachable[root] || colors[root] != Color::kWhite) continue;
      std::vector<Frame> stack = {{root, 0}};
      colors[root] = Color::kGrey;
      while (!stack.empty()) {
        Frame& top = stack.back();
        if (top.next == a_.targets[top.scope].size()) {
          colors[top.scope] = Color::kBlack;
          for (const std::size_t t : a_.targets[top.scope])
            if (t != 0) heights[top.scope] = std::max(heights[top.scope], 1 + heights[t]);
          if (heights[top.scope] == kDeepest + 1)
            report_.problem("E232", scope(top.scope).begin, scope(top.scope).name,
                            fmt::format("'{}' nests instances more than {} deep", scope(top.scope).name, kDeepest),
                            "ngspice takes that for a circle");
          stack.pop_back();
          continue;
        }
        const std::size_t at = scope(top.scope).devices[top.next], target = a_.targets[top.scope][top.next++];
        if (target == 0 || colors[target] == Color::kBlack) continue;
        if (colors[target] == Color::kGrey) {
          report_.problem("E232", at, scope(target).name,
                          fmt::format("subcircuit '{}' contains itself", scope(target).name), "");
          continue;
        }
        colors[target] = Color::kGrey;
        stack.push_back({target, 0});
      }
    }
  }

  const NetlistAnalysis& a_;
  const NetlistFiles& files_;
  bool trust_;
  NetlistReport& report_;
};

/// Takes the elements of one subcircuit apart.
void parse_scope(NetlistAnalysis& a, NetlistIndex& index, std::size_t s) {
  const std::function<bool(std::string_view)> is_model = [&](std::string_view word) {
    return index.find_model(s, word) != nullptr;
  };
  a.devices[s].reserve(index.scopes()[s].devices.size());
  for (const std::size_t at : index.scopes()[s].devices) {
    ParsedDevice& d = a.devices[s].emplace_back(parse_device(index.lower(at), is_model));
    d.device.position = index.statements()[at].position;
    const std::size_t target = d.subcircuit.empty() ? 0 : index.find_subcircuit(s, d.subcircuit);
    if (target != 0) d.device.subcircuit = index.scopes()[target].key;
    if (target != 0) index.scope(target).callers.insert(s);
    a.targets[s].push_back(target);
  }
}

}  // namespace

NetlistAnalysis analyse_netlist(NetlistIndex& index, const NetlistOptions& options) {
  NetlistAnalysis a{.index = index, .dialect = dialect_of(options.compatibility)};
  const std::size_t scopes = index.scopes().size();
  a.devices.resize(scopes);
  a.targets.resize(scopes);
  a.reachable.assign(scopes, false);
  std::vector<std::size_t> open;
  a.prunes = !options.roots.empty();
  for (const auto& root : options.roots) {
    const std::size_t s = index.find_subcircuit(0, lower_case(root));
    a.prunes = a.prunes && s != 0;
    if (s != 0) open.push_back(s);
  }
  for (std::size_t s = 1; options.roots.empty() && s < scopes; ++s)
    if (!index.scopes()[s].duplicate) open.push_back(s);
  while (!open.empty()) {
    const std::size_t s = open.back();
    open.pop_back();
    if (a.reachable[s]) continue;
    a.reachable[s] = true;
    parse_scope(a, index, s);
    for (const std::size_t target : a.targets[s])
      if (target != 0) open.push_back(target);
  }
  return a;
}

void NetlistReport::add(Diagnostic d, std::size_t statement, std::string_view about) {
  const Statement& s = index_.statements()[statement];
  d.position = {s.position.file, s.position.line, 0};
  const std::string& lower = index_.lower(statement);
  const auto at = find_word(lower, about);
  const bool inside = about.data() >= lower.data() && about.data() < lower.data() + lower.size();
  const std::size_t offset = inside ? static_cast<std::size_t>(about.data() - lower.data()) : at;
  if (!about.empty() && offset < s.first_line_length) {
    d.position.column = s.position.column + static_cast<int>(offset);
    d.excerpt =
        std::string(static_cast<std::size_t>(s.position.column - 1), ' ') + s.text.substr(0, s.first_line_length);
  }
  constexpr std::size_t kShown = 3;
  const bool warning = d.severity == Diagnostic::Severity::kWarning;
  Seen& seen = seen_[d.code + " " + std::string(about) + " " + d.message];
  auto& list = warning ? warnings_ : problems_;
  if (++seen.count > kShown) return;
  seen.last = list.size();
  seen.warning = warning;
  list.push_back(std::move(d));
}

void NetlistReport::problem(std::string code, std::size_t statement, std::string_view about, std::string message,
                            std::string hint) {
  add(netlist_problem(std::move(code), SourcePosition{}, std::move(message), std::move(hint)), statement, about);
}

void NetlistReport::warning(std::string code, std::size_t statement, std::string_view about, std::string message,
                            std::string hint) {
  add(netlist_warning(std::move(code), SourcePosition{}, std::move(message), std::move(hint)), statement, about);
}

void NetlistReport::finish() {
  for (const auto& [key, seen] : seen_)
    if (seen.count > 3)
      (seen.warning ? warnings_ : problems_)[seen.last].message += fmt::format(" (and {} times more)", seen.count - 3);
  // A library that was not written for errata can be full of one kind of warning.
  constexpr std::size_t kMost = 20;
  std::map<std::string, std::size_t> count, last;
  std::vector<Diagnostic> kept;
  for (auto& w : warnings_) {
    if (++count[w.code] > kMost) continue;
    last[w.code] = kept.size();
    kept.push_back(std::move(w));
  }
  for (const auto& [code, n] : count)
    if (n > kMost) kept[last[code]].message += fmt::format(" (and {} more warnings {})", n - kMost, code);
  warnings_ = std::move(kept);
}

void check_devices(const NetlistAnalysis& analysis, const NetlistFiles& files, bool trust, NetlistReport& report) {
  DeviceChecker(analysis, files, trust, report).run();
}

}  // namespace errata::circuit
