#include "training/evaluation.h"

#include <algorithm>
#include <numeric>

#include "training/data/batches.h"

namespace errata::training {

std::optional<Evaluation> evaluate(Network& network, const ImageSet& set, const EvaluationOptions& options) {
  std::vector<std::uint32_t> numbers(options.numbers.begin(), options.numbers.end());
  if (numbers.empty()) {
    numbers.resize(set.count());
    std::iota(numbers.begin(), numbers.end(), 0u);
  }
  if (options.images > 0) numbers.resize(std::min(options.images, numbers.size()));
  const std::size_t count = numbers.size();
  Evaluation result;
  result.predictions.reserve(count);
  Batch batch;
  ForwardOptions forward{{false, options.seed, options.epoch, 0, 0}, options.hook, options.threads};
  for (std::size_t first = 0; first < count; first += options.batch_size, ++forward.context.step) {
    if (options.should_stop && options.should_stop()) return std::nullopt;
    const std::size_t size = std::min(options.batch_size, count - first);
    fill_batch(set, network.options().input,
               {std::span(numbers).subspan(first, size), 0, 0, {}, network.options().normalization}, batch);
    forward.context.first_image = first;
    const Tensor& logits = network.forward(batch.images, forward);
    result.sums += network.loss(batch.labels);
    for (std::size_t i = 0; i < size; ++i)
      result.predictions.push_back(static_cast<std::uint8_t>(predicted_class(logits.image(i))));
  }
  return result;
}

}  // namespace errata::training
