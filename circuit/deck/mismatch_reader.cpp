#include "circuit/deck/mismatch_reader.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>

#include "circuit/deck/compose.h"
#include "circuit/deck/deck_check.h"
#include "circuit/netlist/netlist_expression.h"
#include "circuit/netlist/netlist_roles.h"

namespace errata::circuit {

namespace {

/// Nominal value of an instance parameter that is the same for every device.
std::optional<double> nominal_of(const std::string& parameter) {
  if (parameter == "delvto" || parameter == "dtemp") return 0.0;
  if (parameter == "mulu0" || parameter == "m") return 1.0;
  return std::nullopt;
}

/// What the periphery's devices can be moved by.
const std::map<std::string, std::vector<std::string>>& periphery_parameters() {
  static const std::map<std::string, std::vector<std::string>> all = {
      {"clamp", {"voltage", "resistance", "offset_current"}},
      {"precharge", {"voltage"}},
      {"sense", {"offset_voltage"}},
      {"source_line", {}}};
  return all;
}

/// A star stays within one level of the instance tree: "x*.m1" is "x2.m1", not "x2.x3.m1".
bool fits(std::string pattern, std::string path) {
  std::ranges::replace(pattern, '.', '/');
  std::ranges::replace(path, '.', '/');
  return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

bool has_row(const std::string& name) { return name.find("{row}") != std::string::npos; }

}  // namespace

MismatchReader::MismatchReader(const Settings& settings, CircuitProject& project)
    : s_(settings),
      p_(project),
      parts_{{"", p_.deck.subcircuit, p_.deck.whole_column ? "xdut" : "x1", &p_.cell},
             {MismatchTerm::kSwitch, p_.deck.reset_switch, "xreset", &p_.reset_switch},
             {MismatchTerm::kColumnSwitch, p_.deck.column_switch, "xcol", &p_.column_switch},
             {MismatchTerm::kColumn, p_.deck.whole_column ? p_.deck.subcircuit : "", "xdut", &p_.column}} {}

void MismatchReader::expand_patterns() {
  std::vector<MismatchTerm> all;
  for (std::size_t i = 0; i < p_.mismatch.size(); ++i) {
    MismatchTerm term = p_.mismatch[i];
    if (p_.deck.whole_column && !term.in_periphery() && !has_row(term.device) && !has_row(term.parameter))
      term.device = MismatchTerm::kColumn + term.device;
    const Part& part = part_of(term);
    const auto found = p_.netlist.subcircuits.find(part.subcircuit);
    if (term.device.find_first_of("*?") == std::string::npos || found == p_.netlist.subcircuits.end()) {
      all.push_back(term);
      setting_.push_back(i);
      continue;
    }
    bool any = false;
    for (const auto& device : devices_that_fit(inner_device(term), found->first)) {
      MismatchTerm one = term;
      one.device = part.prefix + device;
      one.name += "." + device;
      all.push_back(std::move(one));
      setting_.push_back(i);
      any = true;
    }
    if (!any)
      report_setting(i, "device", fmt::format("no device of '{}' fits '{}'", found->first, inner_device(term)), "");
  }
  p_.mismatch = std::move(all);
}

void MismatchReader::correlate() {
  const std::size_t pairs = s_.count("circuit.correlation"), n = p_.mismatch.size();
  if (pairs == 0) return;
  Eigen::MatrixXd r = Eigen::MatrixXd::Identity(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(n));
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::string at = fmt::format("circuit.correlation[{}]", i);
    const auto a = term_named(at + ".first"), b = term_named(at + ".second");
    if (!a || !b) continue;
    if (p_.mismatch[*a].scope != p_.mismatch[*b].scope || *a == *b)
      report_at(at + ".second", "E208", "only different terms of one scope can be correlated", "");
    const auto row = static_cast<Eigen::Index>(*a), column = static_cast<Eigen::Index>(*b);
    r(row, column) = r(column, row) = s_.number(at + ".coefficient");
  }
  const Eigen::LLT<Eigen::MatrixXd> factor(r);
  if (factor.info() != Eigen::Success) {
    report_at("circuit.correlation[0].coefficient", "E208",
              "the coefficients of [[circuit.correlation]] contradict each other",
              "the matrix they form must be positive definite");
    return;
  }
  const Eigen::MatrixXd l = factor.matrixL();
  for (std::size_t t = 0; t < n; ++t) {
    const auto row = static_cast<Eigen::Index>(t);
    if (l.row(row).head(row).isZero()) continue;
    for (Eigen::Index k = 0; k <= row; ++k) p_.mismatch[t].mix.push_back(l(row, k));
  }
}

void MismatchReader::collect_terms() {
  p_.cell.slots = {stored_level_slot(p_.deck)};
  p_.cell.nominal = {0.0};
  for (std::size_t t = 0; t < p_.mismatch.size(); ++t) {
    const MismatchTerm& term = p_.mismatch[t];
    const Part& part = part_of(term);
    if (part.prefix.empty() && term.in_periphery()) continue;
    add(part, t, {inner_device(term), term.parameter, owner_of(part, inner_device(term))});
  }
}

std::vector<Diagnostic> MismatchReader::check() {
  const auto more = check_against_netlist(p_.netlist, p_.deck, p_.slots(), rows(), s_);
  problems_.insert(problems_.end(), more.begin(), more.end());
  for (std::size_t i = 0; i < p_.mismatch.size(); ++i) check_term(i, p_.mismatch[i]);
  return std::move(problems_);
}

std::vector<Diagnostic> MismatchReader::check_lognormal() {
  problems_.clear();
  for (const Part& part : parts_)
    for (std::size_t k = 0; k < part.values->terms.size(); ++k) {
      const MismatchTerm& term = p_.mismatch[part.values->terms[k]];
      const std::size_t slot = part.values->slot_of_term[k];
      const bool weight = part.values == &p_.cell && slot == 0;
      if (weight || !term.lognormal || part.values->nominal_at(0, slot) != 0.0) continue;
      report(part.values->terms[k],
             fmt::format("{} of {} has nominal value 0, so a lognormal draw does nothing", term.parameter, term.device),
             "use distribution = \"normal\", or move the parameter that stores the weight");
    }
  return std::move(problems_);
}

void MismatchReader::find_gate_areas(const RunContext& context) {
  for (const Part& part : parts_) {
    std::vector<std::string> names;
    std::vector<MismatchTerm*> terms;
    for (const std::size_t t : part.values->terms) {
      MismatchTerm& term = p_.mismatch[t];
      if (!term.sigma.empty()) continue;
      terms.push_back(&term);
      for (const char* size : {"w", "l"})
        names.push_back(fmt::format("@{}[{}]", device_name(part, numbered(inner_device(term), p_.deck, 0, 0)), size));
    }
    if (terms.empty()) continue;
    const auto sizes = nominal_values(deck_of(part), names, context);
    for (std::size_t i = 0; i < terms.size(); ++i)
      terms[i]->sigma = {terms[i]->pelgrom_volt_metres / std::sqrt(sizes[2 * i] * sizes[2 * i + 1])};
  }
}

void MismatchReader::find_nominal_values(const RunContext& context) {
  for (const Part& part : parts_) {
    VariedParameters& v = *part.values;
    const std::size_t slots = v.slots.size(), first = &v == &p_.cell ? 1 : 0;
    const std::size_t rows = &v == &p_.cell && p_.deck.whole_column ? this->rows() : 1;
    if (rows > 1)
      for (std::size_t i = slots; i < rows * slots; ++i) v.nominal.push_back(v.nominal[i % slots]);
    std::vector<std::string> targets;
    std::vector<std::size_t> places;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = first; i < slots; ++i) {
        if (!std::isnan(v.nominal[r * slots + i])) continue;
        places.push_back(r * slots + i);
        targets.push_back(target(part, v.slots[i], r));
      }
    if (targets.empty()) continue;
    const auto values = nominal_values(deck_of(part), targets, context);
    for (std::size_t k = 0; k < places.size(); ++k) v.nominal[places[k]] = values[k];
  }
}

