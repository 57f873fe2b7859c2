#include "behavioral/crossbar/crossbar_dissection.h"

#include <algorithm>
#include <numeric>

namespace errata::behavioral {

namespace {

constexpr std::uint32_t kLeafCells = 4;  // measured: 2 and 8 are slower

struct Rectangle {
  std::uint32_t top, bottom, left, right;  ///< half-open
  std::uint32_t height() const { return bottom - top; }
  std::uint32_t width() const { return right - left; }
  bool holds(const Rectangle& r) const {
    return top <= r.top && r.bottom <= bottom && left <= r.left && r.right <= right;
  }
  void extend(std::uint32_t row, std::uint32_t column) {
    top = std::min(top, row);
    bottom = std::max(bottom, row + 1);
    left = std::min(left, column);
    right = std::max(right, column + 1);
  }
};

class Dissector {
 public:
  explicit Dissector(const CrossbarNetwork& network) : network_(network) {
    find_extents();
    sort_wires();
    result_.position.resize(network.nodes());
    std::iota(result_.position.begin(), result_.position.end(), 0u);
  }

  Dissection run() {
    std::vector<std::uint32_t> all(network_.interior);
    std::iota(all.begin(), all.end(), 0u);
    const Rectangle whole{0, static_cast<std::uint32_t>(network_.rows), 0,
                          static_cast<std::uint32_t>(network_.columns)};
    split(whole, std::move(all), 0);
    for (std::size_t f = 0; f < result_.fronts.size(); ++f) find_boundary(f);
    for (std::size_t f = 0; f < result_.fronts.size(); ++f) number_locally(f);
    return std::move(result_);
  }

 private:
  struct LeafBranch {
    std::uint32_t a, b, branch;
  };

  /// Rectangle of the cells at which a node has resistors.
  void find_extents() {
    extent_.assign(network_.nodes(), {~0u, 0, ~0u, 0});
    for (std::uint32_t r = 0, k = 0; r < network_.rows; ++r)
      for (std::uint32_t c = 0; c < network_.columns; ++c, ++k) {
        extent_[network_.word_node[k]].extend(r, c);
        extent_[network_.bit_node[k]].extend(r, c);
      }
    for (const CrossbarWire& w : network_.wires) {
      extent_[w.a].extend(w.row, w.column);
      extent_[w.b].extend(w.row, w.column);
    }
  }

  /// Wires by the cell they lie at.
  void sort_wires() {
    wires_at_.assign(network_.cells() + 1, 0);
    for (const CrossbarWire& w : network_.wires) ++wires_at_[w.row * network_.columns + w.column + 1];
    std::partial_sum(wires_at_.begin(), wires_at_.end(), wires_at_.begin());
    wires_.resize(network_.wires.size());
    auto next = wires_at_;
    for (std::uint32_t i = 0; i < network_.wires.size(); ++i) {
      const CrossbarWire& w = network_.wires[i];
      wires_[next[w.row * network_.columns + w.column]++] = i;
    }
  }

  /// Makes the front of a rectangle that holds all resistors of `nodes`; returns its index.
  std::int32_t split(const Rectangle& area, std::vector<std::uint32_t> nodes, std::uint32_t level) {
    Front front;
    front.level = level;
    const bool leaf = area.height() * area.width() <= kLeafCells;
    if (!leaf) {
      Rectangle first = area, second = area;
      if (area.height() >= area.width())
        first.bottom = second.top = area.top + area.height() / 2;
      else
        first.right = second.left = area.left + area.width() / 2;
      std::vector<std::uint32_t> in_first, in_second, cut;
      for (const std::uint32_t n : nodes)
        (first.holds(extent_[n]) ? in_first : second.holds(extent_[n]) ? in_second : cut).push_back(n);
      nodes = std::move(cut);
      front.children[0] = split(first, std::move(in_first), level + 1);
      front.children[1] = split(second, std::move(in_second), level + 1);
    }
    front.first = next_position_;
    front.pivots = static_cast<std::uint32_t>(nodes.size());
    for (const std::uint32_t n : nodes) result_.position[n] = next_position_++;
    result_.fronts.push_back(std::move(front));
    leaf_area_.push_back(leaf ? area : Rectangle{0, 0, 0, 0});
    return static_cast<std::int32_t>(result_.fronts.size() - 1);
  }

  std::vector<LeafBranch> branches_of(const Rectangle& area) const {
    std::vector<LeafBranch> branches;
    for (std::uint32_t r = area.top; r < area.bottom; ++r)
      for (std::uint32_t c = area.left; c < area.right; ++c) {
        const auto k = static_cast<std::uint32_t>(r * network_.columns + c);
        branches.push_back({network_.word_node[k], network_.bit_node[k], k});
        for (std::uint32_t i = wires_at_[k]; i < wires_at_[k + 1]; ++i) {
          const CrossbarWire& w = network_.wires[wires_[i]];
          branches.push_back({w.a, w.b, static_cast<std::uint32_t>(network_.cells() + wires_[i])});
        }
      }
    return branches;
  }

  void find_boundary(std::size_t f) {
    Front& front = result_.fronts[f];
    std::vector<std::uint32_t>& b = front.boundary;
    for (const LeafBranch& branch : branches_of(leaf_area_[f])) {
      b.push_back(result_.position[branch.a]);
      b.push_back(result_.position[branch.b]);
    }
    for (const std::int32_t child : front.children)
      if (child >= 0) {
        const auto& below = result_.fronts[static_cast<std::size_t>(child)].boundary;
        b.insert(b.end(), below.begin(), below.end());
      }
    std::ranges::sort(b);
    b.erase(std::unique(b.begin(), b.end()), b.end());
    std::erase_if(b, [&](std::uint32_t p) { return p < front.first + front.pivots; });
  }

  static std::uint32_t local_index(const Front& front, std::uint32_t position) {
    if (position < front.first + front.pivots) return position - front.first;
    const auto at = std::ranges::lower_bound(front.boundary, position);
    return front.pivots + static_cast<std::uint32_t>(at - front.boundary.begin());
  }

  void number_locally(std::size_t f) {
    Front& front = result_.fronts[f];
    for (const LeafBranch& branch : branches_of(leaf_area_[f])) {
      const auto [low, high] =
          std::minmax({local_index(front, result_.position[branch.a]), local_index(front, result_.position[branch.b])});
      front.entries.push_back({low, high, branch.branch});
    }
    for (const std::int32_t child : front.children) {
      if (child < 0) continue;
      Front& below = result_.fronts[static_cast<std::size_t>(child)];
      for (const std::uint32_t position : below.boundary) below.parent.push_back(local_index(front, position));
    }
  }

  const CrossbarNetwork& network_;
  std::vector<Rectangle> extent_;
  std::vector<std::uint32_t> wires_at_, wires_;
  std::vector<Rectangle> leaf_area_;
  std::uint32_t next_position_ = 0;
  Dissection result_;
};

}  // namespace

Dissection dissect(const CrossbarNetwork& network) { return Dissector(network).run(); }

}  // namespace errata::behavioral
