#include "circuit/netlist/netlist_index.h"

#include <fmt/format.h>

#include <algorithm>

namespace errata::circuit {

namespace {

/// "nfet.12" is a bin of "nfet".
std::string base_of_bin(std::string_view model) {
  const auto dot = model.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == model.size()) return {};
  const bool number = std::ranges::all_of(model.substr(dot + 1), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::string(model.substr(0, dot)) : std::string();
}

}  // namespace

NetlistIndex::NetlistIndex(const std::vector<Statement>& statements, std::vector<Diagnostic>& problems,
                           std::vector<Diagnostic>& warnings)
    : statements_(statements), problems_(problems), warnings_(warnings) {
  lower_.reserve(statements.size());
  for (const auto& s : statements) lower_.push_back(lower_case(s.text));
  ignored_.assign(statements.size(), false);
  conditional_.assign(statements.size(), false);
  command_.assign(statements.size(), false);
  scopes_.emplace_back();
  open_ = {0};
  for (std::size_t i = 0; i < statements.size(); ++i) visit(i);
  scopes_[0].end = statements.size();
  for (std::size_t k = 1; k < open_.size(); ++k)
    problems_.push_back(netlist_problem("E209", statements[scopes_[open_[k]].begin].position,
                                        fmt::format(".subckt {} has no .ends", scopes_[open_[k]].name), ""));
  while (open_.size() > 1) {
    scopes_[open_.back()].end = statements.size() - 1;
    open_.pop_back();
  }
  mark_duplicates();
}

void NetlistIndex::visit(std::size_t i) {
  const std::string_view text = lower_[i];
  conditional_[i] = conditions_ > 0;
  if (text == ".control") in_control_ = true;
  if (in_control_) {
    command_[i] = true;
    in_control_ = text != ".endc";
    return;
  }
  if (text.front() != '.') {
    scopes_[open_.back()].devices.push_back(i);
    return;
  }
  const StatementParts parts = parts_of(text);
  const std::string_view first = parts.words.empty() ? std::string_view() : parts.words[0];
  if (first == ".subckt") return open_scope(i, parts);
  if (first == ".ends") return close_scope(i, parts);
  if (first == ".if") ++conditions_;
  if (first == ".endif") --conditions_;
  if (first == ".global") {
    for (std::size_t k = 1; k < parts.words.size(); ++k)
      if (!is_ground(parts.words[k])) globals_.emplace(parts.words[k]);
    return;
  }
  if (first == ".model" || first == ".cmodel") add_model(i, parts);
  if (first.starts_with(".para")) add_parameters(i, parts);
  if (first == ".func" && parts.words.size() > 1) scopes_[open_.back()].functions.emplace(parts.words[1]);
  scopes_[open_.back()].others.push_back(i);
}

void NetlistIndex::open_scope(std::size_t i, const StatementParts& parts) {
  Scope scope;
  scope.parent = open_.back();
  scope.begin = i;
  if (parts.words.size() > 1)
    scope.name = parts.words[1];
  else
    problems_.push_back(netlist_problem("E209", statements_[i].position, ".subckt has no name", ""));
  const Scope& outer = scopes_[scope.parent];
  scope.key = outer.key.empty() ? scope.name : outer.key + "." + scope.name;
  for (std::size_t k = 2; k < parts.words.size(); ++k) scope.pins.emplace_back(parts.words[k]);
  for (const auto& [name, value] : parts.pairs) scope.parameters.emplace(name, value);
  scope.duplicate = outer.duplicate || !scopes_[scope.parent].children.emplace(scope.name, scopes_.size()).second;
  open_.push_back(scopes_.size());
  scopes_.push_back(std::move(scope));
}

void NetlistIndex::close_scope(std::size_t i, const StatementParts& parts) {
  if (open_.size() == 1) {
    problems_.push_back(netlist_problem("E209", statements_[i].position, ".ends without .subckt", ""));
    ignored_[i] = true;
    return;
  }
  Scope& scope = scopes_[open_.back()];
  if (parts.words.size() > 1 && parts.words[1] != scope.name)
    warnings_.push_back(netlist_warning("W221", statements_[i].position,
                                        fmt::format(".ends {} closes .subckt {}", parts.words[1], scope.name),
                                        "is an .ends missing before?"));
  scope.end = i;
  open_.pop_back();
}

void NetlistIndex::add_model(std::size_t i, const StatementParts& parts) {
  if (parts.words.size() < 2) return;
  Scope& scope = scopes_[open_.back()];
  const std::string name(parts.words[1]);
  auto& same = scope.models[name];
  if (!same.empty() && !conditional_[i]) {
    ignored_[i] = true;  // ngspice takes the first
    if (lower_[i] != lower_[same.front()])
      warnings_.push_back(netlist_warning("W224", statements_[i].position,
                                          fmt::format("model '{}' is defined twice; the first one counts", name),
                                          fmt::format("the first: {}:{}", statements_[same.front()].position.file,
                                                      statements_[same.front()].position.line)));
    return;
  }
  same.push_back(i);
  if (const std::string base = base_of_bin(name); !base.empty()) scope.bins[base].push_back(i);
}

void NetlistIndex::add_parameters(std::size_t i, const StatementParts& parts) {
  Scope& scope = scopes_[open_.back()];
  const std::string& text = lower_[i];
  const auto parenthesis = text.find('('), equals = text.find('=');
  if (parenthesis < equals && parts.words.size() > 1) {  // .param f(x,y) = '…' is a function
    scope.functions.emplace(parts.words[1]);
    return;
  }
  for (const auto& [name, value] : parts.pairs)
    scope.parameters.insert_or_assign(std::string(name), std::string(value));
}

void NetlistIndex::mark_duplicates() {
  for (const Scope& scope : scopes_) {
    if (!scope.duplicate || scopes_[scope.parent].duplicate) continue;
    for (std::size_t i = scope.begin; i <= scope.end; ++i) ignored_[i] = true;
    const Scope& first = scopes_[scopes_[scope.parent].children.at(scope.name)];
    const bool same = std::ranges::equal(std::span(lower_).subspan(first.begin, first.end - first.begin + 1),
                                         std::span(lower_).subspan(scope.begin, scope.end - scope.begin + 1));
    if (same) continue;  // a file that was included twice
    const SourcePosition& where = statements_[first.begin].position;
    warnings_.push_back(
        netlist_warning("W224", statements_[scope.begin].position,
                        fmt::format("subcircuit '{}' is defined twice; the first one counts", scope.name),
                        fmt::format("the first: {}:{}", where.file, where.line)));
  }
}

std::size_t NetlistIndex::find_subcircuit(std::size_t scope, std::string_view name) const {
  const std::string key(name);
  for (;; scope = scopes_[scope].parent) {
    const auto found = scopes_[scope].children.find(key);
    if (found != scopes_[scope].children.end()) return found->second;
    if (scope == 0) return 0;
  }
}

const std::vector<std::size_t>* NetlistIndex::find_model(std::size_t scope, std::string_view name) const {
  const std::string key(name);
  for (;; scope = scopes_[scope].parent) {
    for (const auto* models : {&scopes_[scope].models, &scopes_[scope].bins})
      if (const auto found = models->find(key); found != models->end()) return &found->second;
    if (scope == 0) return nullptr;
  }
}

}  // namespace errata::circuit
