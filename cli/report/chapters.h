#pragma once

#include <string>
#include <string_view>

#include "cli/report/report.h"

namespace errata::report {

// One function per chapter, each in its own source file; all give HTML.
std::string verdict_box(const ReportInput& input);
std::string cell_chapter(const ReportInput& input);
std::string column_chapter(const ReportInput& input);
std::string table_chapter(const ReportInput& input);
std::string training_chapter(const ReportInput& input);
std::string accuracy_chapter(const ReportInput& input);
std::string verification_chapter(const ReportInput& input);
std::string provenance_chapter(const ReportInput& input);

/// "error_aware" → "error-aware"; unknown names as they are.
std::string arm_title(std::string_view arm);
/// "behavioral" → "behavioural model".
std::string hardware_title(std::string_view hardware);
/// Palette colour that an arm has in every picture.
int arm_color(std::string_view arm);

}  // namespace errata::report