std::size_t MismatchReader::rows() const { return static_cast<std::size_t>(s_.integer("array.rows")); }

const MismatchReader::Part& MismatchReader::part_of(const MismatchTerm& term) const {
  for (const Part& part : parts_)
    if (!part.prefix.empty() && term.device.starts_with(part.prefix)) return part;
  return parts_.front();
}

std::vector<std::string> MismatchReader::devices_that_fit(const std::string& pattern,
                                                          const std::string& subcircuit) const {
  const auto mark = pattern.find("{row}");
  const std::string whole = numbered(pattern, p_.deck, 0, 0);
  const std::size_t digits = std::to_string(p_.deck.first_index).size();
  std::vector<std::string> found;
  for (const LeafDevice& leaf : leaf_devices(p_.netlist, subcircuit)) {
    if (!fits(whole, leaf.path)) continue;
    found.push_back(mark == std::string::npos ? leaf.path
                                              : leaf.path.substr(0, mark) + "{row}" + leaf.path.substr(mark + digits));
  }
  return found;
}

CellSlot::Owner MismatchReader::owner_of(const Part& part, const std::string& device) const {
  if (device == part.subcircuit) return CellSlot::Owner::kSubcircuit;
  const std::string first = numbered(device, p_.deck, 0, 0);
  return find_device(p_.netlist, part.subcircuit, first) == nullptr && has_model(p_.netlist, part.subcircuit, first)
             ? CellSlot::Owner::kModel
             : CellSlot::Owner::kDevice;
}

