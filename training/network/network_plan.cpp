#include "training/network/network_plan.h"

#include <algorithm>
#include <optional>

#include "training/network/memory_plan.h"

namespace errata::training {

namespace {

/// Steps are counted: forward of layer i is step i, its backward is step 2n − 1 − i.
class Planner {
 public:
  Planner(std::span<const PlannedLayer> layers, PlanFor purpose)
      : layers_(layers),
        training_(purpose == PlanFor::kTraining),
        readers_(layers.size()),
        output_(layers.size()),
        gradient_(layers.size(), kOutsideStorage),
        input_gradient_(layers.size(), kOutsideStorage),
        parts_(layers.size()) {
    plan_.places.resize(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i)
      for (const std::size_t input : layers[i].inputs)
        if (input != NetworkPlan::kOutside) readers_[input].push_back(i);
    storages_.push_back({0, 0, 2 * layers.size()});  // the outside
    shared_.push_back(0);
  }

  NetworkPlan plan() {
    for (std::size_t i = 0; i < layers_.size(); ++i) place_output(i);
    if (training_)
      for (std::size_t i = layers_.size(); i-- > 0;) place_input_gradients(i);
    const MemoryPlan memory = plan_memory(storages_, 1);
    const auto offset = [&](std::size_t storage) {
      return storage == kOutsideStorage ? NetworkPlan::kOutside : memory.offsets[storage];
    };
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      NetworkPlan::Place& place = plan_.places[i];
      place.output = offset(output_[i]);
      place.gradient = offset(gradient_[i]);
      place.input_gradient = offset(input_gradient_[i]);
      for (auto& sum : place.sums)
        for (std::size_t& part : sum.parts) part = offset(part);
    }
    plan_.values = memory.total;
    return std::move(plan_);
  }

 private:
  static constexpr std::size_t kOutsideStorage = 0;

  std::size_t backward_step(std::size_t layer) const { return 2 * layers_.size() - 1 - layer; }
  std::size_t new_storage(std::size_t size, std::size_t step) {
    storages_.push_back({size, step, step});
    shared_.push_back(0);
    return storages_.size() - 1;
  }
  void extend(std::size_t storage, std::size_t step) {
    storages_[storage].last = std::max(storages_[storage].last, step);
  }

  /// An input on which layer i can work in place: nobody else reads it, now or in backward.
  std::optional<std::size_t> place_to_work(std::size_t i) const {
    const PlannedLayer& layer = layers_[i];
    if (!layer.traits.in_place || i + 1 == layers_.size()) return std::nullopt;
    for (const std::size_t input : std::span(layer.inputs).first(std::min<std::size_t>(layer.inputs.size(), 2))) {
      if (input == NetworkPlan::kOutside || readers_[input].size() != 1) continue;
      if (training_ && layers_[input].traits.backward_reads_output) continue;
      return input;
    }
    return std::nullopt;
  }

  void place_output(std::size_t i) {
    const PlannedLayer& layer = layers_[i];
    const auto shared = place_to_work(i);
    if (i + 1 == layers_.size())
      output_[i] = kOutsideStorage;
    else
      output_[i] = shared ? output_[*shared] : new_storage(layer.size, i);
    extend(output_[i], i);
    if (training_ && layer.traits.backward_reads_output) extend(output_[i], backward_step(i));
    for (const std::size_t reader : readers_[i]) {
      extend(output_[i], reader);
      if (training_ && layers_[reader].traits.backward_reads_input) extend(output_[i], backward_step(reader));
    }
  }

  bool wants_gradient(std::size_t input) const { return input != NetworkPlan::kOutside && layers_[input].learns; }

  void place_input_gradients(std::size_t i) {
    const PlannedLayer& layer = layers_[i];
    if (!layer.learns) return;
    const auto wanting = std::ranges::count_if(layer.inputs, [&](std::size_t input) { return wants_gradient(input); });
    if (layer.traits.passes_gradient && wanting > 1) shared_[gradient_[i]] = 1;
    for (const std::size_t input : layer.inputs) {
      if (!wants_gradient(input)) continue;
      const bool passed = layer.traits.passes_gradient || (layer.traits.in_place && shared_[gradient_[i]] == 0);
      const std::size_t part = passed ? gradient_[i] : new_storage(layers_[input].size, backward_step(i));
      extend(part, backward_step(input));
      input_gradient_[i] = part;
      parts_[input].push_back(part);
      if (parts_[input].size() == readers_[input].size()) finish_gradient(input, i);
    }
  }

  /// The last reader's backward has run: the gradient of `layer`'s output is complete after it.
  void finish_gradient(std::size_t layer, std::size_t reader) {
    const auto& parts = parts_[layer];
    if (parts.size() == 1) {
      gradient_[layer] = parts[0];
      return;
    }
    const auto own = std::ranges::find_if(parts, [&](std::size_t part) { return shared_[part] == 0; });
    const std::size_t target = own != parts.end() ? *own : new_storage(layers_[layer].size, backward_step(reader));
    extend(target, backward_step(layer));
    gradient_[layer] = target;
    plan_.places[reader].sums.push_back({layer, parts});
  }

  std::span<const PlannedLayer> layers_;
  bool training_;
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<std::size_t> output_, gradient_, input_gradient_;  ///< storages
  std::vector<std::vector<std::size_t>> parts_;                  ///< per layer: gradients of its output so far
  std::vector<MemoryUse> storages_;
  std::vector<std::uint8_t> shared_;  ///< per storage: the gradient of several tensors, not to be overwritten
  NetworkPlan plan_;
};

}  // namespace

NetworkPlan plan_network(std::span<const PlannedLayer> layers, PlanFor purpose) {
  return Planner(layers, purpose).plan();
}

}  // namespace errata::training
