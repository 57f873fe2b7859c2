#pragma once

#include <vector>

#include "circuit/deck/deck_options.h"

namespace errata::circuit {

/// What is varied of a column, by part.
struct PartSlots {
  std::vector<CellSlot> cell;           ///< of every row, the stored level first
  std::vector<CellSlot> reset_switch;   ///< of every bit line
  std::vector<CellSlot> column_switch;  ///< likewise
  std::vector<CellSlot> column;         ///< of a whole column, outside of its rows
};

/// One cell between ideal sources, at rest or with its word line at a level. Slots: word line, bit line, source line,
/// then the cell slots, of which the first stores the weight as options.storage says.
Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// The same with EXTERNAL sources, for a sweep over word-line, bit-line and source-line voltages. Slots: the cell's
/// alone.
Deck compose_cell_sweep(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// options.lines bit lines of `rows` cells and options.idle_rows more with wire segments, on common word lines.
/// Current mode: a clamp at row 1 of each line; slots: for each line clamp voltage, clamp resistance and offset
/// current. Transient modes: lines that are released at time 0; slots: for each line precharge voltage, offset voltage
/// of the sense amplifier and the slots of the reset switch. Then those of the column switch and of the column; all of
/// them for a line's complement before the next line. Then per row the word line (not of idle rows) and for each line
/// the cell slots. Outputs: one for each line, then options.outputs for each line.
///
/// A whole column of the netlist (options.whole_column) stands in place of cells and wires, with the same slots where
/// the periphery is errata's.
Deck compose_column(const Netlist& netlist, const DeckOptions& options, const PartSlots& slots, std::size_t rows);

/// Transient modes: a cell on a bit line that follows, as a stiff source, the line of a reference cell of the top
/// stored level that is read alone (docs/design/decisions/0005). Outputs: where the line ends (V) and the charge that
/// the cell has drawn from it (C). Slots: capacitance of the reference's line, the reference's word line and stored
/// level, the cell's word line, then its cell slots.
Deck compose_follower(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// Transient modes: the reset switch on a capacitor, and a second capacitor to a probe that steps when the word lines
/// would rise: what of the step reaches the line tells the open switch's own capacitance. Output: voltage at the
/// sampling time. Slots: both capacitances, height of the step, precharge voltage, the switch slots.
Deck compose_switch(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& switch_slots);

}  // namespace errata::circuit
