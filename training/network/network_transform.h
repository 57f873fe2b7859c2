#pragma once

#include <memory>

#include "training/network/network.h"

namespace errata::training {

/// The same network with the same values.
std::unique_ptr<Network> copy_of(const Network& network);

/// The same network with other quantisers; their steps start anew from the values and the first batch.
std::unique_ptr<Network> with_quantization(const Network& network, QuantizationOptions quantization);

/// The same network on other devices; weights and steps stay: naive transfer.
std::unique_ptr<Network> with_device(const Network& network, DeviceOptions device);

/// The network with every batch norm that directly follows a convolution or linear layer, and is its only reader, moved
/// into that layer's weights and bias: y = f (W x + b) + o becomes (f W) x + (f b + o), with the running statistics.
/// What evaluation gives stays the same but for fp32 rounding; nothing digital is left between the matrix and its
/// activation.
///
/// Layers with quantised weights keep their batch norm: one step for the whole matrix would no longer fit its columns.
/// Fold in floating point and quantise afterwards: with_quantization(*fold_batch_norm(network), …), then train on.
std::unique_ptr<Network> fold_batch_norm(const Network& network);

}  // namespace errata::training
