"""What R runs minimise, as a function of raw pixels and the weights of standardised images."""

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

    def gradients(self, pixels: Floats, labels: Labels, W: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Gradients of the cost on one batch with respect to W, (R, K, d), and b, (R, K).

        ``pixels`` (n, d) are raw, 0 to 255, in the dtype of the weights. The penalty adds 2 lam W, and perhaps 2 lam b.
        """
        grad_V, grad_b = gradients(pixels, labels, *self.standardization.fold(W, b), self.loss)
        grad_W = self.standardization.unfold_gradient(grad_V, grad_b)
        for run, lam in enumerate(self.lam):
            grad_W[run] += W.dtype.type(2 * lam) * W[run]
        if self.bias_is_weight:
            grad_b += (2 * self.lam).astype(b.dtype)[:, None] * b
        return grad_W, grad_b

    def mean_loss(self, pixels: Floats, labels: Labels, W: Floats, b: Floats) -> Doubles:
        """The mean loss of a batch, without the penalty, (R,)."""
        values = self.loss.values(scores(pixels, *self.standardization.fold(W, b)), labels)
        mean: Doubles = values.mean(axis=0, dtype=np.float64)
        return mean

    def penalized(self, W: Floats, b: Floats) -> Doubles:
        """The sum of squares that lam multiplies in each run's cost, (R,)."""
        squares = penalty(W)
        return squares + np.sum(b.astype(np.float64) ** 2, axis=1) if self.bias_is_weight else squares
