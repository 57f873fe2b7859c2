#include "circuit/netlist/netlist_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "circuit/netlist/netlist_expression.h"

namespace errata::circuit {

namespace {

using Table = std::map<std::string_view, Policy>;

void add(Table& table, Policy policy, std::initializer_list<std::string_view> words) {
  for (const auto word : words) table.emplace(word, policy);
}

Table build() {
  Table t;
  add(t, {Treatment::kKeep, "", ""},
      {".model", ".cmodel", ".subckt", ".ends", ".global", ".func", ".if", ".elseif", ".else", ".endif"});
  // Analyses and outputs of ngspice, HSPICE, PSPICE and LTspice.
  add(t, {Treatment::kDrop, "", ""},
      {".op",          ".tran",       ".dc",       ".ac",       ".noise",      ".tf",       ".sens",
       ".pz",          ".disto",      ".pss",      ".sp",       ".hb",         ".print",    ".plot",
       ".measure",     ".meas",       ".save",     ".end",      ".probe",      ".four",     ".fourier",
       ".width",       ".title",      ".graph",    ".lprint",   ".dout",       ".stim",     ".fft",
       ".step",        ".mc",         ".wcase",    ".backanno", ".wave",       ".net",      ".text",
       ".machine",     ".savebias",   ".loadbias", ".store",    ".load",       ".biaschk",  ".check",
       ".dcmatch",     ".acmatch",    ".lin",      ".sn",       ".phasenoise", ".stateye",  ".pat",
       ".vec",         ".mosra",      ".watch",    ".aliases",  ".endaliases", ".prot",     ".unprot",
       ".protect",     ".unprotect",  ".endc",     ".sample",   ".ferret",     ".iplot",    ".lstb",
       ".autoconvert", ".option_end", ".mismatch", ".env",      ".trannoise",  ".ptdnoise", ".distribution",
       ".stimulus"});
  add(t, {Treatment::kDropAndWarn, "the temperature is circuit.temperature", ""}, {".temp"});
  add(t, {Treatment::kDropAndWarn, "it belongs to the circuit around the cell, which errata writes", ""},
      {".ic", ".nodeset", ".dcvolt"});
  add(t, {Treatment::kDropBlock, "swept data belong to an analysis", ".enddata"}, {".data"});
  add(t, {Treatment::kDropBlock, "variation is drawn by errata: [[circuit.mismatch]]", ".end_variation"},
      {".variation"});
  add(t,
      {Treatment::kDropRest, "what follows alters the circuit for another run; use circuit.corner or another project",
       ""},
      {".alter"});
  add(t, {Treatment::kRefuseIfNeeded, "Verilog-A (OSDI) models are not in Debian's ngspice", ""},
      {".hdl", ".osdi", ".pre_osdi", ".verilog", ".va"});
  add(t, {Treatment::kRefuse, "ngspice 39 has no such statement", ""},
      {".connect", ".malias", ".alias", ".appendmodel", ".del", ".ibis", ".icm", ".ebd", ".pkg", ".vector"});
  add(t, {Treatment::kRefuse, "it is Spectre's; a SPICE netlist is needed", ""}, {".simulator"});
  return t;
}

/// The value of key=… in a card, without braces.
std::string_view value_of(const StatementParts& parts, std::string_view key) {
  for (const auto& [name, value] : parts.pairs)
    if (name == key) return value;
  return {};
}

std::string_view name_of_level(int level, bool mosfet) {
  struct Entry {
    int level;
    std::string_view name;
  };
  static constexpr Entry kMosfets[] = {{13, "HSPICE's BSIM1"},
                                       {15, "BSIM5"},
                                       {16, "BSIM-BULK"},
                                       {17, "BSIM-CMG"},
                                       {28, "HSPICE's BSIM1"},
                                       {39, "BSIM2"},
                                       {44, "EKV"},
                                       {45, "PSP102"},
                                       {47, "BSIM3v2"},
                                       {50, "Philips MOS9"},
                                       {53, "BSIM3v3: write level=49"},
                                       {59, "UFSOI"},
                                       {60, "SOI3, which crashes this ngspice"},
                                       {61, "a-Si TFT"},
                                       {62, "poly-Si TFT"},
                                       {63, "MOS11"},
                                       {64, "HiSIM"},
                                       {66, "HiSIM-HV: level=73 is another version of it"},
                                       {69, "PSP103"},
                                       {70, "BSIMSOI 4.x: level=58"},
                                       {71, "TFT"},
                                       {72, "BSIM-CMG"},
                                       {74, "MOS20"},
                                       {76, "UTSOI"},
                                       {77, "BSIM-BULK"},
                                       {78, "BSIM-IMG"}};
  static constexpr Entry kBipolar[] = {{6, "MEXTRAM"}, {7, "HICUM level 0"}, {504, "MEXTRAM"}};
  const auto find = [&](auto& table) -> std::string_view {
    for (const auto& e : table)
      if (e.level == level) return e.name;
    return {};
  };
  return mosfet ? find(kMosfets) : find(kBipolar);
}

bool version_exists(std::string_view version, std::initializer_list<std::string_view> known) {
  return version.empty() || std::ranges::any_of(known, [&](auto k) { return version.starts_with(k); });
}

std::optional<std::string> mosfet_refusal(int level, std::string_view version) {
  static constexpr std::array<int, 19> kLevels = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 14, 49, 54, 55, 56, 57, 58, 68, 73};
  if (std::ranges::find(kLevels, level) == kLevels.end()) {
    const auto name = name_of_level(level, true);
    return fmt::format("MOS model level {}{} is not in Debian's ngspice (it has 1-6, 8-10, 14, 49, 54-58, 68, 73)",
                       level, name.empty() ? "" : fmt::format(" ({})", name));
  }
  if (!version.empty() && spice_number(version) == std::nullopt && version[0] != '3' && version[0] != '4')
    return std::nullopt;  // an expression
  if ((level == 8 || level == 49) && !version_exists(version, {"3.0", "3.1", "3.2", "3.3", "default"}))
    return fmt::format("BSIM3 version {} is not in Debian's ngspice (it has 3.0 to 3.3)", version);
  if ((level == 14 || level == 54) &&
      !version_exists(version, {"4.0", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "default"}))
    return fmt::format("BSIM4 version {} is not in Debian's ngspice (it has 4.0 to 4.8, written so)", version);
  return std::nullopt;
}

}  // namespace

