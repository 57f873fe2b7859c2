#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace errata::circuit {

/// How a simulated point ended; never a silent number.
enum class PointStatus : std::uint8_t {
  kOk = 0,
  kSuspect = 1,
  kFailed = 2,
  kTimeout = 3,
  kCrashed = 4,
  kLoadFailed = 5
};

std::string_view to_string(PointStatus status);

/// How a value reaches a loaded deck. `alter` and `altermod` act at once; a .param needs the deck expanded anew
/// (`alterparam` and `reset`), which costs about as much as loading it; a waveform alters a whole pulse source.
enum class SlotKind : std::uint8_t { kAlter, kModel, kParameter, kWaveform };

/// One value of a deck that a point sets: "@m.x1.m1[delvto]", "x1:nch vto", the name of a .param, or "@vw1[pulse]".
struct Slot {
  SlotKind kind = SlotKind::kAlter;
  std::string target;
  bool operator==(const Slot&) const = default;
};

/// What made a point converge that did not at first, in the order in which they are tried: every node starts at half
/// the supply; more iterations and finer gmin and source steps; Gear's method; tolerances ten times wider.
enum class Remedy : std::uint8_t { kNone = 0, kNodeset = 1, kMoreSteps = 2, kGear = 3, kLooser = 4 };

std::string_view to_string(Remedy remedy);

/// What to do once the slots are set.
enum class Analysis : std::uint8_t { kOperatingPoint, kNoise, kTransient, kSweep };

/// One point: slot values and an analysis of one deck.
struct SimulationPoint {
  std::size_t deck = 0;
  std::vector<double> slots;  ///< one value per slot of the deck, SI units
  Analysis analysis = Analysis::kOperatingPoint;
  double noise_low_hertz = 0.0;  ///< band of the noise analysis
  double noise_high_hertz = 0.0;
};

/// Operating point and transient: one value for each output of the deck. Noise: variance of the
/// clamp current over the band (A²), of all devices and then of each noise group of the deck; NaN for a group of which
/// ngspice knows no noise. Sweep: the outputs at every bias of the deck's sweep in turn; NaN where one failed.
struct PointResult {
  PointStatus status = PointStatus::kFailed;
  std::vector<double> values;
  std::string log;  ///< ngspice's own words where something went wrong
  Remedy remedy = Remedy::kNone;
};

}  // namespace errata::circuit
