#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "core/random_stream.h"
#include "training/network/network.h"
#include "training/product_hook.h"

namespace errata::training {

/// Compares a hook's product with the layer's own, product by product.
class Comparing final : public ProductHook {
 public:
  /// `only`: the one matrix layer to compare; −1: all.
  explicit Comparing(ProductHook& inner, int only = -1) : inner_(inner), only_(only) {}
  std::vector<double> difference;

  void begin_batch(Network& network, const BatchContext& context) override { inner_.begin_batch(network, context); }
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override {
    Tensor ideal;
    ideal.resize(product.images(), product.shape());
    layer.ideal_product(codes, ideal);
    if (only_ < 0 || layer.index() == static_cast<std::size_t>(only_)) {
      inner_.product(layer, shard, context, codes, product, slope);
      for (std::size_t i = 0; i < product.size(); ++i)
        difference.push_back(static_cast<double>(product.data()[i]) - static_cast<double>(ideal.data()[i]));
    }
    std::copy(ideal.data(), ideal.data() + ideal.size(), product.data());  // later layers see the same inputs
  }

 private:
  ProductHook& inner_;
  int only_;
};

struct Example {
  std::unique_ptr<Network> network;
  Tensor images;
};

/// A network with its input steps set, and images for it.
inline Example example(NetworkOptions options, std::size_t images) {
  Example e;
  e.network = make_network(options, 3);
  e.images.resize(images, options.input);
  RandomStream stream(1, StreamPurpose::kTest);
  for (std::size_t i = 0; i < e.images.size(); ++i)
    e.images.data()[i] = static_cast<float>(std::max(0.0, stream.normal()));
  e.network->forward(e.images, {});
  return e;
}

}  // namespace errata::training
