#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/artifact.h"
#include "core/operand_design.h"
#include "core/settings.h"

namespace errata {

/// operands.h5: operands of a trained network as its columns see them, a file that goes upstream (architecture.md §1):
/// `circuit.operands` and `errormodel.operands` name it as an input like any other.
struct OperandSet {
  static constexpr const char* kFormat = "operands";
  static constexpr std::int64_t kMajor = 1, kMinor = 0;

  Provenance provenance;
  std::size_t rows = 0;
  std::size_t levels = 0, inputs = 0;   ///< stored and input levels of the hardware that it was captured for
  std::vector<std::size_t> layer;       ///< of each column
  std::vector<ColumnOperands> columns;  ///< all with equally many operands, all differential or none

  /// Writes it. Throws Error (bug) when the columns differ in shape.
  void save(const std::filesystem::path& path) const;
  /// Throws Error (artefact) when the file is missing, damaged, or holds levels beyond those it claims.
  static OperandSet load(const std::filesystem::path& path);

  /// Column number k of a design over this set: the columns in turn, on `rows` rows of the array (further ones at level
  /// 0, never active), with `operands` of its operands drawn without replacement, or all of them when there are fewer.
  /// A pure function of (set, seed, chip, k).
  ColumnOperands column(std::size_t k, std::size_t array_rows, std::size_t operands, std::uint64_t seed,
                        std::uint64_t chip) const;
};

/// The operand file that a key of the project names, as an input of a stage; empty where it names none.
std::vector<ArtifactInput> operand_input(const Settings& settings, std::string_view key);
/// The same file, read. Throws ProjectError when it is for other hardware than `levels`, `inputs` and at most `rows`.
OperandSet project_operands(const Settings& settings, std::string_view key, std::size_t rows, std::size_t levels,
                            std::size_t inputs);

}  // namespace errata
