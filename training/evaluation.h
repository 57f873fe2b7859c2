#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "training/data/data_set.h"
#include "training/network/network.h"

namespace errata::training {

/// How a data set is run through a network.
struct EvaluationOptions {
  ProductHook* hook = nullptr;                  ///< null: ideal products
  std::uint64_t seed = 1;                       ///< given to the hook
  std::uint64_t epoch = 0;                      ///< given to the hook
  std::size_t batch_size = 256;                 ///< results are the same for every multiple of kShardImages
  std::size_t images = 0;                       ///< first so many images; 0: all
  std::span<const std::uint32_t> numbers = {};  ///< numbers of the images; empty: all
  int threads = 1;
  std::function<bool()> should_stop;  ///< asked between batches; may be empty
};

/// Result of a run through a data set.
struct Evaluation {
  LossSums sums;
  std::vector<std::uint8_t> predictions;  ///< class of each image
};

/// Loss, accuracy and predictions in evaluation mode, in the set's order. Empty when should_stop said so.
std::optional<Evaluation> evaluate(Network& network, const ImageSet& set, const EvaluationOptions& options);

}  // namespace errata::training
