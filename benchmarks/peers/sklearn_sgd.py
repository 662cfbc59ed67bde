"""scikit-learn's `SGDClassifier`, with one logistic loss per class and one step per image.

n_batch steps of size eta / n_batch, one per image, amount on average to one step of size eta for the batch. The loss of
cifar-linear is the mean over the classes, that of scikit-learn their sum, so eta and lambda are scaled by the number of
classes.
"""

import common
import numpy as np
from sklearn.linear_model import SGDClassifier

CLASSES = np.arange(10)


def main():
    """Train and write the results of every setting."""
    work, results = common.work()
    splits = [(images / np.float32(255), labels) for images, labels in common.images(work)]
    mean, std = splits[0][0].mean(axis=0), splits[0][0].std(axis=0)
    training, validation, test = (((images - mean) / std, labels) for images, labels in splits)
    for number, setting in enumerate(work["settings"]):
        lam = setting["lambda"]
        model = SGDClassifier(
            loss="log_loss",
            penalty="l2",
            alpha=2 * lam * len(CLASSES),
            learning_rate="constant",
            eta0=setting["eta"] / work["n_batch"] / len(CLASSES),
            random_state=work["seed"],
            n_jobs=2,
        )
        rows = []
        for _ in range(work["epochs"]):
            model.partial_fit(*training, classes=CLASSES)
            rows.append([*evaluate(model, *training, lam), *evaluate(model, *validation, lam)])
        _, _, accuracy = evaluate(model, *test, lam)
        common.write(results, number, rows, accuracy, model.coef_, model.intercept_)


def evaluate(model, images, labels, lam):
    """Loss, cost and accuracy as cifar-linear defines them."""
    scores = model.decision_function(images)
    signs = np.where(labels[:, None] == CLASSES, -1, 1)
    loss = np.logaddexp(0, signs * scores).mean()
    return loss, loss + lam * np.square(model.coef_).sum(), np.mean(scores.argmax(axis=1) == labels)


if __name__ == "__main__":
    main()
