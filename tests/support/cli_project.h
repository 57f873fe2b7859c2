#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// A project of the shipped macro in a folder of its own, with a reduced design by the same code path.
class CliProject {
 public:
  CliProject() { errata("init " + path().string() + " --template rram_1t1r"); }
  std::filesystem::path path() const { return folder_.path() / "chip"; }
  std::filesystem::path artifact(const std::string& name) const { return path() / "artifacts" / name; }

  /// Runs a command on the project with the reduced design and more options.
  ProgramResult run(const std::string& command, const std::string& more = "") const {
    return errata(command + " " + path().string() + " " + kReduced + " " + more);
  }

  /// Replaces the first occurrence of a text in one of the project's files.
  void replace(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = bytes_of(path() / file);
    const auto at = text.find(from);
    if (at == std::string::npos) ADD_FAILURE() << file << " does not hold '" << from << "'";
    text.replace(at, from.size(), to);
    std::ofstream(path() / file, std::ios::binary) << text;
  }

  static constexpr const char* kReduced =
      "--set circuit.design.chips=2 --set circuit.design.columns=2 --set circuit.design.operands=8 --set "
      "circuit.design.bit_line_points=7 "
      "--set array.rows=16 --set hardware.adc_range=16 --set errormodel.chips=20 --set errormodel.columns=4 --set "
      "errormodel.operands_per_column=16 "
      "--set training.network=mlp --set training.train_images=600 --set training.test_images=100 --set "
      "training.epochs=2 "
      "--set training.adaptation_epochs=1 --set verification.chips=3 --set verification.images=20 --set "
      "verification.table_chips=20 "
      "--set verification.replay_chips=8 --set verification.replay_operands=8 --set verification.ngspice_operands=2";

 private:
  TemporaryFolder folder_;
};

}  // namespace errata::testing
