"""The parts that both PyTorch programs share: tensors, initial weights, a training step."""

import common
import torch
from torch.nn.functional import cross_entropy

torch.set_num_threads(2)


def standardized(work):
    """Images of each split, (n, 3072), in float32 with the statistics of the first, and labels."""
    splits = [
        (torch.from_numpy(images).float().div_(255), torch.from_numpy(labels)) for images, labels in common.images(work)
    ]
    mean, std = splits[0][0].mean(0), splits[0][0].std(0)
    for images, _ in splits:
        images.sub_(mean).div_(std)
    return splits


def first_model(work):
    """A linear layer with small random weights."""
    torch.manual_seed(work["seed"])
    model = torch.nn.Linear(3072, 10)
    torch.nn.init.normal_(model.weight, std=0.01)
    torch.nn.init.normal_(model.bias, std=0.01)
    return model


def step(model, optimizer, images, labels, lam, flip):
    """Update the model with one batch."""
    if flip:
        flipped = torch.rand(len(images), 1, 1, 1) < flip
        pictures = images.view(-1, 3, 32, 32)
        images = torch.where(flipped, pictures.flip(-1), pictures).flatten(1)
    loss = cross_entropy(model(images), labels)
    cost = loss + lam * model.weight.square().sum() if lam else loss
    optimizer.zero_grad()
    cost.backward()
    optimizer.step()


def write(results, number, rows, accuracy, model):
    """Write the results of one setting."""
    common.write(results, number, rows, accuracy, model.weight.detach().numpy(), model.bias.detach().numpy())
