#include "verification/chip_ranges.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/mismatch.h"

namespace errata::verification {

std::vector<ChipRange> chip_ranges(const Settings& s) {
  const auto count = [&](const char* key) { return static_cast<std::uint64_t>(s.integer(key)); };
  constexpr std::uint64_t kFreshGroups = 160;  // least number of chips that level 2 estimates Σ_K on
  const std::uint64_t evaluated = std::max(count("verification.chips"), count("verification.most_chips"));
  return {{"characterisation", chips::kCharacterization, count("circuit.design.chips")},
          {"the table", chips::kTable, count("errormodel.chips")},
          {"the table's check", chips::kTableCheck, std::max(kFreshGroups, count("verification.table_chips"))},
          {"evaluation", chips::kEvaluation, 2 * evaluated},
          {"the replay", chips::kReplay, 4 * count("verification.replay_chips")},
          {"training", chips::kTraining, std::uint64_t{1} << 32}};
}

void require_disjoint(std::span<const ChipRange> ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i)
    for (std::size_t j = i + 1; j < ranges.size(); ++j) {
      const ChipRange &a = ranges[i].first <= ranges[j].first ? ranges[i] : ranges[j],
                      &b = ranges[i].first <= ranges[j].first ? ranges[j] : ranges[i];
      if (a.first + a.count <= b.first) continue;
      throw Error(ExitStatus::kComputation, "E523",
                  fmt::format("{} and {} share chips from number {} on", a.use, b.use, b.first),
                  fmt::format("use fewer chips for {}", a.use));
    }
}

}  // namespace errata::verification
