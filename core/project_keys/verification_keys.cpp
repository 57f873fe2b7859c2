#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> verification_keys() {
  return {
      integer("verification.chips", "100", 2, 1e6, "Chips, unseen before, on which accuracy is measured."),
      integer("verification.most_chips", "400", 2, 1e6,
              "Level 3 goes on to so many chips, at most four times verification.chips, where fewer give intervals too "
              "wide to "
              "decide."),
      integer("verification.images", "500", 1, 1e9, "Test images for each chip."),
      integer("verification.table_chips", "100", 8, 1e6, "Chips of the comparison of table and model (level 2)."),
      integer("verification.replay_chips", "1600", 2, 1e6, "Chips of the replay of the network's own operands."),
      integer("verification.replay_operands", "64", 4, 1e6,
              "Operands for each of the 16 columns that a layer's replay takes."),
      integer("verification.captured_columns", "64", 1, 1e6,
              "Columns of each layer that `errata evaluate --capture-operands` writes."),
      integer("verification.ngspice_operands", "8", 0, 1e6,
              "Of these, operands for each layer that are replayed in ngspice too."),
      real("verification.accuracy_tolerance", "0.5", 0, 100,
           "Level 3: largest difference between table and model, in points."),
      flag("verification.portability", "true",
           "Level 3: also predict the accuracy by a table on the network's own operands, and compare."),
      real("verification.portability_tolerance", "1.0", 0, 100, "Largest difference of the two, in points."),

      need(text("spec[].metric", "", "Metric, for example `accuracy.error_aware.mean`."), "accuracy.error_aware.mean"),
      real("spec[].minimum", "", -1e30, 1e30, "Smallest value that passes."),
      real("spec[].maximum", "", -1e30, 1e30, "Largest value that passes."),
  };
}

}  // namespace errata::project_keys
