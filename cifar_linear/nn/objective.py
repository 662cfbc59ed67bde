"""What R runs minimise, as a function of raw pixels and the weights of standardised images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.nn.linear import gradients, penalty, scores
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.standardization import Standardization


@dataclass(frozen=True)
class Objective:
    """The cost of each run: mean loss on standardised images plus lam * sum(W**2), and b**2 if it is penalised as well.

    Attributes:
        loss: of one image, from its scores.
        lam: penalty strength of each run, (R,).
        standardization: from raw pixels to what the weights see.
        bias_is_weight: whether the penalty covers b, as if it belonged to a column of ones among the images.
    """

    loss: Loss
    lam: Doubles
    standardization: Standardization
    bias_is_weight: bool = False

    def gradients(
        self, pixels: Floats, labels: Labels, W: Floats, b: Floats, workspace: Floats | None = None
    ) -> Iterator[tuple[Floats, Floats]]:
        """Gradients of the cost on one batch with respect to W, (K, d), and b, (K,), of one run after another.

        ``pixels`` (n, d) are raw, 0 to 255, in the dtype of the weights. The penalty adds 2 lam W, and perhaps 2 lam b.
        ``workspace`` (2, R, K, d) is overwritten: used again, it is faster than new memory. The weights of a run may be
        changed as soon as its gradients are there: who uses them up at once finds all of them in the cache.
        """
        folded, grad_W = np.empty((2, *W.shape), W.dtype) if workspace is None else workspace
        _, grad_b = gradients(pixels, labels, *self.standardization.fold(W, b, folded), self.loss, grad_W)
        for run, double in enumerate((2 * self.lam).astype(W.dtype)):
            self.standardization.unfold_gradient(grad_W[run], grad_b[run])
            if double:
                grad_W[run] += double * W[run]
            if self.bias_is_weight:
                grad_b[run] += double * b[run]
            yield grad_W[run], grad_b[run]

    def mean_loss(self, pixels: Floats, labels: Labels, W: Floats, b: Floats) -> Doubles:
        """The mean loss of a batch, without the penalty, (R,)."""
        values = self.loss.values(scores(pixels, *self.standardization.fold(W, b)), labels)
        mean: Doubles = values.mean(axis=0, dtype=np.float64)
        return mean

    def penalized(self, W: Floats, b: Floats) -> Doubles:
        """The sum of squares that lam multiplies in each run's cost, (R,)."""
        squares = penalty(W)
        return squares + np.sum(b.astype(np.float64) ** 2, axis=1) if self.bias_is_weight else squares
