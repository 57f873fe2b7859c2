#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "circuit/campaign/simulation.h"
#include "circuit/netlist/netlist.h"

namespace errata::circuit {

/// A number that a deck yields: a vector of ngspice ("vclamp#branch", "out"), less a second one where it is named, and
/// the factor that makes it the output. Of a transient it is the last value, the mean or the integral from `from` on.
struct Output {
  enum class Measure : std::uint8_t { kSample, kAverage, kIntegral };
  std::string vector;
  double factor = 1.0;
  std::string minus = {};
  Measure measure = Measure::kSample;
  double from_seconds = 0.0, to_seconds = 0.0;  ///< of a mean or integral; of a sample its time, 0: the last one
};

/// Pulses on a word line whose width or number a slot sets (SlotKind::kWaveform).
struct PulseShape {
  bool counts = false;  ///< the slot is the number of pulses, else their width in seconds
  double low_volts = 0.0, high_volts = 1.0, delay_seconds = 0.0, edge_seconds = 0.0;
  double width_seconds = 0.0, period_seconds = 0.0;  ///< of each pulse where their number is set
};

/// Bias points that one analysis of a deck runs through: its sources are EXTERNAL, ngspice asks for their values.
/// Faster than an operating point each, since the matrix is built once; the same numbers within 1e-9
/// (docs/design/ngspice.md).
struct BiasSweep {
  std::vector<std::string> sources;  ///< names, lower case
  std::vector<double> values;        ///< [biases][sources]
  std::size_t fallback = 0;          ///< deck with ordinary sources in its first slots, for biases that the sweep lost

  bool empty() const { return sources.empty(); }
  std::size_t count() const { return sources.empty() ? 0 : values.size() / sources.size(); }
};

/// A device whose noise is asked for: ngspice's name of it, and the group of Deck::noise_groups that it counts in.
struct NoiseDevice {
  std::string name;
  std::size_t group = 0;
};

/// A complete ngspice deck whose varied values are all set from outside, also for the nominal point
/// (netlist numbers and altered numbers are rounded differently: docs/design/ngspice.md).
struct Deck {
  std::string name;
  std::vector<std::string> lines;         ///< title first, ".end" last
  std::vector<SourcePosition> positions;  ///< of each line: the user's file, or empty for composed lines
  std::vector<Slot> slots;
  std::vector<Output> outputs = {{"vclamp#branch", -1.0}};
  std::size_t bit_lines = 1;                    ///< of a column deck; the first outputs are theirs
  std::string transient;                        ///< "tran STEP STOP 0 MAXIMUM_STEP" where the deck has one
  double stop_seconds = 0.0;                    ///< when it ends
  std::string compatibility;                    ///< ngbehavior to load it with; empty for none
  PulseShape pulse;                             ///< of slots that set a waveform
  BiasSweep sweep;                              ///< for Analysis::kSweep
  std::vector<std::string> noise_groups = {};   ///< for Analysis::kNoise: sources whose shares are told apart
  std::vector<NoiseDevice> noise_devices = {};  ///< what they consist of
  double half_supply_volts = 0.5;               ///< where nodes start when a point does not converge otherwise
  std::string looser_tolerances;                ///< an .options line with tolerances ten times wider
};

/// Adds a device to a deck's noise group, which is made when it is new.
void add_noise_device(Deck& deck, const std::string& group, std::string device);

/// The command that sets a slot of a loaded deck.
std::string slot_command(const Deck& deck, const Slot& slot, double value);

/// A number as ngspice shall read it: the shortest text that reads back to the same double.
std::string number_text(double value);

}  // namespace errata::circuit
