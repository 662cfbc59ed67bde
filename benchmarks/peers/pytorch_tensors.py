"""PyTorch with all images as tensors in memory; batches by `index_select`."""

import common
import torch
from pytorch_common import first_model, standardized, step, write
from torch.nn.functional import cross_entropy


def main():
    """Train and write the results of every setting."""
    work, results = common.work()
    training, validation, test = standardized(work)
    for number, setting in enumerate(work["settings"]):
        lam, model = setting["lambda"], first_model(work)
        rows = train(model, work, lam, setting["eta"], training, validation)
        write(results, number, rows, evaluate(model, *test, lam)[2], model)


def train(model, work, lam, eta, training, validation):
    """Train one setting; returns a row of metrics for each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    images, labels = training
    rows = []
    for _ in range(work["epochs"]):
        for chosen in torch.randperm(len(labels)).split(work["n_batch"]):
            batch = images.index_select(0, chosen), labels.index_select(0, chosen)
            step(model, optimizer, *batch, lam, work["flip"])
        rows.append([*evaluate(model, *training, lam), *evaluate(model, *validation, lam)])
    return rows


@torch.inference_mode()
def evaluate(model, images, labels, lam):
    """Loss, cost and accuracy."""
    scores = model(images)
    loss = cross_entropy(scores, labels).item()
    accuracy = (scores.argmax(1) == labels).float().mean().item()
    return loss, loss + lam * model.weight.square().sum().item(), accuracy


if __name__ == "__main__":
    main()
