// What a column deck carries for the noise of its first line: probes, and the names of its noisy devices by source.
#include <fmt/format.h>

#include <algorithm>

#include "circuit/deck/column_deck.h"
#include "circuit/netlist/silent_elements.h"

namespace errata::circuit {

namespace {

/// "x3.mread12" is one of the devices "mread" of a column that the netlist makes of many.
std::string kind_of(const std::string& path) {
  std::string last = path.substr(path.rfind('.') + 1);
  while (last.size() > 1 && last.back() >= '0' && last.back() <= '9') last.pop_back();
  return last;
}

}  // namespace

std::string ColumnDeck::cell_net(std::size_t j, const std::string& s) const {
  return probes_rows() && s.empty() && j <= rows_ ? fmt::format("p{}", j) : bit(j, s);
}

void ColumnDeck::row_probe(std::size_t j, const std::string& s) {
  const std::string net = cell_net(j, s);
  if (net == bit(j, s)) return;
  c_.add(fmt::format("vrow{0} {1} {2} dc 0", j, bit(j, s), net));
  if (current_) c_.add(fmt::format("rprobe{0} {1} {2} {3}", j, net, source(j, s), number_text(NoiseProbes::kOhms)));
}

/// A charge and a steady current for the line, both 0 until their slots say otherwise. The corners of a source that is
/// connected to nothing make ngspice solve exactly at the times that are sampled.
void ColumnDeck::line_probes() {
  const NoiseProbes& p = *options_.probes;
  const std::string node = probed_node();
  const double middle = 0.5 * (p.charge_from + p.charge_to);
  const double height = 2.0 * NoiseProbes::kChargeSeconds / (p.charge_to - p.charge_from);
  c_.add(fmt::format("verrata_charge errata_charge 0 dc 0 pwl(0 0 {}{} {} {} 0)",
                     p.charge_from > 0.0 ? number_text(p.charge_from) + " 0 " : "", number_text(middle),
                     number_text(height), number_text(p.charge_to)));
  c_.add(fmt::format("gerrata_charge 0 {} errata_charge 0 0", node));
  c_.add(fmt::format("ierrata_steady 0 {} dc 0", node));
  std::string corners = "0 0";
  for (std::size_t k = 0; k < p.seconds.size(); ++k)
    corners += fmt::format(" {} {}", number_text(p.seconds[k]), k % 2 == 0 ? 1 : 0);
  c_.add(fmt::format("verrata_times errata_times 0 dc 0 pwl({})", corners));
}

/// Charge over kChargeSeconds, then the steady current; behind all slots that a column has otherwise.
void ColumnDeck::probe_slots() {
  c_.slot("@gerrata_charge[gain]");
  c_.slot("@ierrata_steady[dc]");
}

/// Static reads: the current of each row. Transient reads, each over time: the line's voltage, then for each row its
/// current and the voltage of its word line.
std::vector<Output> ColumnDeck::probe_outputs() const {
  std::vector<Output> all;
  const auto over_time = [&](const std::string& vector) {
    for (const double t : options_.probes->seconds) all.push_back({.vector = vector, .to_seconds = t});
  };
  if (!current_) over_time(probed_node());
  for (std::size_t j = 1; probes_rows() && j <= rows_; ++j) {
    const std::string current = fmt::format("vrow{}#branch", j);
    if (current_) {
      all.push_back({.vector = current});
      continue;
    }
    over_time(current);
    over_time(c_.word_net(fmt::format("{}", j), 0));
  }
  return all;
}

/// Sources of noise of a static read.
void ColumnDeck::name_noise() {
  Deck& deck = c_.deck();
  const auto devices_of = [&](const std::string& subcircuit, const std::string& instance, auto group) {
    for (const LeafDevice& leaf : leaf_devices(netlist_, subcircuit))
      if (has_noise_model(leaf.type))
        add_noise_device(deck, group(leaf.path), expanded_device_name(netlist_, subcircuit, instance, leaf.path));
  };
  const auto part = [](const char* name) {
    return [name](const std::string& path) { return fmt::format("{} {}", name, path); };
  };
  for (const auto& s : suffixes()) {
    add_noise_device(deck, "clamp", "rclamp" + s);
    for (std::size_t j = 2; !options_.whole_column && j <= all_rows_; ++j) {
      if (wire_) add_noise_device(deck, "bit-line wire", fmt::format("rb{}{}", j, s));
      if (source_wire_ && !s.ends_with('c')) add_noise_device(deck, "source-line wire", fmt::format("rs{}{}", j, s));
    }
    if (options_.column_switch.empty()) continue;
    for (std::size_t k = 0; k < options_.multiplexed_columns; ++k)
      devices_of(options_.column_switch, k == 0 ? "xcol" + s : fmt::format("xcol{}_{}", s, k), part("column switch"));
  }
  if (options_.whole_column) {
    devices_of(options_.subcircuit, kColumn, [](const std::string& path) { return "column " + kind_of(path); });
    return;
  }
  for (std::size_t j = 1; j <= all_rows_; ++j)
    for (std::size_t l = 0; l < options_.lines; ++l)
      devices_of(options_.subcircuit, fmt::format("x{}{}", j, l == 0 ? "" : fmt::format("_{}", l + 1)), part("cell"));
  for (std::size_t j = 1; j <= rows_ && !options_.word_line.plain(); ++j)
    for (const auto* name : {"rwd", "rwb", "rwe"}) add_noise_device(deck, "word line", fmt::format("{}{}", name, j));
  for (std::size_t j = 1; j <= rows_ && probes_rows(); ++j)
    add_noise_device(deck, fmt::format("{}{}", NoiseProbes::kRow, j - 1), fmt::format("rprobe{}", j));
}

}  // namespace errata::circuit
