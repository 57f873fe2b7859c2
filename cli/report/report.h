#pragma once

#include <string>
#include <vector>

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

/// What the report tells. A null pointer: that stage has not run, and its chapter says so.
struct ReportInput {
  std::string project;
  const circuit::Characterization* characterization = nullptr;
  const behavioral::BehavioralModel* model = nullptr;
  const errormodel::ErrorTable* table = nullptr;
  const verification::Verification* verification = nullptr;
  std::vector<TrainingCurve> curves;
};

/// The report as one self-contained HTML file: no script, nothing from the network. A pure function of the input;
/// holds no time and no path of this machine. Thread safe.
std::string render_report(const ReportInput& input);

}  // namespace errata::report
