"""PyTorch as its tutorials have it: a `TensorDataset` and `DataLoader` objects, without worker processes.

Workers would have to send every batch from one process to another, which costs more than these batches do.
"""

import common
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(2)


def main():
    """Do the work."""
    work, results = common.work()
    training, validation, test = [_tensors(*part) for part in common.images(work)]
    mean, std = training[0].mean(0), training[0].std(0)
    for images, _ in (training, validation, test):
        images.sub_(mean).div_(std)
    training, validation, test = [TensorDataset(*part) for part in (training, validation, test)]
    for number, setting in enumerate(work["settings"]):
        torch.manual_seed(work["seed"])
        model, rows = train(work, setting["lambda"], setting["eta"], training, validation)
        _, _, accuracy = evaluate(model, test, setting["lambda"])
        common.write(results, number, rows, accuracy, model.weight.detach().numpy(), model.bias.detach().numpy())


def _tensors(images, labels):
    return torch.from_numpy(images).float().div_(255), torch.from_numpy(labels)


def train(work, lam, eta, training, validation):
    """A trained model, and a row of figures for each epoch."""
    model = torch.nn.Linear(3072, 10)
    torch.nn.init.normal_(model.weight, std=0.01)
    torch.nn.init.normal_(model.bias, std=0.01)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    batches = DataLoader(training, batch_size=work["n_batch"], shuffle=True)
    rows = []
    for _ in range(work["epochs"]):
        for images, labels in batches:
            batch = images
            if work["flip"]:
                flipped = torch.rand(len(images), 1, 1, 1) < work["flip"]
                pictures = images.view(-1, 3, 32, 32)
                batch = torch.where(flipped, pictures.flip(-1), pictures).flatten(1)
            loss = cross_entropy(model(batch), labels)
            cost = loss + lam * model.weight.square().sum() if lam else loss
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
        rows.append([*evaluate(model, training, lam), *evaluate(model, validation, lam)])
    return model, rows


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
