#pragma once

#include <vector>

#include "circuit/deck_options.h"

namespace errata::circuit {

/// One cell between ideal sources, at rest or with its word line at a level. Slots: word line, bit line, source line,
/// then the cell slots, of which the first stores the weight as options.storage says.
Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// The same with EXTERNAL sources, for a sweep over word-line, bit-line and source-line voltages. Slots: the cell's
/// alone.
Deck compose_cell_sweep(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// options.lines bit lines of `rows` cells and options.idle_rows more with wire segments, on common word lines.
/// Current mode: a clamp at row 1 of each line; slots: for each line clamp voltage, clamp resistance and offset
/// current. Transient modes: lines that are released at time 0; slots: for each line precharge voltage, the switch
/// slots, and offset voltage of the sense amplifier. Then per row the word line (not of idle rows) and for each line
/// the cell slots. Outputs: one for each line.
Deck compose_column(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
                    const std::vector<CellSlot>& switch_slots, std::size_t rows);

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
