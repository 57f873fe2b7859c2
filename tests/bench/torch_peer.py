#!/usr/bin/python3
"""PyTorch at the work of training_bench: reads "NETWORK MODE THREADS BATCHES" lines, answers "CPU_SECONDS WALL_SECONDS".

NETWORK is lenet5 or vgg_small, MODE train or infer; one batch is 64 images. Training is forward, cross-entropy,
backward and one step of SGD with momentum, as training_bench does it. The first batches of every line are not timed.
"""
import sys
import time

import torch
from torch import nn

BATCH = 64
WARM_UP = 3


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(inplace=True), nn.Linear(120, 84), nn.ReLU(inplace=True),
        nn.Linear(84, 10))


def vgg_small():
    layers, channels = [], 3
    for width in (32, 64, 128):
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(inplace=True), nn.Linear(256, 10))


SHAPES = {"lenet5": (lenet5, (1, 28, 28)), "vgg_small": (vgg_small, (3, 32, 32))}


def run(name, mode, threads, batches):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    make, shape = SHAPES[name]
    network = make()
    if FORMAT == "channels_last":
        network = network.to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, *shape)
    if FORMAT == "channels_last":
        images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (BATCH,))
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(network(images), labels).backward()
        optimizer.step()

    def infer():
        with torch.inference_mode():
            network(images)

    work = step if mode == "train" else infer
    for _ in range(WARM_UP):
        work()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(batches):
        work()
    return time.process_time() - cpu, time.perf_counter() - wall


FORMAT = sys.argv[1] if len(sys.argv) > 1 else "contiguous"

if __name__ == "__main__":
    print(f"torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        name, mode, threads, batches = line.split()
        print("%.6f %.6f" % run(name, mode, int(threads), int(batches)), flush=True)
