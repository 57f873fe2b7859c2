#!/usr/bin/python3
"""Trains the network of a file with PyTorch on the file's batches and compares the losses, step by step.

The file has /network (docs/formats/checkpoint.md), /images [steps, batch, height, width, channels], /labels
[steps, batch], /losses [steps] by errata, and attributes optimizer, learning_rate, momentum, nesterov, weight_decay,
label_smoothing. Prints the largest difference; exit status 77 when PyTorch is missing.
"""
import sys

try:
    import h5py
    import torch
except ImportError as missing:
    print(missing)
    sys.exit(77)

from torch_network import Network


def main(path):
    torch.set_num_threads(1)
    with h5py.File(path, "r") as file:
        network = Network(file["network"])
        images, labels, losses = (torch.from_numpy(file[name][:]) for name in ("images", "labels", "losses"))
        options = {key: value.decode() if isinstance(value, bytes) else value for key, value in file.attrs.items()}
    network.train()
    matrices = [p for name, p in network.named_parameters() if p.dim() > 1]
    others = [p for name, p in network.named_parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": options["weight_decay"]}, {"params": others, "weight_decay": 0.0}]
    rate = options["learning_rate"]
    optimizer = {
        "sgd": lambda: torch.optim.SGD(groups, lr=rate, momentum=options["momentum"], nesterov=options["nesterov"] == 1),
        "adam": lambda: torch.optim.Adam(groups, lr=rate),
        "adamw": lambda: torch.optim.AdamW(groups, lr=rate),
    }[options["optimizer"]]()
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=options["label_smoothing"])
    largest = 0.0
    for step in range(len(losses)):
        optimizer.zero_grad()
        loss = loss_of(network(images[step]), labels[step].long())
        loss.backward()
        optimizer.step()
        difference = abs(loss.item() - losses[step].item())
        largest = max(largest, difference)
        if "--verbose" in sys.argv[2:]:
            print(step, loss.item(), losses[step].item(), difference)
    print("largest difference %.3g" % largest)


if __name__ == "__main__":
    main(sys.argv[1])
