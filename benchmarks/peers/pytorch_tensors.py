"""PyTorch with all images as tensors in memory; batches by `index_select`."""

import common
import torch
from torch.nn.functional import cross_entropy

torch.set_num_threads(2)


def main():
    """Do the work."""
    work, results = common.work()
    training, validation, test = [_tensors(*part) for part in common.images(work)]
    mean, std = training[0].mean(0), training[0].std(0)
    for images, _ in (training, validation, test):
        images.sub_(mean).div_(std)
    for number, setting in enumerate(work["settings"]):
        torch.manual_seed(work["seed"])
        model, rows = train(work, setting["lambda"], setting["eta"], training, validation)
        _, _, accuracy = evaluate(model, *test, setting["lambda"])
        common.write(results, number, rows, accuracy, model.weight.detach().numpy(), model.bias.detach().numpy())


def _tensors(images, labels):
    return torch.from_numpy(images).float().div_(255), torch.from_numpy(labels)


def train(work, lam, eta, training, validation):
    """A trained model, and a row of figures for each epoch."""
    model = torch.nn.Linear(3072, 10)
    torch.nn.init.normal_(model.weight, std=0.01)
    torch.nn.init.normal_(model.bias, std=0.01)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    images, labels = training
    rows = []
    for _ in range(work["epochs"]):
        for chosen in torch.randperm(len(labels)).split(work["n_batch"]):
            batch = images.index_select(0, chosen)
            if work["flip"]:
                flipped = torch.rand(len(batch), 1, 1, 1) < work["flip"]
                pictures = batch.view(-1, 3, 32, 32)
                batch = torch.where(flipped, pictures.flip(-1), pictures).flatten(1)
            loss = cross_entropy(model(batch), labels.index_select(0, chosen))
            cost = loss + lam * model.weight.square().sum() if lam else loss
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
        rows.append([*evaluate(model, *training, lam), *evaluate(model, *validation, lam)])
    return model, rows


@torch.inference_mode()
def evaluate(model, images, labels, lam):
    """Loss, cost and accuracy."""
    scores = model(images)
    loss = cross_entropy(scores, labels).item()
    accuracy = (scores.argmax(1) == labels).float().mean().item()
    return loss, loss + lam * model.weight.square().sum().item(), accuracy


if __name__ == "__main__":
    main()
