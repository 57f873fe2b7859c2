#pragma once

#include "core/settings.h"
#include "errormodel/error_table.h"

namespace errata::errormodel {

/// What the project file declares beside what is estimated: signed scheme, ADC, operating point, drift and stuck cells.
void declare_terms(const Settings& settings, std::size_t levels, ErrorTable& table);

}  // namespace errata::errormodel
