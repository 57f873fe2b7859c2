#pragma once

#include "training/network/network.h"
#include "training/onnx/onnx_file.h"

namespace errata::training::onnx {

/// The network in evaluation mode as an ONNX graph, opset 13, channels first, any batch size; docs/formats/onnx.md.
///
/// Quantised layers get their weights as multiples of s_w and, in front, Clip, QuantizeLinear and DequantizeLinear for
/// the inputs: what ideal hardware computes, but for fp32 rounding. More than 8 bits of input are an Error (usage,
/// E516).
Graph export_graph(const Network& network);

}  // namespace errata::training::onnx
