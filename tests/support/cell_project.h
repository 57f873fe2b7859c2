#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/settings.h"
#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// A cell whose current is known by hand: V / (rmem + 10 kOhm), switched off by nothing; `wl` only has a load.
inline const char* const kDividerCell =
    "* divider\n.subckt cell bl wl sl\nrmem bl mid 10k\nrfix mid sl 10k\nrload wl 0 1meg\n.ends\n";

/// A 1T1R cell with a level-1 transistor: quick, and its operating point needs Newton.
inline const char* const kTransistorCell =
    "* 1T1R\n.model sw nmos level=1 vto=0.4 kp=400u lambda=0.02\n.subckt cell bl wl sl\n"
    "m1 drain wl sl 0 sw w=1u l=1u\nrmem bl drain 100k\n.ends\n";

/// A small campaign, quick enough for a unit test; further overrides come after these.
inline std::vector<SettingOverride> small_campaign(std::vector<SettingOverride> more = {}) {
  std::vector<SettingOverride> all = {{"circuit.design.chips", "2"},
                                      {"circuit.design.columns", "2"},
                                      {"circuit.design.operands", "4"},
                                      {"circuit.design.bit_line_points", "4"},
                                      {"array.rows", "4"},
                                      {"hardware.adc_range", "6"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Writes `folder`/errata.toml and its netlist and reads the project.
inline Settings write_project(const std::filesystem::path& folder, const std::string& project,
                              const std::string& netlist, const std::vector<SettingOverride>& overrides,
                              const std::string& netlist_name = "cell.cir") {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "errata.toml") << project;
  std::filesystem::create_directories((folder / netlist_name).parent_path());
  std::ofstream(folder / netlist_name) << netlist;
  return read_project(folder, overrides);
}

}  // namespace errata::testing
