"""Networks of errata's files as PyTorch modules: an independent second reading of layers, layouts and weights.

Reads a group that training/checkpoint.cpp writes (docs/formats/checkpoint.md, network.md), floating point only.
"""
import math
import tomllib

import numpy
import torch
from torch import nn


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def pads(layer):
    """Top, left, bottom, right."""
    value = layer.get("padding", 0)
    return tuple(value) if isinstance(value, list) else (value,) * 4


class Network(nn.Module):
    """Images come as errata has them, [n, height, width, channels]; outputs are logits."""

    def __init__(self, group):
        super().__init__()
        lines = [line.decode() for line in group["layers"][:]]
        self.layers = tomllib.loads("\n".join(lines))["layer"]
        self.shapes = {"images": tuple(int(size) for size in group.attrs["input"])}
        self.ops = nn.ModuleDict()
        for layer in self.layers:
            self.build(layer, group)

    def key(self, layer):
        return layer["name"].replace(".", "/")

    def build(self, layer, group):
        kind, name = layer["type"], layer["name"]
        height, width, channels = self.shapes[layer["inputs"][0]]

        def stored(which):
            return torch.from_numpy(numpy.array(group[f"parameters/{name}.{which}"]))

        def window(key):
            kernel, stride = pair(layer[key]), pair(layer.get("stride", 1))
            top, left, bottom, right = pads(layer)
            return (kernel, stride, (height + top + bottom - kernel[0]) // stride[0] + 1,
                    (width + left + right - kernel[1]) // stride[1] + 1)

        if kind in ("convolution", "depthwise_convolution"):
            kernel, stride, height, width = window("kernel")
            depthwise = kind == "depthwise_convolution"
            outputs = channels if depthwise else layer["channels"]
            op = nn.Conv2d(channels, outputs, kernel, stride, groups=channels if depthwise else 1, bias=layer["bias"])
            weight = stored("weight").reshape(*kernel, 1 if depthwise else channels, outputs)
            op.weight.data = weight.permute(3, 2, 0, 1).contiguous()
            if layer["bias"]:
                op.bias.data = stored("bias")
            channels = outputs
        elif kind == "linear":
            features = height * width * channels
            op = nn.Linear(features, layer["features"], bias=layer["bias"])
            # Rows are in the order (row, column, channel), PyTorch flattens (channel, row, column).
            weight = stored("weight").reshape(height, width, channels, layer["features"])
            op.weight.data = weight.permute(3, 2, 0, 1).reshape(layer["features"], features).contiguous()
            if layer["bias"]:
                op.bias.data = stored("bias")
            height, width, channels = 1, 1, layer["features"]
        elif kind == "batch_norm":
            op = nn.BatchNorm2d(channels, eps=layer["epsilon"])
            op.weight.data, op.bias.data = stored("scale"), stored("shift")
            for ours, theirs in (("running_mean", op.running_mean), ("running_variance", op.running_var)):
                theirs.data[:] = torch.from_numpy(numpy.array(group[f"buffers/{name}.{ours}"]))
        elif kind in ("max_pooling", "average_pooling"):
            op = nn.Identity()
            _, _, height, width = window("window")
        elif kind == "global_average_pooling":
            op, height, width = nn.Identity(), 1, 1
        elif kind == "flatten":
            op = nn.Identity()  # (row, column, channel) is kept until a linear layer flattens
        elif kind in ("relu", "dropout", "addition"):
            op = nn.Identity()
        else:
            raise ValueError(f"a layer of type {kind}")
        self.ops[self.key(layer)] = op
        self.shapes[name] = (height, width, channels)

    def forward(self, images):
        values = {"images": images.permute(0, 3, 1, 2)}
        for layer in self.layers:
            x = values[layer["inputs"][0]]
            values[layer["name"]] = self.run(layer, x, [values[name] for name in layer["inputs"]])
        return torch.flatten(values[self.layers[-1]["name"]], 1)

    def run(self, layer, x, inputs):
        kind, op = layer["type"], self.ops[self.key(layer)]
        top, left, bottom, right = pads(layer)
        if kind in ("convolution", "depthwise_convolution"):
            return op(nn.functional.pad(x, (left, right, top, bottom)))
        if kind == "linear":
            return op(torch.flatten(x, 1))[:, :, None, None]
        if kind == "batch_norm":
            return op(x)
        if kind == "relu":
            return torch.clamp(x, 0.0, layer.get("ceiling", math.inf))
        if kind == "max_pooling":
            x = nn.functional.pad(x, (left, right, top, bottom), value=-math.inf)
            return nn.functional.max_pool2d(x, pair(layer["window"]), pair(layer["stride"]))
        if kind == "average_pooling":
            window, stride = pair(layer["window"]), pair(layer["stride"])
            sums = nn.functional.avg_pool2d(nn.functional.pad(x, (left, right, top, bottom)), window, stride)
            if layer["counts_padding"]:
                return sums
            ones = nn.functional.pad(torch.ones_like(x), (left, right, top, bottom))
            return sums / nn.functional.avg_pool2d(ones, window, stride)
        if kind == "global_average_pooling":
            return x.mean((2, 3), keepdim=True)
        if kind == "addition":
            return sum(inputs[1:], inputs[0])
        return x  # flatten; dropout, which tests leave at 0 or in evaluation mode
