#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/statistics.h"

namespace errata {
class Hdf5Writer;
class Hdf5Reader;
}  // namespace errata

namespace errata::errormodel {

/// How successive reads of one operand go together.
enum class MemoryKind : std::uint8_t {
  kNone,            ///< fresh at every read, or fewer than eight reads to tell
  kAutoregressive,  ///< a part of σ_D² follows AR(1)
  kOneOverF,        ///< a part of σ_D² has a 1/f spectrum: AR(1) of all time constants, equal shares by octave
};

/// Memory of the dynamic term, from a variogram over repeated reads (methods.md §3.3).
struct ReadMemory {
  MemoryKind kind = MemoryKind::kNone;
  double share = 0.0;             ///< of σ_D² that has memory
  double correlation = 0.0;       ///< of that part between successive reads
  int octaves = 0;                ///< of a 1/f part: AR(1) with time constants 1, 2, 4, … 2^(octaves−1) reads
  Interval lag_one;               ///< correlation of successive reads, whole σ_D; 95 % over chips
  std::vector<double> variogram;  ///< ½ mean (e_r − e_{r+l})² of lags l = 1 …, MAC unit²; empty without reads
};

/// One covariate that the error's mean or its static terms could depend on, and what it buys (methods.md §3.3:
/// covariates are chosen by transfer, not by variance explained). The errors of transfer are the rms over cells of (y,
/// a) between what a table built on other operands predicts and what the operands show, in units of the whole error's
/// σ.
struct CovariateTrial {
  std::string term;             ///< "mean" or "static"
  std::string covariate;        ///< what is added: "y", "a", "y^2", "P"
  bool kept = false;            ///< whether the table has it
  std::string reason;           ///< why it is kept or not
  double explained = 0.0;       ///< share of the remaining variance that it explains on its own operands
  double inflation = 1.0;       ///< variance inflation factor on the design, given those before it
  double error_without = 0.0;   ///< of transfer, with the covariates before it
  double error_with = 0.0;      ///< of transfer, with it
  double standard_error = 0.0;  ///< of the difference, over chips

  /// False: the covariate was ruled out before a table was made with it; the errors of transfer are not there.
  bool tried() const { return error_without != 0 || error_with != 0; }
};

/// How a table's terms were estimated, beside the terms themselves.
struct EstimationRecord {
  std::vector<Interval> level;  ///< g(x, w) [kinds] with 95 % intervals, MAC units
  Interval read_sigma;          ///< root mean square of σ_D over the operands, MAC units
  ReadMemory memory;
  std::vector<CovariateTrial> covariates;
};

/// Writes the record below a group of a file, and reads it; an empty record where the file has none. Throws Error
/// (artefact) when it is damaged.
void save_record(Hdf5Writer& file, const std::string& group, const EstimationRecord& record);
EstimationRecord load_record(const Hdf5Reader& file, const std::string& group);

}  // namespace errata::errormodel
