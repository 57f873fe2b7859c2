#pragma once

#include <string>
#include <vector>

#include "training/network/network.h"

namespace errata::training {

/// All values of a network at one moment: parameters, then buffers. Empty: none were taken yet.
struct WeightSet {
  std::vector<std::vector<float>> values;

  bool empty() const { return values.empty(); }
};

/// Names and shapes of what a weight set of the network holds, in its order.
struct WeightPlace {
  std::string name;
  std::vector<std::size_t> shape;
};
std::vector<WeightPlace> weight_places(const Network& network);

WeightSet weights_of(const Network& network);
/// Sizes must be those of weights_of().
void put_weights(const WeightSet& weights, Network& network);
void swap_weights(WeightSet& weights, Network& network);
/// average ← average + (1 − decay) · (network − average); an empty average becomes a copy.
void average_weights(WeightSet& average, const Network& network, double decay);

}  // namespace errata::training
