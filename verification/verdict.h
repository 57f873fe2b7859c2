#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/artifact.h"
#include "core/hdf5_file.h"
#include "core/statistics.h"

namespace errata::verification {

/// Outcome of an equivalence test (methods.md §6): green iff the whole interval lies inside the tolerance, red iff it
/// lies outside, else inconclusive.
enum class Color : std::uint8_t { kGreen = 0, kInconclusive = 1, kRed = 2 };
std::string_view to_string(Color color);

/// One check of one level.
struct Check {
  int level = 1;             ///< 1 model against circuit … 5 specification
  std::string name;          ///< "P(code != ideal), layer conv1"
  Interval value;            ///< what was measured, with its 95 % interval; the layer checks of level 4 hold together
  double low = 0, high = 0;  ///< tolerance that the interval must lie in
  std::string unit;
  Color color = Color::kInconclusive;
  std::string advice;  ///< what to do when it is not green
  std::string data;    ///< datasets of verification.h5 that the number comes from; level 1: of behavioral.h5
};

/// Numbers behind a check, as one dataset /evidence/NAME.
struct Evidence {
  std::string name;
  Shape shape;
  std::vector<double> values;
  std::string unit, columns;  ///< columns: what the last axis holds
};

/// Green, red or inconclusive by where the interval lies.
Color judge(const Interval& interval, double low, double high);
/// Red if any is red, else inconclusive if any is, else green.
Color overall(const std::vector<Check>& checks);

/// Accuracy of one trained network under one error model over chips, in percent.
struct AccuracyRow {
  std::string arm;       ///< "ideal", "error_aware", "no_noise", "gaussian": how the network was trained
  std::string hardware;  ///< "ideal", "behavioral", "table", "gaussian": what it ran on
  std::size_t images = 0;
  std::vector<double> accuracy;  ///< by chip
  Interval mean;                 ///< 95 % interval over chips
  double spread = 0, percentile10 = 0;
};

/// Predicted against observed error rates of one layer on the trained network's own operands (level 4).
struct LayerErrors {
  std::size_t layer = 0;
  Interval observed_change, predicted_change;        ///< P(code ≠ ideal)
  Interval observed_magnitude, predicted_magnitude;  ///< mean |Δcode|, ADC steps
  double observed_large = 0, predicted_large = 0;    ///< P(|Δcode| > 2)
  double out_of_support = 0;                         ///< fraction of (y, a) that the table never saw
};

/// One bin of the table against the model (level 2).
struct BinComparison {
  double y_low = 0, y_high = 0, share = 0;                                  ///< share of all conversions
  double model_mean = 0, table_mean = 0, model_sigma = 0, table_sigma = 0;  ///< of the error, MAC units
  double distance = 0, allowed = 0;                                         ///< Wasserstein-1 and its tolerance
};

/// verification.h5: the verdict and every number behind it.
struct Verification {
  static constexpr const char* kFormat = "verification";
  static constexpr std::int64_t kMajor = 1, kMinor = 0;

  Provenance provenance;
  bool quick = false;  ///< fewer than 500 images or 100 chips: a demonstration, labelled so
  std::vector<Check> checks;
  std::vector<AccuracyRow> accuracy;
  std::vector<LayerErrors> layers;
  std::vector<BinComparison> bins;
  std::vector<double> replay_model, replay_circuit;  ///< same conversions by model and by ngspice, MAC units
  std::vector<Evidence> evidence;

  /// The row of an arm on a hardware; nullptr when it was not run.
  const AccuracyRow* find(std::string_view arm, std::string_view hardware) const;
  void save(const std::filesystem::path& path) const;
  static Verification load(const std::filesystem::path& path);
};

/// The verdict as text for the terminal: the accuracy table, then every check.
std::string verification_report(const Verification& verification);

}  // namespace errata::verification
