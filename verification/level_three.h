#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "verification/verdict.h"

namespace errata::verification {

/// Accuracy in percent of `chips` chips from `first_chip` on; `pass` numbers repeated reads of the same chips.
using AccuracySource =
    std::function<std::vector<double>(std::uint64_t first_chip, std::size_t chips, std::uint64_t pass)>;

/// Accuracy of one network by the table and by the model.
struct AccuracyArms {
  std::string arm;
  AccuracySource table, model;
};

/// How many chips, and which.
struct LevelThreeOptions {
  std::size_t chips = 100;
  std::size_t most_chips =
      400;                 ///< at most, where the intervals would else be too wide to decide; also at most 4 × chips
  double tolerance = 0.5;  ///< of the mean, points
  std::uint64_t seed = 1;
  std::uint64_t first_chip = 0;  ///< the model's; the table's follow them
};

/// Accuracies of the chips in two passes, and what they say.
struct LevelThreeResult {
  std::vector<double> table, table_again, model, model_again;  ///< second passes are empty below 100 chips
  std::vector<Check> checks;
};

/// Mean and spread over chips by the table against those by the model (methods.md §6.3); a table holds the distribution
/// of chips, not the chips, so the two sides use different ones. From 100 chips on the spreads are compared, too. Where
/// the intervals come out so wide that a perfect table would fail too often, more chips are taken, up to most_chips.
/// How many depends on the intervals' width alone, never on where they lie, so the intervals keep their confidence.
LevelThreeResult compare_accuracy(const AccuracyArms& arms, const LevelThreeOptions& options);

/// Paired difference over chips of the accuracies that two tables predict, one filled from stratified operands and one
/// from the network's own, with tolerance in points (methods.md §7, portability).
Check portability_check(const std::string& arm, const std::vector<double>& stratified,
                        const std::vector<double>& workload, double tolerance);

}  // namespace errata::verification
