#include "behavioral/crossbar/crossbar_network.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "core/error.h"

namespace errata::behavioral {

namespace {

constexpr double kLeastOhms = 1e-100, kMostOhms = 1e100;  // products of three conductances stay finite
constexpr std::size_t kMostLines = 8192;

void check_ohms(const char* name, double ohms) {
  if (ohms == 0 || (std::isfinite(ohms) && ohms >= kLeastOhms && ohms <= kMostOhms)) return;
  throw Error(ExitStatus::kComputation, "E520", fmt::format("{} = {} ohm; it must be 0 or positive", name, ohms));
}

void check(const CrossbarOptions& o) {
  if (o.rows < 1 || o.columns < 1 || o.rows > kMostLines || o.columns > kMostLines)
    throw Error(
        ExitStatus::kComputation, "E520",
        fmt::format("an array of {} x {} cells; 1 to {} lines each way are possible", o.rows, o.columns, kMostLines));
  check_ohms("word_wire_ohms", o.word_wire_ohms);
  check_ohms("bit_wire_ohms", o.bit_wire_ohms);
  check_ohms("driver_ohms", o.driver_ohms);
  check_ohms("sense_ohms", o.sense_ohms);
}

/// Union-find whose representative is the smallest of its class.
class MergedNodes {
 public:
  explicit MergedNodes(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0u); }

  std::uint32_t find(std::uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void merge(std::uint32_t a, std::uint32_t b) {
    a = find(a);
    b = find(b);
    if (a < b)
      parent_[b] = a;
    else
      parent_[a] = b;
  }

 private:
  std::vector<std::uint32_t> parent_;
};

/// Every wire between raw nodes: ports first (so that they represent what is merged with them), then word nodes, then
/// bit nodes. Conductance is infinite where the resistance is 0.
std::vector<CrossbarWire> raw_wires(const CrossbarOptions& o) {
  const auto rows = static_cast<std::uint32_t>(o.rows), columns = static_cast<std::uint32_t>(o.columns);
  const auto word = [=](std::uint32_t r, std::uint32_t c) { return rows + columns + r * columns + c; };
  const auto bit = [=](std::uint32_t r, std::uint32_t c) { return word(r, c) + rows * columns; };
  std::vector<CrossbarWire> wires;
  for (std::uint32_t r = 0; r < rows; ++r)
    for (std::uint32_t c = 0; c + 1 < columns; ++c)
      wires.push_back({word(r, c), word(r, c + 1), r, c, 1 / o.word_wire_ohms, BranchKind::kWordWire});
  for (std::uint32_t r = 0; r + 1 < rows; ++r)
    for (std::uint32_t c = 0; c < columns; ++c)
      wires.push_back({bit(r, c), bit(r + 1, c), r, c, 1 / o.bit_wire_ohms, BranchKind::kBitWire});
  for (std::uint32_t r = 0; r < rows; ++r) {
    const std::uint32_t last = columns - 1;
    if (o.drive != WordLineDrive::kRight)
      wires.push_back({r, word(r, 0), r, 0, 1 / o.driver_ohms, BranchKind::kDriver});
    if (o.drive != WordLineDrive::kLeft)
      wires.push_back({r, word(r, last), r, last, 1 / o.driver_ohms, BranchKind::kDriver});
  }
  for (std::uint32_t c = 0; c < columns; ++c) {
    const std::uint32_t last = rows - 1;
    if (o.sense != BitLineSense::kTop)
      wires.push_back({rows + c, bit(last, c), last, c, 1 / o.sense_ohms, BranchKind::kSense});
    if (o.sense != BitLineSense::kBottom)
      wires.push_back({rows + c, bit(0, c), 0, c, 1 / o.sense_ohms, BranchKind::kSense});
  }
  return wires;
}

}  // namespace

CrossbarNetwork make_crossbar_network(const CrossbarOptions& options) {
  check(options);
  CrossbarNetwork network;
  network.rows = options.rows;
  network.columns = options.columns;
  const std::size_t ports = network.ports(), raw = ports + 2 * network.cells();
  std::vector<CrossbarWire> wires = raw_wires(options);
  MergedNodes merged(raw);
  for (const CrossbarWire& w : wires)
    if (std::isinf(w.siemens)) merged.merge(w.a, w.b);

  std::vector<std::uint32_t> number(raw);
  for (std::uint32_t n = static_cast<std::uint32_t>(ports); n < raw; ++n)
    if (merged.find(n) == n) number[n] = static_cast<std::uint32_t>(network.interior++);
  for (std::size_t p = 0; p < ports; ++p) number[p] = static_cast<std::uint32_t>(network.interior + p);
  const auto node = [&](std::size_t n) { return number[merged.find(static_cast<std::uint32_t>(n))]; };

  for (std::size_t k = 0; k < network.cells(); ++k) {
    network.word_node.push_back(node(ports + k));
    network.bit_node.push_back(node(ports + network.cells() + k));
  }
  for (CrossbarWire w : wires) {
    w.a = node(w.a);
    w.b = node(w.b);
    if (w.a != w.b) network.wires.push_back(w);
  }
  return network;
}

}  // namespace errata::behavioral
