"""PyTorch as in its tutorials, with `TensorDataset` and `DataLoader`, without worker processes.

Workers would have to send every batch from one process to another, which takes longer than these small batches do.
"""

import common
import torch
from pytorch_common import first_model, standardized, step, write
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


def main():
    """Train and write the results of every setting."""
    work, results = common.work()
    training, validation, test = [TensorDataset(*split) for split in standardized(work)]
    for number, setting in enumerate(work["settings"]):
        lam, model = setting["lambda"], first_model(work)
        rows = train(model, work, lam, setting["eta"], training, validation)
        write(results, number, rows, evaluate(model, test, lam)[2], model)


def train(model, work, lam, eta, training, validation):
    """Train one setting; returns a row of metrics for each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    batches = DataLoader(training, batch_size=work["n_batch"], shuffle=True)
    rows = []
    for _ in range(work["epochs"]):
        for images, labels in batches:
            step(model, optimizer, images, labels, lam, work["flip"])
        rows.append([*evaluate(model, training, lam), *evaluate(model, validation, lam)])
    return rows


@torch.inference_mode()
def evaluate(model, split, lam):
    """Loss, cost and accuracy."""
    loss = correct = 0.0
    for images, labels in DataLoader(split, batch_size=1000):
        scores = model(images)
        loss += cross_entropy(scores, labels, reduction="sum").item()
        correct += (scores.argmax(1) == labels).sum().item()
    loss /= len(split)
    return loss, loss + lam * model.weight.square().sum().item(), correct / len(split)


if __name__ == "__main__":
    main()
