#!/usr/bin/python3
"""Writes networks with PyTorch's own ONNX exporter, with images and their logits, for errata to read.

FOLDER/NAME.onnx and FOLDER/NAME.h5 (/images [n, height, width, channels], /logits). Prints the names, one a line; exit
status 77 when PyTorch is missing.
"""
import sys
import warnings

try:
    import h5py
    import torch
    from torch import nn
except ImportError as missing:
    print(missing)
    sys.exit(77)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.branch(x) + self.shortcut(x))


class MeanPooled(nn.Module):
    """Depthwise separable, ReLU6, mean over the image, view instead of flatten."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.BatchNorm2d(8), nn.ReLU6(),
            nn.Conv2d(8, 16, 1), nn.ReLU6(), nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        self.classifier = nn.Linear(16, 7)

    def forward(self, x):
        x = self.features(x).mean([2, 3])
        return self.classifier(x.view(x.size(0), -1))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.3), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def vgg():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, (3, 5), padding=(1, 2)), nn.BatchNorm2d(24), nn.ReLU(), nn.AvgPool2d(3, 2, 1),
        nn.Flatten(), nn.Linear(24 * 16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(1))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), Residual(8, 8, 1), Residual(8, 16, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 36, 40), nn.ReLU(), nn.Linear(40, 5, bias=False))


NETWORKS = {"lenet5": (lenet5, (1, 28, 28)), "vgg": (vgg, (3, 16, 16)), "resnet": (resnet, (3, 12, 12)),
            "mean_pooled": (MeanPooled, (3, 15, 15)), "mlp": (mlp, (3, 6, 6))}


def main(folder):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name, (make, shape) in NETWORKS.items():
        network = make()
        for _ in range(3):  # running statistics that are not 0 and 1
            network(torch.rand(32, *shape))
        network.eval()
        images = torch.rand(20, *shape)
        with torch.no_grad():
            body = network[:-1] if isinstance(network[-1] if isinstance(network, nn.Sequential) else None, nn.Softmax) else network
            logits = body(images)
        for opset in (9, 11, 13, 16):
            for keep in (False, True):  # with batch norm folded into convolutions, and as written
                path = f"{name}-{opset}-{'kept' if keep else 'folded'}"
                torch.onnx.export(
                    network, images[:1], f"{folder}/{path}.onnx", opset_version=opset, do_constant_folding=not keep,
                    training=torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL,
                    input_names=["images"], dynamic_axes={"images": {0: "batch"}})
                with h5py.File(f"{folder}/{path}.h5", "w") as file:
                    file["images"] = images.permute(0, 2, 3, 1).numpy()
                    file["logits"] = logits.numpy()
                print(path)


if __name__ == "__main__":
    main(sys.argv[1])
