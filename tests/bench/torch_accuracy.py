#!/usr/bin/python3
"""PyTorch's twin of accuracy_bench: torch_accuracy.py FOLDER NETWORK EPOCHS BATCH RATE, then one seed a line; answers
the accuracy on the test images in percent.

FOLDER holds what accuracy_bench wrote: {train,test}.{pixels,labels} as bytes, images [number][height][width]. NETWORK is
lenet5 or mlp. Adam with a cosine from RATE to 0 over all steps, PyTorch's own initial weights, no augmentation, one
thread.
"""
import math
import pathlib
import sys

import numpy
import torch
from torch import nn


def load(folder, name, side):
    pixels = numpy.fromfile(folder / (name + ".pixels"), dtype=numpy.uint8).reshape(-1, 1, side, side)
    labels = numpy.fromfile(folder / (name + ".labels"), dtype=numpy.uint8)
    return torch.from_numpy(pixels.astype(numpy.float32) / 255), torch.from_numpy(labels.astype(numpy.int64))


def make(name, classes):
    if name == "lenet5":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes))
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
                         nn.Linear(128, classes))


def accuracy_of(seed, name, train, test, epochs, batch, rate):
    torch.manual_seed(seed)
    images, labels = train
    network = make(name, int(labels.max()) + 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    loss_of = nn.CrossEntropyLoss()
    per_epoch = math.ceil(len(images) / batch)
    step = 0
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for k in range(per_epoch):
            chosen = order[k * batch:(k + 1) * batch]
            for group in optimizer.param_groups:
                group["lr"] = 0.5 * rate * (1 + math.cos(math.pi * step / (per_epoch * epochs)))
            optimizer.zero_grad(set_to_none=True)
            loss_of(network(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            step += 1
    with torch.inference_mode():
        hits = sum(int((network(i).argmax(1) == l).sum()) for i, l in zip(test[0].split(500), test[1].split(500)))
    return 100.0 * hits / len(test[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
    epochs, batch, rate = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    sets = load(folder, "train", 28), load(folder, "test", 28)
    print(f"torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        print("%.6f" % accuracy_of(int(line), name, *sets, epochs, batch, rate), flush=True)
