#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// The shipped RRAM macro with a reduced design, by the same code path as a full run.
inline std::vector<SettingOverride> small_design() {
  return {{"circuit.design.chips", "3"},
          {"circuit.design.columns", "2"},
          {"circuit.design.operands", "12"},
          {"circuit.design.bit_line_points", "7"},
          {"array.rows", "32"}};
}

inline Settings small_settings(std::vector<SettingOverride> more = {}) {
  auto all = small_design();
  all.insert(all.end(), more.begin(), more.end());
  return read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists/rram_1t1r", all);
}

/// Characterised by ngspice and fitted once in each test program.
inline const behavioral::BehavioralModel& small_model() {
  static const behavioral::BehavioralModel model = [] {
    const TemporaryFolder folder;
    const Settings s = small_settings();
    RunContext context;
    context.jobs = 2;
    const auto data = circuit::characterize(s, folder.path(), context);
    Provenance p;
    p.format = behavioral::BehavioralModel::kFormat;
    p.major_version = behavioral::BehavioralModel::kMajor;
    p.seed = s.seed();
    return behavioral::fit_model(data, s, p);
  }();
  return model;
}

}  // namespace errata::testing
