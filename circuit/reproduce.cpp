#include "circuit/reproduce.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include "core/error.h"

namespace errata::circuit {

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush())
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()),
                "is the disk full or the folder read-only?");
}

/// Lines of a .control block after the slots are set.
std::vector<std::string> analysis_commands(const Deck& deck, const SimulationPoint& point) {
  switch (point.analysis) {
    case Analysis::kOperatingPoint: {
      std::vector<std::string> lines{"op"};
      for (const auto& output : deck.outputs) lines.push_back("print " + output.vector);
      return lines;
    }
    case Analysis::kTransient: {
      std::vector<std::string> lines{deck.transient};
      for (const auto& output : deck.outputs) lines.push_back(fmt::format("print {0}[length({0})-1]", output.vector));
      return lines;
    }
    case Analysis::kNoise:
      break;
  }
  return {fmt::format("noise v(out) vclamp dec 4 {} {}", number_text(point.noise_low_hertz),
                      number_text(point.noise_high_hertz)),
          "print onoise_total"};
}

/// Position of a point among those of its deck and analysis.
std::size_t rank_of(const CampaignPlan& plan, std::size_t point) {
  std::size_t rank = 0;
  for (std::size_t i = 0; i < point; ++i)
    rank += plan.points[i].deck == plan.points[point].deck && plan.points[i].analysis == plan.points[point].analysis;
  return rank;
}

}  // namespace

std::string describe_point(const CampaignPlan& plan, std::size_t index) {
  const SimulationPoint& point = plan.points[index];
  const Deck& deck = plan.decks[point.deck];
  const Characterization& c = plan.skeleton;
  std::size_t rank = rank_of(plan, index);
  const bool noise = point.analysis == Analysis::kNoise;
  constexpr std::size_t kColumn = 1;
  if (point.deck == kColumn) {
    const std::size_t operands = noise ? c.columns.noise_operands : c.columns.operands;
    const std::size_t operand = rank % operands, line = rank / operands % (2 * c.columns.columns),
                      chip = rank / operands / (2 * c.columns.columns);
    return fmt::format("{}{}, chip {}, column {}, {} line, operand {}", deck.name, noise ? " (noise)" : "", chip,
                       line / 2, line % 2 == 0 ? "plus" : "minus", operand);
  }
  if (noise || point.deck > kColumn) return fmt::format("{}{}, point {}", deck.name, noise ? " (noise)" : "", rank);
  const std::size_t ends = c.array.transient() ? c.charge.final_volts.size()
                                               : c.cell.bit_line_volts.size() * c.cell.source_line_volts.size();
  const std::size_t end = rank % ends, sample = rank / ends % c.cell.mismatch_count(),
                    level = rank / ends / c.cell.mismatch_count() % c.cell.weight_levels.size(),
                    input = rank / ends / c.cell.mismatch_count() / c.cell.weight_levels.size();
  return fmt::format("{}, input level {}, stored level {}, mismatch sample {}, {} {}", deck.name, input, level, sample,
                     c.array.transient() ? "load" : "bias", end);
}

std::vector<std::string> slot_commands(const Deck& deck, const SimulationPoint& point) {
  std::vector<std::string> lines;
  const auto add = [&](bool parameters) {
    for (std::size_t i = 0; i < deck.slots.size(); ++i)
      if ((deck.slots[i].kind == SlotKind::kParameter) == parameters)
        lines.push_back(slot_command(deck, deck.slots[i], point.slots[i]));
  };
  add(true);
  if (!lines.empty()) lines.emplace_back("reset");  // expands the deck anew, so it comes before what `alter` sets
  add(false);
  return lines;
}

void write_reproduction(const CampaignPlan& plan, std::size_t index, const std::filesystem::path& folder) {
  if (index >= plan.points.size())
    throw Error(ExitStatus::kUsage, "E103",
                fmt::format("point {} does not exist: the campaign has {} points, 0 to {}", index, plan.points.size(),
                            plan.points.size() - 1));
  const SimulationPoint& point = plan.points[index];
  const Deck& deck = plan.decks[point.deck];
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error(ExitStatus::kEnvironment, "E601",
                fmt::format("cannot make the folder {}: {}", folder.string(), failed.message()));
  std::string text;
  for (std::size_t i = 0; i + 1 < deck.lines.size(); ++i) text += deck.lines[i] + "\n";
  text += fmt::format("* point {}: {}\n.control\nset num_threads=1\noptran 1 1 1 0 0 0\nset numdgt=17\n", index,
                      describe_point(plan, index));
  for (const auto& line : slot_commands(deck, point)) text += line + "\n";
  for (const auto& line : analysis_commands(deck, point)) text += line + "\n";
  text += "quit\n.endc\n.end\n";
  write(folder / "point.cir", text);
  write(folder / ".spiceinit", deck.compatibility.empty() ? "* keeps a personal .spiceinit away\n"
                                                          : "set ngbehavior=" + deck.compatibility + "\n");
}

}  // namespace errata::circuit
