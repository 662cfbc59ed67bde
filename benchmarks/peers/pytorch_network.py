"""A network of a config in PyTorch, eager, in the default memory layout or, with ``--channels-last``, in the other."""

import sys

import network_data
import torch
from torch import nn
from torch.nn.functional import cross_entropy

torch.set_num_threads(2)
LAYOUT = torch.channels_last if "--channels-last" in sys.argv else torch.contiguous_format


def main():
    """Train and write the results."""
    work, results = network_data.work()
    config = work["config"]
    training, validation, test = (
        (torch.from_numpy(images).contiguous(memory_format=LAYOUT), torch.from_numpy(labels))
        for images, labels in network_data.images(work)
    )
    torch.manual_seed(config["seed"])
    model = network(config["model"], training[0].shape[1:]).to(memory_format=LAYOUT)
    rows = train(model, config, training, validation)
    network_data.write(results, rows, evaluate(model, *test, config)[2])


def network(model, shape):
    """Make the layers, with weights drawn as the config says."""
    layers, channels = [], shape[0]
    for entry in model["layers"]:
        kind, own = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        if kind == "conv":
            layers.append(nn.Conv2d(channels, own["filters"], own["kernel"], padding=own["padding"]))
            channels = own["filters"]
        elif kind == "maxpool":
            layers.append(nn.MaxPool2d(own))
        elif kind == "linear":
            layers.append(nn.LazyLinear(10))
        else:
            layers.append({"relu": nn.ReLU, "flatten": nn.Flatten}[kind]())
        if kind in ("conv", "linear"):
            with torch.no_grad():
                nn.Sequential(*layers)(torch.zeros(1, *shape))
            init = (own.get("init") if isinstance(own, dict) else None) or model["init"]
            fan_in = layers[-1].weight[0].numel()
            std = init["std"] if init["kind"] == "normal" else init["factor"] * (2 / fan_in) ** 0.5
            nn.init.normal_(layers[-1].weight, std=std)
            nn.init.zeros_(layers[-1].bias)
    return nn.Sequential(*layers)


def train(model, config, training, validation):
    """Train; return the metrics of each evaluation."""
    images, labels = training
    momentum, penalty = config["momentum"], 2 * config["lambda"]
    weights = [p for p in model.parameters() if p.ndim > 1 or config["penalise"] == "all"]
    others = [p for p in model.parameters() if p.ndim == 1 and config["penalise"] != "all"]
    groups = [{"params": weights, "weight_decay": penalty}, *([{"params": others}] if others else [])]
    optimizer = torch.optim.SGD(groups, lr=config["eta"] * (1 - momentum), momentum=momentum)
    total, every = network_data.steps(config, len(labels))
    seen = config["evaluate"]["train_images"]
    rows, step = [evaluate(model, images[:seen], labels[:seen], config)], 0
    while step < total:
        for chosen in torch.randperm(len(labels)).split(config["n_batch"])[: total - step]:
            loss = cross_entropy(model(images[chosen].contiguous(memory_format=LAYOUT)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % every == 0 or step == total:
                both = ((images[:seen], labels[:seen]), validation)
                rows.append([number for split in both for number in evaluate(model, *split, config)])
    return rows


@torch.inference_mode()
def evaluate(model, images, labels, config):
    """Loss, cost and accuracy."""
    scores = torch.cat([model(part) for part in images.split(500)])
    squares = sum(p.square().sum() for p in model.parameters() if p.ndim > 1 or config["penalise"] == "all")
    loss = cross_entropy(scores, labels).item()
    return loss, loss + config["lambda"] * squares.item(), (scores.argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    main()
