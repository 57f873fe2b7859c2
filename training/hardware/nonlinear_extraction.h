#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/statistics.h"
#include "training/hardware/nonlinear_quantizer.h"
#include "training/optimization/optimizer.h"
#include "training/optimization/schedule.h"

namespace errata::behavioral {
struct BehavioralModel;
}

namespace errata::training {

/// What is seen of a neuron or column (methods.md §4.1).
enum class Observed : std::uint8_t {
  kAnalog,  ///< the value before the ADC
  kCodes,   ///< the ADC's code times its step
};

/// Conversions of one kind of column: ideal value and what came out, in the unit of y_fs.
struct ConversionSamples {
  Observed observed = Observed::kAnalog;
  std::vector<double> ideal, output;
};

/// Columns of the model's own comparison with ngspice: ideal MAC value and ngspice's output, in MAC units.
ConversionSamples analog_samples(const behavioral::BehavioralModel& model);
/// What an ideal ADC of the quantiser's range and bits would have made of analog samples.
ConversionSamples coded(const ConversionSamples& analog, const NonlinearQuantizer& adc);

struct ExtractionOptions {
  /// Form, y_fs, bits and polarity; the curve's parameters are where the search starts. kCodes needs the bits.
  NonlinearQuantizer start;
  /// Parameters that are searched; the others stay. a₅ does little that a₃ does not, so it is left out.
  std::array<bool, kMostCurveParameters> searched{true, true, true, true, false};
  double temperature = 0.5;  ///< of the soft quantiser, in steps; near 0.6 σ of the samples' noise where that is larger
  OptimizerOptions optimizer;  ///< the trainer's own
  ScheduleOptions schedule{.learning_rate = 0.02};
  std::uint64_t steps = 2000;  ///< over all samples at once
  double confidence = 0.95;
};

/// A curve that was found, with what is known about it.
struct NonlinearExtraction {
  NonlinearQuantizer quantizer;
  std::vector<Interval> parameters;  ///< in the form's order; Student-t; a point where not searched
  double rms = 0.0;                  ///< of the residuals, unit of y_fs
  double condition_number = 0.0;     ///< of the derivatives with columns of length 1: above 1e6 parameters blur
  /// Distance from the minimum as a share of the confidence region's radius, as in behavioral/fitting/least_squares.h;
  /// the search has arrived below 0.01.
  double relative_offset = 0.0;
  bool converged() const { return relative_offset < 0.01; }
  std::string brief() const;
};

/// Preliminary training of Conrad et al.: least squares of the quantiser's output by the trainer's own optimiser,
/// through f itself for analog samples and through the soft quantiser for codes. Its steps are taken in coordinates in
/// which the derivatives at the start stand at right angles. Same bytes for same input. Throws Error (E504) when there
/// are fewer samples than parameters or these do not determine them, Error (E509, E510) on impossible options.
NonlinearExtraction extract_nonlinearity(const ConversionSamples& samples, const ExtractionOptions& options);

}  // namespace errata::training
