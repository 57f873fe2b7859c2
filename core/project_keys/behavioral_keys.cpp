#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> behavioral_keys() {
  return {
      text("behavioral.model", "automatic",
           "Family of the column model: `current_mode`, `floating_line`, `black_box`, or one that was added; "
           "`automatic` "
           "takes the one that fits circuit.read, and black_box where no cell was measured alone."),
      real("behavioral.maximum_rms", "0.1", 0, 1e6,
           "Specification of the fit against held-out ngspice columns, RMS in MAC units."),
      real("behavioral.maximum_rms_full_scale", "0.01", 0, 1, "The same relative to the full scale of the design."),
  };
}

}  // namespace errata::project_keys
