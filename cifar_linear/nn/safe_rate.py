"""A learning rate that the curvature of a linear classifier's cost allows."""

import numpy as np

from cifar_linear.arrays import Examples, Floats
from cifar_linear.nn.standardization import Standardization

_SAMPLE = 500
"""Examples from which the curvature is estimated."""


def largest_safe_eta(
    examples: Examples,
    weights: Floats | None,
    standardization: Standardization,
    curvature: float,
    lam: float,
    n_batch: int,
    momentum: float = 0.0,
) -> float:
    """A learning rate with which mini-batch gradient descent on a linear classifier does not overshoot.

    It is 1 / ((1 - mu) L + M / n_batch + 2 lam). L bounds the curvature of the mean loss, M is the mean of the bounds
    of single examples: with small batches the steps follow single examples. After R. Gower et al., SGD: general
    analysis and improved rates, ICML 2019, with the largest single bound in place of the mean and without momentum.
    With it the true bound is 2 (1 + mu) / ((1 - mu) L) for lam = 0: steps that go back and forth cancel out.

    Args:
        examples: raw, (n, d), of which up to 500 at even distances are looked at.
        weights: of the examples, (n,); None for 1.
        standardization: from raw examples to what the weights see.
        curvature: of the loss, from `Loss.curvature`.
        lam: strength of the penalty.
        n_batch: examples per update.
        momentum: mu of the moving average of the gradients, as in `nn.sgd`.

    Returns:
        The rate; 0 if the examples are so large that their squares are not finite.
    """
    rows = np.linspace(0, len(examples) - 1, min(len(examples), _SAMPLE)).astype(np.intp)
    share = np.ones(len(rows)) if weights is None else weights[rows]
    with np.errstate(over="ignore"):
        # The bias is the weight of a column of ones.
        X = np.hstack([standardization.apply(examples[rows]), np.ones((len(rows), 1))])
        X *= np.sqrt(share / share.sum())[:, None]
        products = X @ X.T
    if not np.isfinite(products).all():
        return 0.0
    largest, mean = np.linalg.eigvalsh(products)[-1], np.trace(products)
    return float(1 / (curvature * ((1 - momentum) * largest + mean / n_batch) + 2 * lam))
