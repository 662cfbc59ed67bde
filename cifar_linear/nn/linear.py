"""R linear classifiers side by side: one matrix product serves them all.

Weights ``W`` are (R, K, d), biases ``b`` (R, K), images ``X`` (n, d) in rows, ``lam`` and ``eta`` (R,).
The cost of a run is its mean loss plus lam * sum(W**2); the bias is not penalised.
"""

from collections.abc import Iterable

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.matmul import columns_times_columns, rows_times_rows


def initial_weights(rng: np.random.Generator, classes: int, features: int, std: float) -> tuple[Doubles, Doubles]:
    """W (K, d), then b (K,), both drawn from N(0, std**2) in float64."""
    W = rng.normal(0, std, (classes, features))
    b = rng.normal(0, std, classes)
    return W, b


def scores(X: Floats, W: Floats, b: Floats) -> Floats:
    """X W^T + b for every run, (n, R, K)."""
    return scores_of_parts([X], W, b)


def scores_of_parts(parts: Iterable[Floats], W: Floats, b: Floats) -> Floats:
    """The `scores` of images that come one part after another, for all parts together."""
    products = [rows_times_rows(X, W.reshape(-1, W.shape[2])) for X in parts]
    product = products[0] if len(products) == 1 else np.concatenate(products)
    # In memory the images come last: what a loss does along ten classes is then done for many images at once.
    return np.add(product.T, b.reshape(-1, 1), order="C").T.reshape(-1, *b.shape)


def penalty(W: Floats) -> Doubles:
    """sum(W**2) of each run, (R,). Not finite as soon as one weight is not."""
    return np.array([np.vdot(run, run) for run in W], dtype=np.float64)


def gradients(
    X: Floats, labels: Labels, W: Floats, b: Floats, loss: Loss, out: Floats | None = None
) -> tuple[Floats, Floats]:
    """Gradients of the mean loss of a batch with respect to W, (R, K, d), and b, (R, K); no penalty yet.

    With G = d loss / d scores, (n, R, K): dW = G^T X / n, and db = mean of G over the images. dW is put into ``out``,
    if there is one.
    """
    G = loss.score_gradient(scores(X, W, b), labels)
    G /= len(X)
    grad_W = np.empty_like(W) if out is None else out
    columns_times_columns(G.reshape(len(X), -1), X, grad_W.reshape(-1, W.shape[2]))
    return grad_W, G.sum(axis=0)


def cost(X: Floats, labels: Labels, W: Floats, b: Floats, lam: Floats, loss: Loss) -> Doubles:
    """Mean loss over the images plus lam * sum(W**2), (R,)."""
    data_loss: Doubles = loss.values(scores(X, W, b), labels).mean(axis=0, dtype=np.float64)
    return data_loss + lam * penalty(W)
