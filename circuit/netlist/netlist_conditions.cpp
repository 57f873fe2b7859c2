#include "circuit/netlist/netlist_conditions.h"

#include <fmt/format.h>

#include <algorithm>

#include "circuit/netlist/netlist_expression.h"

namespace errata::circuit {

namespace {

std::string_view condition_of(const Statement& s, std::string_view first) {
  return trimmed(std::string_view(s.text).substr(first.size()));
}

/// ngspice wants `.if (…)` without quotes.
Statement with_parentheses(Statement s, std::string_view first) {
  std::string inside(condition_of(s, first));
  std::erase_if(inside, [](char c) { return c == '\'' || c == '{' || c == '}'; });
  s.text = fmt::format("{} ({})", first, inside);
  s.first_line_length = 0;
  return s;
}

}  // namespace

void NetlistConditions::report(std::string code, const SourcePosition& at, std::string message,
                               std::string hint) const {
  problems_.push_back(netlist_problem(std::move(code), at, std::move(message), std::move(hint)));
}

bool NetlistConditions::active() const {
  return std::ranges::all_of(open_, [](const Condition& c) { return c.active; });
}

bool NetlistConditions::decided_by_ngspice() const {
  return std::ranges::any_of(open_, [](const Condition& c) { return !c.decided_here; });
}

std::optional<Statement> NetlistConditions::take(const Statement& s, const std::string& first) {
  if (first == ".if") return open(s);
  if (open_.empty()) {
    report("E209", s.position, fmt::format("{} without .if", first), "");
    return std::nullopt;
  }
  Condition& c = open_.back();
  const bool by_ngspice = !c.decided_here;
  if (first == ".endif") {
    open_.pop_back();
    return by_ngspice ? std::optional(s) : std::nullopt;
  }
  if (by_ngspice) return first == ".else" ? s : with_parentheses(s, first);
  const bool outside_active = std::all_of(open_.begin(), open_.end() - 1, [](auto& o) { return o.active; });
  c.active = !c.taken && (first == ".else" || (outside_active && is_true(s, first)));
  c.taken = c.taken || c.active;
  return std::nullopt;
}

std::optional<Statement> NetlistConditions::open(const Statement& s) {
  Condition c{.position = s.position};
  const bool read = active();
  std::optional<Statement> kept;
  if (read && depends_on_instance(s)) {
    if (decided_by_ngspice())
      report("E206", s.position, "ngspice reads a nested .if whatever the outer condition is",
             "join the conditions with &&");
    c.decided_here = false;
    kept = with_parentheses(s, ".if");
  } else {
    c.active = c.taken = read && is_true(s, ".if");
  }
  open_.push_back(std::move(c));
  return kept;
}

bool NetlistConditions::depends_on_instance(const Statement& s) const {
  if (locals_.empty()) return false;
  for (const auto& name : names_of_expression(condition_of(s, ".if"))) {
    const std::string lower = lower_case(name.name);
    if (std::ranges::any_of(locals_, [&](const auto& names) { return names.contains(lower); })) return true;
    if (!name.is_function && !parameters_.contains(lower)) return true;  // a caller's parameter
  }
  return false;
}

std::optional<double> NetlistConditions::value_of(std::string_view expression) const {
  return evaluate_expression(
      expression,
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = parameters_.find(name);
        if (found == parameters_.end()) return std::nullopt;
        return found->second;
      },
      dialect_);
}

bool NetlistConditions::is_true(const Statement& s, std::string_view first) {
  const std::string_view expression = condition_of(s, first);
  const auto value = value_of(expression);
  if (!value) {
    report("E206", s.position, fmt::format("cannot compute the condition {}", expression),
           "it may use numbers and parameters that are defined before it");
    return false;
  }
  decided_.push_back({s.position, std::string(expression), *value != 0, inside_subcircuit()});
  return *value != 0;
}

void NetlistConditions::note_parameters(const Statement& s) {
  for (const auto& [name, value] : parts_of(s.text).pairs) {
    const std::string lower = lower_case(name);
    if (lower.starts_with("errata_"))
      report("E206", s.position, fmt::format("parameter '{}': names that begin with errata_ are errata's own", name),
             "");
    if (locals_.empty()) {
      parameters_[lower] = std::string(value);
    } else {
      locals_.back().insert(lower);
      all_locals_.insert(lower);
    }
  }
}

void NetlistConditions::close_down_to(std::size_t depth) {
  while (open_.size() > depth) {
    report("E209", open_.back().position, ".if has no .endif", "");
    open_.pop_back();
  }
}

void NetlistConditions::check() const {
  for (const auto& d : decided_) {
    const auto value = value_of(d.expression);
    if (!value || (*value != 0) != d.value)
      report("E206", d.position, fmt::format("the condition {} is changed by a later .param", d.expression),
             "define its parameters once, before it");
    if (!d.inside) continue;
    for (const auto& name : names_of_expression(d.expression))
      if (all_locals_.contains(lower_case(name.name)))
        report("E206", d.position,
               fmt::format("'{}' of the condition {} is a parameter of a subcircuit too", name.name, d.expression),
               "give one of them another name");
  }
}

}  // namespace errata::circuit
