#include "circuit/deck/reproduce.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include "circuit/campaign/campaign_decks.h"
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

std::string vector_of(const Output& output) {
  return output.minus.empty() ? output.vector : fmt::format("{}-{}", output.vector, output.minus);
}

/// Lines of a .control block after the slots are set.
std::vector<std::string> analysis_commands(const Deck& deck, const SimulationPoint& point) {
  std::vector<std::string> lines;
  switch (point.analysis) {
    case Analysis::kSweep:
    case Analysis::kOperatingPoint:
      lines = {"op"};
      for (const auto& output : deck.outputs) lines.push_back("print " + vector_of(output));
      return lines;
    case Analysis::kTransient:
      lines = {deck.transient};
      for (const auto& output : deck.outputs) {
        if (output.measure == Output::Measure::kSample && output.to_seconds <= 0.0) {
          lines.push_back(fmt::format("let errata_output = {}", vector_of(output)));
          lines.push_back("print errata_output[length(errata_output)-1]");
          continue;
        }
        const bool sample = output.measure == Output::Measure::kSample;
        lines.push_back(fmt::format("let errata_output = {}", vector_of(output)));
        lines.push_back(
            sample ? fmt::format("meas tran errata_measured find errata_output at={}", number_text(output.to_seconds))
                   : fmt::format("meas tran errata_measured {} errata_output from={} to={}",
                                 output.measure == Output::Measure::kAverage ? "avg" : "integ",
                                 number_text(output.from_seconds), number_text(output.to_seconds)));
      }
      return lines;
    case Analysis::kNoise:
      break;
  }
  return {fmt::format("noise v(out) vclamp dec 4 {} {}", number_text(point.noise_low_hertz),
                      number_text(point.noise_high_hertz)),
          "print onoise_total"};
}

/// A sweep by hand: an operating point at each bias, its sources being the first slots of the fallback deck.
std::vector<std::string> sweep_commands(const Deck& deck, const Deck& fallback, const SimulationPoint& point) {
  SimulationPoint first{.deck = deck.sweep.fallback};
  const std::size_t sources = deck.sweep.sources.size();
  first.slots.assign(deck.sweep.values.begin(), deck.sweep.values.begin() + static_cast<std::ptrdiff_t>(sources));
  first.slots.insert(first.slots.end(), point.slots.begin(), point.slots.end());
  std::vector<std::string> lines = slot_commands(fallback, first);
  for (std::size_t bias = 0; bias < deck.sweep.count(); ++bias) {
    for (std::size_t k = 0; bias > 0 && k < sources; ++k)
      lines.push_back(slot_command(fallback, fallback.slots[k], deck.sweep.values[bias * sources + k]));
    const auto analysis = analysis_commands(fallback, point);
    lines.insert(lines.end(), analysis.begin(), analysis.end());
  }
  return lines;
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
  if (noise || point.deck == kNoiseDeck) return fmt::format("{} (noise), point {}", deck.name, rank);
  constexpr std::size_t kColumn = 1;
  const auto& m = c.columns;
  if (point.deck == kColumn) {
    const std::size_t together = deck.bit_lines, lines = m.branches * m.columns;
    const std::size_t operand = rank % m.operands, line = rank / m.operands * together;
    const std::string which =
        together > 1      ? fmt::format("lines {} to {}", line % lines, line % lines + together - 1)
        : m.branches == 1 ? fmt::format("column {}", line % lines)
                          : fmt::format("column {}, {} line", line % lines / 2, line % 2 == 0 ? "plus" : "minus");
    return fmt::format("{}, chip {}, {}, operand {}", deck.name, line / lines, which, operand);
  }
  const std::size_t samples = c.cell.mismatch_count();
  if (point.analysis == Analysis::kSweep)
    return fmt::format("{}, stored level {}, mismatch sample {}, {} biases", deck.name, rank / samples, rank % samples,
                       deck.sweep.count());
  if (point.deck > kColumn) return fmt::format("{}, point {}", deck.name, rank);
  const std::size_t ends = c.array.transient() ? c.charge.final_volts.size()
                                               : c.cell.bit_line_volts.size() * c.cell.source_line_volts.size();
  const std::size_t end = rank % ends, sample = rank / ends % samples,
                    level = rank / ends / samples % c.cell.weight_levels.size(),
                    input = rank / ends / samples / c.cell.weight_levels.size();
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
  const bool sweep = point.analysis == Analysis::kSweep;
  const Deck& own = plan.decks[point.deck];
  const Deck& deck = sweep ? plan.decks[own.sweep.fallback] : own;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error(ExitStatus::kEnvironment, "E601",
                fmt::format("cannot make the folder {}: {}", folder.string(), failed.message()));
  std::string text;
  for (std::size_t i = 0; i + 1 < deck.lines.size(); ++i) text += deck.lines[i] + "\n";
  text += fmt::format("* point {}: {}\n.control\nset num_threads=1\noptran 1 1 1 0 0 0\nset numdgt=17\n", index,
                      describe_point(plan, index));
  std::vector<std::string> commands = sweep ? sweep_commands(own, deck, point) : slot_commands(deck, point);
  if (!sweep)
    for (const auto& line : analysis_commands(deck, point)) commands.push_back(line);
  for (const auto& line : commands) text += line + "\n";
  text += "quit\n.endc\n.end\n";
  write(folder / "point.cir", text);
  write(folder / ".spiceinit", deck.compatibility.empty() ? "* keeps a personal .spiceinit away\n"
                                                          : "set ngbehavior=" + deck.compatibility + "\n");
}

}  // namespace errata::circuit
