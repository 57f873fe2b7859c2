#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "training/layers/layer.h"

namespace errata::training {

/// What the plan needs to know about one layer of a network.
struct PlannedLayer {
  LayerTraits traits;
  std::vector<std::size_t> inputs;  ///< numbers of earlier layers; NetworkPlan::kOutside for the images
  std::size_t size = 0;             ///< values of one image's output
  bool learns = false;              ///< parameters lie in it or before it
};

/// Where a network's tensors lie: offsets in values per image within the memory of one shard. Every shard has memory of
/// its own, so a tensor's life is counted in layers, whatever the other shards are doing. Tensors share memory where
/// their lives do not overlap, and where a layer works in place.
struct NetworkPlan {
  static constexpr std::size_t kOutside = static_cast<std::size_t>(-1);

  /// Gradients of a tensor that several layers read, to be added up: target = Σ parts, in this order.
  struct GradientSum {
    std::size_t layer = 0;  ///< whose output it belongs to
    std::vector<std::size_t> parts;
  };
  struct Place {
    std::size_t output = kOutside;          ///< the network's output lies outside
    std::size_t gradient = kOutside;        ///< of the output; of the network's output outside
    std::size_t input_gradient = kOutside;  ///< where backward_shard() writes
    std::vector<GradientSum> sums;          ///< due after backward_shard()
  };

  std::vector<Place> places;
  std::size_t values = 0;  ///< per image in all
};

enum class PlanFor { kTraining, kEvaluation };
NetworkPlan plan_network(std::span<const PlannedLayer> layers, PlanFor purpose);

}  // namespace errata::training
