#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "behavioral/line/packed_inputs.h"
#include "circuit/characterization.h"
#include "core/statistics.h"

namespace errata::behavioral {

/// Sums over the active rows of a read from which a line knows its noise without solving again: without unit, each
/// scaled by the line so that fp32 can hold it.
using NoiseSums = std::array<double, 3>;

/// One bit line on one chip with its stored levels, ready for many reads. Thread safe.
class Line {
 public:
  virtual ~Line() = default;

  /// Rows that inputs select, and input levels.
  virtual std::size_t rows() const = 0;
  virtual std::size_t input_levels() const = 0;

  /// Noise-free outputs (A or V) of many input vectors.
  virtual void read(const PackedInputs& inputs, std::span<double> output) const = 0;
  /// The same from levels [count][stride], of which the first rows() entries of each vector count.
  void read(std::span<const std::uint8_t> inputs, std::size_t stride, std::span<double> output) const {
    read(PackedInputs(inputs, stride, rows(), input_levels()), output);
  }

  /// How many of the input vectors lie where the model has no data, so that it goes on from the border. Models that
  /// are composed of cells know no such place.
  virtual std::size_t extrapolated(const PackedInputs& inputs) const { return 0 * inputs.count(); }

  /// Variances of one read by source (A² or V²): thermal first, then the declared ones in order.
  virtual std::vector<double> noise_variances(const std::uint8_t* inputs) const = 0;
  /// Those of many reads, [sources][inputs.count()]: side by side where a line can (within 1e-6,
  /// tests/unit/behavioral), here one by one.
  virtual std::vector<double> all_noise_variances(const PackedInputs& inputs) const;

  /// What a row adds to the sums at an input level from 1 on.
  virtual NoiseSums row_noise(std::size_t row, std::size_t input) const = 0;
  /// Total variance of a read with this output and these sums; within 5 % of noise_variances in σ.
  virtual double read_variance(double output, const NoiseSums& sums) const = 0;
  /// Adds it for many reads: sums are [3][stride], of which the first output.size() of each row count.
  virtual void add_read_variances(std::span<const double> output, std::span<const float> sums, std::size_t stride,
                                  std::span<double> variance) const {
    for (std::size_t i = 0; i < output.size(); ++i)
      variance[i] += read_variance(output[i], {sums[i], sums[stride + i], sums[2 * stride + i]});
  }
};

/// What a line is made of: the array, its declared noise, the chip's draws.
struct LineConditions {
  const circuit::ArrayConstants& array;
  const std::vector<NoiseSource>& noise;
  const std::vector<MismatchTerm>& mismatch;
  const circuit::LinePeriphery& periphery;
  std::span<const std::uint8_t> levels;          ///< stored levels [all rows of the array]
  std::span<const double> draws;                 ///< unit draws [all rows][cell terms]
  std::span<const double> periphery_draws = {};  ///< unit draws of periphery_terms()
};

/// Quality of one candidate of a family on what it was fitted to. Errors are relative: to the cell's current, to the
/// largest charge, or to the spread of the columns' outputs.
struct CellFitQuality {
  int degree = 0;
  double rms = 0.0;  ///< on the fitted points
  double maximum = 0.0;
  double held_out_rms = 0.0;  ///< on mismatch samples that the fit has not seen
  double held_out_maximum = 0.0;
  double condition_number = 0.0;             ///< largest of the normal equations: identifiability
  double widest_parameter_half_width = 0.0;  ///< largest 95 % half-width of a coefficient
  bool converged = false;
  std::string label = {};  ///< what was tried, where the degree alone does not say it
};

/// A model of one bit line: composed of measurements of one cell (methods.md §5.1) or a regression on lines (§5.2).
class ColumnFamily {
 public:
  virtual ~ColumnFamily() = default;
  virtual std::string name() const = 0;
  virtual std::size_t levels() const = 0;  ///< stored
  virtual std::size_t input_levels() const = 0;
  virtual std::unique_ptr<Line> line(const LineConditions& conditions) const = 0;
  /// What it was fitted to and what its errors are relative to, in words.
  virtual std::string fitted_to() const { return "not stated"; }
  /// Where the model holds, in words.
  virtual std::string validity() const { return "not stated"; }
  virtual void save(Hdf5Writer& file) const = 0;
};

/// A parameter of the chosen fit and what the data say about it.
struct FittedParameter {
  std::string regression;         ///< which of the family's fits it belongs to: "input 1, level 2"
  std::string name;               ///< "1", "bit^2 z0", …
  Interval interval;              ///< 95 %, in the unit of the regression
  double condition_number = 0.0;  ///< of that fit's derivatives, columns of length 1: above 1e6 parameters blur
  bool identifiable = true;       ///< whether the data determine it
};

/// A fitted family with what was tried.
struct FamilyFit {
  std::shared_ptr<const ColumnFamily> family;
  std::vector<CellFitQuality> tried;  ///< in order of complexity
  std::size_t chosen = 0;             ///< index of the one with the smallest held-out error
  /// Of a family that is fitted to columns: outputs of all lines by fits that did not see their chip, in the shape of
  /// ColumnMeasurements::output. Empty where columns play no part in the fit.
  std::vector<double> held_out_output = {};
  std::vector<FittedParameter> parameters = {};  ///< of the chosen one
};

/// How many mismatch terms of the project act inside the cell, inside the reset switch, and outside of all cells.
struct TermCounts {
  std::size_t cell = 0, reset_switch = 0, periphery = 0;
};

/// What there is to fit to.
struct Measured {
  circuit::ReadMode read = circuit::ReadMode::kCurrent;
  bool cell = true;  ///< the cell was measured alone, so that a column can be composed of cells
};

/// How a family is found by name, fitted and read. A new family is one entry in families.cpp.
struct FamilyEntry {
  std::string name;
  bool (*fits)(Measured measured);
  /// Throws Error (E502, E504) when the measurements cannot be this family's.
  FamilyFit (*fit)(const circuit::Characterization& data);
  /// Throws Error (E403) when the file contradicts itself.
  std::shared_ptr<const ColumnFamily> (*load)(const Hdf5Reader& file, TermCounts counts);
};

/// Every family.
std::span<const FamilyEntry> families();
/// The family of that name, or for "automatic" the first that fits what was measured; null when there is none.
const FamilyEntry* find_family(const std::string& name, Measured measured);

}  // namespace errata::behavioral