void MismatchReader::add(const Part& part, std::size_t term, CellSlot slot) {
  VariedParameters& v = *part.values;
  auto found = std::ranges::find(v.slots, slot);
  if (found == v.slots.end()) {
    v.nominal.push_back(known_nominal(part, term, slot));
    v.slots.push_back(std::move(slot));
    found = v.slots.end() - 1;
  }
  v.terms.push_back(term);
  v.slot_of_term.push_back(static_cast<std::size_t>(found - v.slots.begin()));
}

double MismatchReader::known_nominal(const Part& part, std::size_t term, const CellSlot& slot) {
  if (p_.mismatch[term].nominal) return *p_.mismatch[term].nominal;
  if (slot.owner == CellSlot::Owner::kDevice) return nominal_of(slot.parameter).value_or(std::nan(""));
  if (slot.owner == CellSlot::Owner::kModel) return std::nan("");
  const auto sub = p_.netlist.subcircuits.find(part.subcircuit);
  if (sub == p_.netlist.subcircuits.end()) return 0.0;
  const auto given = sub->second.parameters.find(numbered(slot.parameter, p_.deck, 0, 0));
  if (given == sub->second.parameters.end()) return 0.0;  // check_against_netlist complains
  const auto value = spice_number(given->second);
  if (!value)
    report(term,
           fmt::format("the netlist gives {} of '{}' by an expression, so its nominal value is not known",
                       slot.parameter, part.subcircuit),
           "add nominal = to this [[circuit.mismatch]]");
  return value.value_or(0.0);
}

Deck MismatchReader::deck_of(const Part& part) const {
  if (part.values == &p_.reset_switch) return compose_switch(p_.netlist, p_.deck, p_.reset_switch.slots);
  if (part.values == &p_.cell && !p_.deck.whole_column) return compose_cell(p_.netlist, p_.deck, p_.cell.slots);
  return compose_column(p_.netlist, p_.deck, p_.slots(), p_.deck.whole_column ? rows() : 1);
}

std::string MismatchReader::device_name(const Part& part, const std::string& device) const {
  return expanded_device_name(p_.netlist, part.subcircuit, part.instance, device);
}

std::string MismatchReader::target(const Part& part, const CellSlot& slot, std::size_t row) const {
  const std::string device = numbered(slot.device, p_.deck, row, 0);
  return fmt::format("@{}[{}]",
                     slot.owner == CellSlot::Owner::kModel
                         ? expanded_model_name(p_.netlist, part.subcircuit, part.instance, device)
                         : device_name(part, device),
                     numbered(slot.parameter, p_.deck, row, 0));
}

std::optional<std::size_t> MismatchReader::term_named(const std::string& path) {
  const std::string& name = s_.text(path);
  std::vector<std::string> names;
  for (std::size_t t = 0; t < p_.mismatch.size(); ++t) {
    if (p_.mismatch[t].name == name) return t;
    names.push_back(p_.mismatch[t].name);
  }
  report_at(path, "E208", fmt::format("no mismatch term is called '{}'", name),
            fmt::format("there are: {}", fmt::join(names, ", ")));
  return std::nullopt;
}

void MismatchReader::report_at(const std::string& path, std::string code, std::string message, std::string hint) {
  problems_.push_back(Diagnostic{.code = std::move(code),
                                 .position = s_.value(path).position,
                                 .message = std::move(message),
                                 .hint = std::move(hint)});
}

void MismatchReader::report_setting(std::size_t entry, const char* key, std::string message, std::string hint) {
  const std::string path = fmt::format("circuit.mismatch[{}].{}", entry, key);
  report_at(path, "E208", std::move(message), std::move(hint));
}

void MismatchReader::report(std::size_t term, std::string message, std::string hint) {
  report_setting(setting_[term], "parameter", std::move(message), std::move(hint));
}

void MismatchReader::check_term(std::size_t i, const MismatchTerm& term) {
  const auto known = periphery_parameters().find(term.device);
  if (known == periphery_parameters().end()) return;
  const bool current = p_.deck.read == ReadMode::kCurrent;
  if (p_.deck.periphery == Periphery::kNetlist)
    report(i, fmt::format("with array.periphery = \"netlist\" errata adds no {}", term.device),
           "name the device of the netlist's own periphery");
  else if (term.device == "source_line")
    report(i, "the source line has no mismatch parameter yet", "");
  else if ((term.device == "clamp") != current)
    report(i, fmt::format("a column with circuit.read = \"{}\" has no {}", s_.text("circuit.read"), term.device),
           current ? "its periphery is the clamp" : "its periphery is precharge, sense and switch.DEVICE");
  else if (std::ranges::find(known->second, term.parameter) == known->second.end())
    report(i, fmt::format("the {} has no parameter '{}'", term.device, term.parameter),
           fmt::format("it has: {}", fmt::join(known->second, ", ")));
  else if (term.parameter.starts_with("offset_") && term.lognormal)
    report(
        i,
        fmt::format("the {}'s {} has nominal value 0, so a lognormal draw does nothing", term.device, term.parameter),
        "use distribution = \"normal\"");
}

}  // namespace errata::circuit
