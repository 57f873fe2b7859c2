#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/statistics.h"

namespace errata::circuit {
struct Characterization;
}
namespace errata::behavioral {
struct BehavioralModel;
}
namespace errata::errormodel {
struct ErrorTable;
}
namespace errata::verification {
struct Verification;
}

namespace errata::report {

/// How the training of one arm went; equal lengths.
struct TrainingCurve {
  std::string arm;  ///< "ideal", "error_aware", …
  std::vector<double> epoch, train_loss;
  std::vector<double> test_accuracy;  ///< percent
};

/// A conversion's curve (methods.md §4.1) and who fitted it.
struct FittedCurve {
  std::string by, form;
  std::vector<std::pair<std::string, Interval>> parameters;
  double rms = 0.0;  ///< MAC units
  bool converged = false;
};

/// How the column model holds at one of several operating points; MAC units.
struct PointFit {
  std::string name;
  Interval rms;
  double maximum = 0.0;
  double interpolation_rms = 0.0;  ///< NaN where the other points do not surround it
  bool passed = false;
};

/// What the report tells. A null pointer: that stage has not run, and its chapter says so.
struct ReportInput {
  std::string project;
  const circuit::Characterization* characterization = nullptr;
  const behavioral::BehavioralModel* model = nullptr;
  const errormodel::ErrorTable* table = nullptr;
  const verification::Verification* verification = nullptr;
  std::vector<TrainingCurve> curves;
  std::vector<FittedCurve> fitted_curves;
  std::vector<PointFit> points;  ///< empty for a single operating point
};

/// The report as one self-contained HTML file: no script, nothing from the network. A pure function of the input;
/// holds no time and no path of this machine. Thread safe.
std::string render_report(const ReportInput& input);

}  // namespace errata::report
