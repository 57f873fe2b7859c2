#include "training/network/weight_set.h"

#include <algorithm>
#include <utility>

#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

template <class Visit>
void for_each_value(const Network& network, const Visit& visit) {
  std::size_t index = 0;
  for (Parameter* parameter : network.parameters()) visit(index++, parameter->value);
  for (const StateBuffer& buffer : network.buffers()) visit(index++, *buffer.values);
}

ERRATA_VECTOR_CLONES void move_towards(std::span<float> average, std::span<const float> values, float share) {
  for (std::size_t i = 0; i < average.size(); ++i) average[i] += share * (values[i] - average[i]);
}

}  // namespace

std::vector<WeightPlace> weight_places(const Network& network) {
  std::vector<WeightPlace> places;
  for (const Parameter* parameter : network.parameters()) places.push_back({parameter->name, parameter->shape});
  for (const StateBuffer& buffer : network.buffers()) places.push_back({buffer.name, {buffer.values->size()}});
  return places;
}

WeightSet weights_of(const Network& network) {
  WeightSet set;
  for_each_value(network, [&](std::size_t, const std::vector<float>& values) { set.values.push_back(values); });
  return set;
}

void put_weights(const WeightSet& weights, Network& network) {
  for_each_value(network, [&](std::size_t i, std::vector<float>& values) {
    std::ranges::copy(weights.values[i], values.begin());
  });
}

void swap_weights(WeightSet& weights, Network& network) {
  for_each_value(network, [&](std::size_t i, std::vector<float>& values) { std::swap(weights.values[i], values); });
}

void average_weights(WeightSet& average, const Network& network, double decay) {
  if (average.empty()) {
    average = weights_of(network);
    return;
  }
  const auto share = static_cast<float>(1.0 - decay);
  for_each_value(network, [&](std::size_t i, const std::vector<float>& values) {
    move_towards(average.values[i], values, share);
  });
}

}  // namespace errata::training
