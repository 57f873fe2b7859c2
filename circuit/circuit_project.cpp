#include "circuit/circuit_project.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "circuit/compose.h"
#include "circuit/netlist_roles.h"
#include "core/hardware_scheme.h"

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

const std::string kSwitchPrefix = "switch.";

/// A star stays within one level of the instance tree: "x*.m1" is "x2.m1", not "x2.x3.m1".
bool fits(std::string pattern, std::string path) {
  std::ranges::replace(pattern, '.', '/');
  std::ranges::replace(path, '.', '/');
  return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

class Reader {
 public:
  Reader(const Settings& settings, CircuitProject& project) : s_(settings), p_(project) {}

  /// "m*" becomes one term for each device of the cell (or of the reset switch) that it fits.
  void expand_patterns() {
    std::vector<MismatchTerm> all;
    for (std::size_t i = 0; i < p_.mismatch.size(); ++i) {
      const MismatchTerm& term = p_.mismatch[i];
      const auto found = p_.netlist.subcircuits.find(term.in_switch() ? p_.deck.reset_switch : p_.deck.cell);
      if (term.device.find_first_of("*?") == std::string::npos || found == p_.netlist.subcircuits.end()) {
        all.push_back(term);
        setting_.push_back(i);
        continue;
      }
      const std::string prefix = term.in_switch() ? kSwitchPrefix : "";
      bool any = false;
      for (const LeafDevice& leaf : leaf_devices(p_.netlist, found->first)) {
        if (!fits(term.device.substr(prefix.size()), leaf.path)) continue;
        MismatchTerm one = term;
        one.device = prefix + leaf.path;
        one.name += "." + leaf.path;
        all.push_back(std::move(one));
        setting_.push_back(i);
        any = true;
      }
      if (!any) report_setting(i, "device", fmt::format("no device of '{}' fits '{}'", found->first, term.device), "");
    }
    p_.mismatch = std::move(all);
  }

  /// [[circuit.correlation]] as one factor over all terms: L with L Lᵀ the matrix of coefficients.
  void correlate() {
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

  void collect_terms() {
    const bool stores_in_device = p_.deck.storage.kind == Storage::Kind::kInstanceParameter;
    p_.cell.slots = {stores_in_device ? CellSlot{p_.deck.storage.device, p_.deck.storage.parameter} : CellSlot{}};
    p_.cell.nominal = {0.0};
    for (std::size_t t = 0; t < p_.mismatch.size(); ++t) {
      const MismatchTerm& term = p_.mismatch[t];
      if (term.in_switch())
        add(p_.reset_switch, t, {term.device.substr(kSwitchPrefix.size()), term.parameter});
      else if (!term.in_periphery())
        add(p_.cell, t, {term.device, term.parameter});
    }
  }

  std::vector<Diagnostic> check() {
    const auto more = check_against_netlist(p_.netlist, p_.deck, p_.cell.slots, p_.reset_switch.slots, s_);
    problems_.insert(problems_.end(), more.begin(), more.end());
    for (std::size_t i = 0; i < p_.mismatch.size(); ++i) check_term(i, p_.mismatch[i]);
    return std::move(problems_);
  }

  /// A lognormal draw on a nominal value of 0 does nothing; known only once every nominal value is.
  std::vector<Diagnostic> check_lognormal() {
    problems_.clear();
    for (const VariedParameters* part : {&p_.cell, &p_.reset_switch})
      for (std::size_t k = 0; k < part->terms.size(); ++k) {
        const MismatchTerm& term = p_.mismatch[part->terms[k]];
        const bool weight = part == &p_.cell && part->slot_of_term[k] == 0;
        if (weight || !term.lognormal || part->nominal[part->slot_of_term[k]] != 0.0) continue;
        report(
            part->terms[k],
            fmt::format("{} of {} has nominal value 0, so a lognormal draw does nothing", term.parameter, term.device),
            "use distribution = \"normal\", or move the parameter that stores the weight");
      }
    return std::move(problems_);
  }

  /// σ of Pelgrom's law where the gate's width and length are the netlist's.
  void find_gate_areas(const RunContext& context) {
    std::vector<std::string> cell, reset;
    for (const MismatchTerm& term : p_.mismatch)
      if (term.sigma.empty())
        for (const char* size : {"w", "l"})
          (term.in_switch() ? reset : cell)
              .push_back(fmt::format("@{}[{}]", expanded_name(term.in_switch(), inner_device(term)), size));
    const auto values = [&](const std::vector<std::string>& names, const Deck& deck) {
      return names.empty() ? std::vector<double>{} : nominal_values(deck, names, context);
    };
    const auto cell_sizes = values(cell, compose_cell(p_.netlist, p_.deck, p_.cell.slots));
    const auto reset_sizes = reset.empty() ? std::vector<double>{}
                                           : values(reset, compose_switch(p_.netlist, p_.deck, p_.reset_switch.slots));
    std::size_t next_cell = 0, next_reset = 0;
    for (MismatchTerm& term : p_.mismatch) {
      if (!term.sigma.empty()) continue;
      const double* size = term.in_switch() ? reset_sizes.data() + next_reset : cell_sizes.data() + next_cell;
      (term.in_switch() ? next_reset : next_cell) += 2;
      term.sigma = {term.pelgrom_volt_metres / std::sqrt(size[0] * size[1])};
    }
  }

  /// Asks ngspice for the nominal values that are not the same for every device.
  void find_nominal_values(const RunContext& context) {
    find(p_.cell, compose_cell(p_.netlist, p_.deck, p_.cell.slots), 1, context);
    if (!p_.deck.reset_switch.empty())
      find(p_.reset_switch, compose_switch(p_.netlist, p_.deck, p_.reset_switch.slots), 0, context);
  }

 private:
  static void add(VariedParameters& part, std::size_t term, CellSlot slot) {
    auto found = std::ranges::find(part.slots, slot);
    if (found == part.slots.end()) {
      part.nominal.push_back(nominal_of(slot.parameter).value_or(std::nan("")));
      part.slots.push_back(std::move(slot));
      found = part.slots.end() - 1;
    }
    part.terms.push_back(term);
    part.slot_of_term.push_back(static_cast<std::size_t>(found - part.slots.begin()));
  }

  std::optional<std::size_t> term_named(const std::string& path) {
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

  void report_at(const std::string& path, std::string code, std::string message, std::string hint) {
    problems_.push_back(Diagnostic{.code = std::move(code),
                                   .position = s_.value(path).position,
                                   .message = std::move(message),
                                   .hint = std::move(hint)});
  }
  void report_setting(std::size_t entry, const char* key, std::string message, std::string hint) {
    const std::string path = fmt::format("circuit.mismatch[{}].{}", entry, key);
    report_at(path, "E208", std::move(message), std::move(hint));
  }
  void report(std::size_t term, std::string message, std::string hint) {
    report_setting(setting_[term], "parameter", std::move(message), std::move(hint));
  }
  static std::string inner_device(const MismatchTerm& term) {
    return term.in_switch() ? term.device.substr(kSwitchPrefix.size()) : term.device;
  }

  /// Of a device of the reset switch or of the cell in the decks that nominal values are taken from.
  std::string expanded_name(bool in_switch, const std::string& device) const {
    return in_switch ? expanded_device_name(p_.netlist, p_.deck.reset_switch, "xreset", device)
                     : expanded_device_name(p_.netlist, p_.deck.cell, "x1", device);
  }

  void check_term(std::size_t i, const MismatchTerm& term) {
    const auto known = periphery_parameters().find(term.device);
    if (known == periphery_parameters().end()) return;
    const bool current = p_.deck.read == ReadMode::kCurrent;
    if (term.device == "source_line")
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

  void find(VariedParameters& part, const Deck& deck, std::size_t first, const RunContext& context) const {
    std::vector<std::string> targets;
    for (std::size_t i = first; i < part.slots.size(); ++i)
      if (std::isnan(part.nominal[i]))
        targets.push_back(fmt::format("@{}[{}]", expanded_name(&part == &p_.reset_switch, part.slots[i].device),
                                      part.slots[i].parameter));
    if (targets.empty()) return;
    const auto values = nominal_values(deck, targets, context);
    std::size_t at = 0;
    for (std::size_t i = first; i < part.slots.size(); ++i)
      if (std::isnan(part.nominal[i])) part.nominal[i] = values[at++];
  }

  const Settings& s_;
  CircuitProject& p_;
  std::vector<std::size_t> setting_;  ///< which entry of [[circuit.mismatch]] a term comes from
  std::vector<Diagnostic> problems_;
};

/// A behavioural source has no noise in ngspice, so noise must be declared beside it.
void warn_of_silent_sources(const Settings& s, const CircuitProject& p, const RunContext& context) {
  const auto cell = p.netlist.subcircuits.find(p.deck.cell);
  if (cell == p.netlist.subcircuits.end() || s.count("circuit.noise_source") > 0) return;
  for (const LeafDevice& leaf : leaf_devices(p.netlist, cell->first))
    if (leaf.type == 'b')
      context.warn(Diagnostic{.severity = Diagnostic::Severity::kWarning,
                              .code = "W211",
                              .position = cell->second.position,
                              .message = fmt::format("ngspice gives the behavioural source '{}' no noise", leaf.path),
                              .hint = "declare its noise as a [[circuit.noise_source]]"});
}

}  // namespace

std::vector<double> VariedParameters::values(const std::vector<MismatchTerm>& all, std::size_t level,
                                             std::span<const double> draws) const {
  std::vector<double> normal(slots.size(), 0.0), lognormal(slots.size(), 0.0), out(slots.size());
  for (std::size_t t = 0; t < terms.size(); ++t) {
    const MismatchTerm& term = all[terms[t]];
    (term.lognormal ? lognormal : normal)[slot_of_term[t]] += term.sigma_at(level) * draws[t];
  }
  for (std::size_t s = 0; s < slots.size(); ++s)
    out[s] = moved_value(s == 0 && !weight_levels.empty() ? weight_levels[level] : nominal[s], normal[s], lognormal[s]);
  return out;
}

CircuitProject read_circuit_project(const Settings& s, const RunContext& context) {
  CircuitProject p;
  p.deck = deck_options(s);
  NetlistOptions options{.trust = s.trusts_netlist(),
                         .corner = s.has("circuit.corner") ? s.text("circuit.corner") : std::string(),
                         .compatibility = p.deck.compatibility,
                         .roots = {p.deck.cell}};
  if (!p.deck.reset_switch.empty()) options.roots.push_back(p.deck.reset_switch);
  p.netlist = read_netlist(s.folder() / s.text("circuit.netlist"), options);
  for (const auto& warning : p.netlist.warnings) context.warn(warning);
  warn_of_silent_sources(s, p, context);
  p.cell.weight_levels = s.numbers("circuit.weight.levels");
  p.mismatch = mismatch_terms(s, p.cell.weight_levels.size());
  p.noise = noise_sources(s);
  p.branches = branches_of(signed_scheme(s.text("hardware.signed_scheme")));
  p.campaign = {.deadline_seconds = s.number("circuit.deadline"),
                .retries = static_cast<int>(s.integer("circuit.retries")),
                .tolerated_failures = s.number("circuit.tolerated_failures")};
  Reader reader(s, p);
  reader.expand_patterns();
  reader.correlate();
  reader.collect_terms();
  throw_if_errors(reader.check());
  reader.find_gate_areas(context);
  reader.find_nominal_values(context);
  throw_if_errors(reader.check_lognormal());
  const auto rows = static_cast<std::size_t>(s.integer("array.rows"));
  const bool current = p.deck.read == ReadMode::kCurrent;
  const auto unselected = static_cast<std::size_t>(s.integer("array.unselected_rows"));
  const double longest = p.deck.input.active_seconds(p.deck.input.count() - 1, p.deck.timing.pulse);
  p.array = {.rows = rows,
             .unselected_rows = unselected,
             .dummy_rows = p.deck.idle_rows - unselected,
             .input = p.deck.input,
             .read = p.deck.read,
             .wire_ohms = p.deck.wire_ohms,
             .source_line_ohms = p.deck.source_line_pin.empty() ? 0.0 : p.deck.source_line_ohms,
             .clamp_ohms = p.deck.clamp_ohms,
             .clamp_volts = s.number("array.clamp_voltage"),
             .temperature_kelvin = p.deck.temperature_kelvin,
             .bandwidth_hertz = 0.5 / (current ? s.number("circuit.noise.integration_time") : longest),
             .precharge_volts = p.deck.precharge_volts,
             .line_farads = p.deck.line_farads + static_cast<double>(rows + p.deck.idle_rows) * p.deck.wire_farads,
             .pulse_seconds = longest};
  return p;
}

}  // namespace errata::circuit
