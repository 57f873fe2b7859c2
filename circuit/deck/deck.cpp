#include "circuit/deck/deck.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace errata::circuit {

std::string number_text(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

namespace {

/// PULSE(V1 V2 TD TR TF PW PER NP); no pulse at all is one without height, since NP = 0 means "for ever".
std::string pulse_command(const std::string& target, const PulseShape& p, double value) {
  const bool any = value > 0.0;
  const double width = p.counts ? p.width_seconds : value;
  const double period = p.counts ? p.period_seconds : 2.0 * (value + p.delay_seconds + p.edge_seconds) + 1.0;
  return fmt::format("alter {} = [ {} {} {} {} {} {} {} {} ]", target, number_text(p.low_volts),
                     number_text(any ? p.high_volts : p.low_volts), number_text(p.delay_seconds),
                     number_text(p.edge_seconds), number_text(p.edge_seconds),
                     number_text(any ? width : p.edge_seconds), number_text(period),
                     p.counts && any ? number_text(value) : "1");
}

}  // namespace

void add_noise_device(Deck& deck, const std::string& group, std::string device) {
  const auto found = std::ranges::find(deck.noise_groups, group);
  const auto index = static_cast<std::size_t>(found - deck.noise_groups.begin());
  if (found == deck.noise_groups.end()) deck.noise_groups.push_back(group);
  deck.noise_devices.push_back({std::move(device), index});
}

std::string slot_command(const Deck& deck, const Slot& slot, double value) {
  switch (slot.kind) {
    case SlotKind::kAlter:
      return fmt::format("alter {} = {}", slot.target, number_text(value));
    case SlotKind::kModel:
      return fmt::format("altermod {} = {}", slot.target, number_text(value));
    case SlotKind::kParameter:
      return fmt::format("alterparam {}={}", slot.target, number_text(value));
    case SlotKind::kWaveform:
      break;
  }
  return pulse_command(slot.target, deck.pulse, value);
}

}  // namespace errata::circuit
