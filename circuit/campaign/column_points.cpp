#include "circuit/campaign/column_points.h"

#include <algorithm>
#include <optional>

#include "circuit/campaign/campaign_decks.h"
#include "core/operand_set.h"

namespace errata::circuit {

namespace {

void append(std::vector<double>& to, const std::vector<double>& values) {
  to.insert(to.end(), values.begin(), values.end());
}

OperandDesign operand_design(const Settings& s, const CircuitProject& p, std::size_t operands) {
  const std::string& pattern = s.text("circuit.design.pattern");
  return {.rows = p.array.rows,
          .levels = p.cell.weight_levels.size(),
          .operands = operands,
          .input_levels = p.array.input.count(),
          .differential = p.branches == 2,
          .pattern = pattern == "sobol"     ? OperandPattern::kSobol
                     : pattern == "corners" ? OperandPattern::kCorners
                                            : OperandPattern::kStratified};
}

/// Columns of one chip. Lines that are simulated together share their word lines, so the columns on them see the
/// inputs of the first.
std::vector<ColumnOperands> chip_columns(const Settings& s, const CircuitProject& p, std::uint64_t chip,
                                         std::size_t columns, std::size_t operands) {
  const OperandDesign design = operand_design(s, p, operands);
  const std::size_t together = std::max<std::size_t>(1, p.deck.lines / p.branches);
  std::optional<OperandSet> replayed;
  if (s.has("circuit.operands"))
    replayed = project_operands(s, "circuit.operands", design.rows, design.levels, design.input_levels);
  std::vector<ColumnOperands> all;
  for (std::size_t column = 0; column < columns; ++column) {
    all.push_back(replayed ? replayed->column(chip * columns + column, design.rows, operands, s.seed(), chip)
                           : make_operands(design, s.seed(), chip, column));
    if (column % together != 0) all.back().inputs = all[column - column % together].inputs;
  }
  return all;
}

}  // namespace

ColumnSlots::ColumnSlots(const CircuitProject& p, std::uint64_t seed, std::span<const StoredLine> lines) : p_(p) {
  std::vector<std::vector<std::uint8_t>> stored;
  for (const auto& [line, levels] : lines) {
    add_line(seed, line);
    stored.push_back(whole_line(p.array, p.cell.weight_levels.size(), seed, line, levels));
  }
  std::vector<double> draws(p.cell.terms.size());
  for (std::size_t row = 0; row < p.array.all_rows(); ++row) {
    if (row < p.array.rows) {
      word_lines_.push_back(slots_.size());
      slots_.push_back(0.0);
    }
    for (std::size_t l = 0; l < lines.size(); ++l) {
      for (std::size_t t = 0; t < draws.size(); ++t)
        draws[t] = unit_draw(seed, p.mismatch[p.cell.terms[t]], p.cell.terms[t], lines[l].line, row);
      append(slots_, p.cell.values(p.mismatch, stored[l][row], draws, row));
    }
  }
}

std::vector<double> ColumnSlots::with_inputs(const std::uint8_t* inputs) const {
  std::vector<double> slots = slots_;
  const auto& input = p_.array.input;
  for (std::size_t row = 0; row < word_lines_.size(); ++row)
    slots[word_lines_[row]] = p_.array.transient() ? input.transient_value(inputs[row]) : input.word_volts(inputs[row]);
  return slots;
}

/// In the order of the deck: a line's periphery, its complement's, then what else the netlist's own column varies.
void ColumnSlots::add_line(std::uint64_t seed, LineId line) {
  std::vector<LineId> both = {line};
  if (p_.array.complement) both.push_back(complement_line(line));
  for (const LineId& one : both) {
    if (p_.deck.periphery == Periphery::kNetlist) break;
    add_periphery(line_periphery(p_.array, p_.mismatch, seed, one));
    add_varied(p_.column_switch, seed, one);
  }
  add_varied(p_.column, seed, line);
}

void ColumnSlots::add_periphery(const LinePeriphery& periphery) {
  if (!p_.array.transient()) {
    append(slots_, {periphery.clamp_volts, periphery.clamp_ohms, periphery.offset_amperes});
    return;
  }
  append(slots_, {periphery.precharge_volts, periphery.offset_volts});
  append(slots_, p_.reset_switch.values(p_.mismatch, 0, periphery.switch_draws));
}

void ColumnSlots::add_varied(const VariedParameters& part, std::uint64_t seed, LineId line) {
  std::vector<double> draws;
  for (const std::size_t t : part.terms) draws.push_back(unit_draw(seed, p_.mismatch[t], t, line, 0));
  append(slots_, part.values(p_.mismatch, 0, draws));
}

SimulationPoint column_point(const CircuitProject& p, const ColumnSlots& lines, const std::uint8_t* inputs) {
  return {.deck = kColumnDeck,
          .slots = lines.with_inputs(inputs),
          .analysis = p.array.transient() ? Analysis::kTransient : Analysis::kOperatingPoint};
}

void plan_columns(const Settings& s, const CircuitProject& p, ColumnMeasurements& m,
                  std::vector<SimulationPoint>& points) {
  m.chips = static_cast<std::size_t>(s.integer("circuit.design.chips"));
  m.columns = static_cast<std::size_t>(s.integer("circuit.design.columns"));
  m.operands = static_cast<std::size_t>(s.integer("circuit.design.operands"));
  m.branches = p.branches;
  for (std::size_t chip = 0; chip < m.chips; ++chip) {
    const std::uint64_t number = chips::kCharacterization + chip;
    const auto columns = chip_columns(s, p, number, m.columns, m.operands);
    for (std::size_t first = 0; first < m.branches * m.columns; first += p.deck.lines) {
      std::vector<StoredLine> lines;
      for (std::size_t l = first; l < first + p.deck.lines; ++l)
        lines.push_back({{number, l}, columns[l / m.branches].branch(l % m.branches)});
      const ColumnSlots slots(p, s.seed(), lines);
      const ColumnOperands& operands = columns[first / m.branches];
      for (std::size_t o = 0; o < operands.count(); ++o) points.push_back(column_point(p, slots, operands.input(o)));
    }
    m.operands = columns.front().count();  // a file may have fewer than were asked for
    m.designs.insert(m.designs.end(), columns.begin(), columns.end());
  }
  for (const auto& output : p.deck.outputs) m.records.push_back({output.name, std::string(output.unit()), {}});
}

void plan_self_check(const CircuitProject& p, SelfCheck& check, std::vector<SimulationPoint>& points) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (points[i].deck == kColumnDeck) columns.push_back(i);
  constexpr std::size_t kMost = 12;
  const std::size_t count = std::min(kMost, columns.size());
  check.points = count * p.deck.lines;
  for (std::size_t k = 0; k < count; ++k) {
    SimulationPoint again = points[columns[k * columns.size() / count]];
    again.deck = kCheckDeck;
    points.push_back(std::move(again));
  }
}

}  // namespace errata::circuit
