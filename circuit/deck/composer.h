#pragma once

#include <span>
#include <string>
#include <vector>

#include "circuit/deck/deck_options.h"

namespace errata::circuit {

/// ngspice turns 0 ohm into 1 mOhm silently and does not converge over segments far below that, so a wire with less is
/// one node.
inline constexpr double kSmallestOhms = 2e-4;

/// Nets that an instance of the cell is connected to.
struct CellNets {
  std::string word, bit, source, complement = {};
};

/// Writes a deck line by line and remembers where its lines come from: the user's statements first, then what errata
/// composes around the cell.
class Composer {
 public:
  Composer(std::string name, const Netlist& netlist, const DeckOptions& options, const std::string& tolerances);

  void add(std::string line, SourcePosition position = {});
  void slot(std::string target, SlotKind kind = SlotKind::kAlter) { deck_.slots.push_back({kind, std::move(target)}); }
  /// A .param that a slot sets.
  void parameter(const std::string& name);

  /// Instance line with its pins in the order of the .subckt line; `key` tells its parameters from other cells'.
  /// Adds the slots of its stored level and of its other varied values, the level's first.
  void cell(const std::string& name, const std::string& key, const CellNets& nets,
            const std::vector<CellSlot>& cell_slots);

  /// Slots of the varied values of an instance of a subcircuit, from the `first` on; parameters of its .subckt line
  /// must stand in the instance line as `overrides` says.
  void varied(const std::string& instance, const std::string& subcircuit, const std::string& key,
              std::span<const CellSlot> slots);
  std::string overrides(const std::string& key, std::span<const CellSlot> slots) const;

  /// The stored level of a cell, `storage` naming it inside instance `name` of the device under test. Adds its slot.
  void store(const std::string& name, const std::string& key, const Storage& storage);

  /// Net of a pin that is the same for every cell: supply, ground, tied, driven; else one of the instance's own.
  std::string common_net(const std::string& pin, const std::string& instance) const;

  /// Sources that the word lines of a transient read share.
  void word_line_sources();
  /// Source of one word line with its slot, and the wire to the simulated columns. Voltage of a static read; swing,
  /// width or number of pulses of a transient one.
  void word_line(const std::string& key);
  /// Net of a word line at one of the simulated columns, from 0.
  std::string word_net(const std::string& key, std::size_t line) const;

  /// The nodes of a line and its reset switch, which opens at time 0 within one edge. Adds the slot of the voltage.
  void precharge(const std::string& suffix, const std::vector<std::string>& nodes, std::span<const CellSlot> switches);
  /// Slots of what is varied inside that switch.
  void varied_reset_switch(const std::string& suffix, std::span<const CellSlot> switches);

  /// The transient up to the sampling time, which keeps only what the outputs need.
  void transient(std::vector<Output> outputs);

  Deck& deck() { return deck_; }
  Deck finish();

 private:
  std::string net_of(const std::string& pin, const std::string& instance, const CellNets& nets) const;
  void word_wire(const std::string& key);
  void drive(const DrivenPin& pin);
  void drive_globals();

  const Netlist& netlist_;
  const DeckOptions& options_;
  Deck deck_;
};

}  // namespace errata::circuit
