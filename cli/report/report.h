#pragma once
#include <string>
#include <vector>
#include "circuit/characterization.h"
#include "behavioral/model.h"
#include "errormodel/error_table.h"
#include "verification/verdict.h"
namespace errata::report {
struct TrainingCurve { std::string arm; std::vector<double> epoch, train_loss, test_accuracy; };
struct ReportInput { std::string project; const circuit::Characterization* characterization; const behavioral::BehavioralModel* model; const errormodel::ErrorTable* table; const verification::Verification* verification; std::vector<TrainingCurve> curves; };
std::string render_report(const ReportInput&);
}