std::optional<Policy> policy_of(std::string_view word, bool inside) {
  static const Table kTable = build();
  if (inside && (word == ".ic" || word == ".nodeset")) return Policy{};
  if (word.starts_with(".para")) return Policy{};
  if (word.starts_with(".csparam"))
    return Policy{Treatment::kDropAndWarn, "only commands of a .control section could use it", ""};
  if (word.starts_with(".meas") || word.starts_with(".four") || word.starts_with(".prot"))
    return Policy{Treatment::kDrop, "", ""};
  const auto found = kTable.find(word);
  if (found == kTable.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> model_refusal(std::string_view card, const Dialect& dialect, bool trust) {
  const StatementParts parts = parts_of(card);
  if (parts.words.size() < 3) return std::nullopt;
  const std::string_view type = parts.words[2];
  const auto level_number = spice_number(value_of(parts, "level"));
  int level = level_number && std::fabs(*level_number) < 1e6 ? static_cast<int>(*level_number + 0.5) : 1;
  if (value_of(parts, "level").empty() || !level_number) level = 1;
  std::string_view version = value_of(parts, "version");
  if (type == "nmos" || type == "pmos" || type == "nsoi" || type == "psoi") {
    if (dialect.pspice) {  // PSPICE numbers its levels in another way and ngspice follows
      if (level == 5) level = 44;
      if (level == 6 || level == 7) return std::nullopt;
      if (level == 8) return std::nullopt;
    }
    return mosfet_refusal(level, version);
  }
  if (type == "npn" || type == "pnp") {
    if (dialect.pspice && level == 2) level = 6;
    static constexpr std::array<int, 6> kLevels = {0, 1, 2, 4, 8, 9};
    if (std::ranges::find(kLevels, level) != kLevels.end()) return std::nullopt;
    const auto name = name_of_level(level, false);
    return fmt::format("bipolar model level {}{} is not in Debian's ngspice (it has 1, 2, 4, 8, 9)", level,
                       name.empty() ? "" : fmt::format(" ({})", name));
  }
  static constexpr std::array<std::string_view, 5> kNumerical = {"numos", "numd", "numd2", "nbjt", "nbjt2"};
  if (!trust && std::ranges::find(kNumerical, type) != kNumerical.end())
    return fmt::format("a numerical device ({}) reads and writes files", type);
  static constexpr std::array<std::string_view, 9> kVerilogA = {
      "bsimcmg_va", "psp103va", "psp103_nqs", "bsimbulk", "bsimcmg", "ekv", "asmhemt", "mvsg_cmc", "bsim6"};
  if (std::ranges::find(kVerilogA, type) != kVerilogA.end())
    return fmt::format("model type {} is Verilog-A (OSDI), which is not in Debian's ngspice", type);
  return std::nullopt;
}

KeptOptions kept_options(std::string_view statement) {
  // What tells how the circuit is meant, or helps it converge.
  static constexpr std::array<std::string_view, 37> kKept = {
      "scale",     "tnom",     "defl",         "defw",         "defad",    "defas",    "defm",       "gmin",
      "rshunt",    "cshunt",   "gshunt",       "method",       "maxord",   "xmu",      "bypass",     "itl1",
      "itl2",      "itl3",     "itl4",         "itl5",         "itl6",     "pivtol",   "pivrel",     "gminsteps",
      "srcsteps",  "noopiter", "trytocompact", "badmos3",      "oldlimit", "minbreak", "gminfactor", "nodedamping",
      "convlimit", "convstep", "convabsstep",  "copynodesets", "epsmin"};
  // Tolerances and temperature are errata's.
  static constexpr std::array<std::string_view, 6> kReplaced = {"temp", "reltol", "abstol", "vntol", "chgtol", "trtol"};
  KeptOptions kept;
  const StatementParts parts = parts_of(statement);
  const auto one = [&](std::string_view key, std::string_view value) {
    const std::string name = lower_case(key);
    if (name == "search") kept.search = unquoted(value);
    if (std::ranges::find(kReplaced, name) != kReplaced.end()) {
      kept.replaced += kept.replaced.empty() ? name : ", " + name;
    } else if (std::ranges::find(kKept, name) != kKept.end()) {
      if (name == "scale") kept.scale = std::string(value);
      kept.nominal_temperature = kept.nominal_temperature || name == "tnom";
      kept.text += value.empty() ? fmt::format(" {}", name) : fmt::format(" {}={}", name, value);
    }
  };
  for (std::size_t i = 1; i < parts.words.size(); ++i) one(parts.words[i], {});
  for (const auto& [name, value] : parts.pairs) one(name, value);
  for (const auto word : parts.strays) one(word, {});
  if (!kept.text.empty()) kept.text = ".options" + kept.text;
  return kept;
}

bool is_command(std::string_view word) {
  static constexpr std::array<std::string_view, 8> kCommands = {"shell",  "system",    "source", "write",
                                                                "wrdata", "codemodel", "osdi",   "wrs2p"};
  return std::ranges::find(kCommands, word) != kCommands.end();
}

}  // namespace errata::circuit
