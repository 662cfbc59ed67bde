"""What R runs minimise, as a function of raw pixels and the weights of standardised images."""

from dataclasses import dataclass

from cifar_linear.arrays import Doubles, Floats, Labels
from cifar_linear.nn.linear import gradients
from cifar_linear.nn.losses import Loss
from cifar_linear.nn.standardization import Standardization


@dataclass(frozen=True)
class Objective:
    """The cost of each run: mean loss on standardised images plus lam * sum(W**2).

    Attributes:
        loss: of one image, from its scores.
        lam: penalty strength of each run, (R,).
        standardization: from raw pixels to what the weights see.
    """

    loss: Loss
    lam: Doubles
    standardization: Standardization

    def gradients(self, pixels: Floats, labels: Labels, W: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Gradients of the cost on one batch with respect to W, (R, K, d), and b, (R, K).

        ``pixels`` (n, d) are raw, 0 to 255, in the dtype of the weights. The penalty adds 2 lam W.
        """
        grad_V, grad_b = gradients(pixels, labels, *self.standardization.fold(W, b), self.loss)
        grad_W = self.standardization.unfold_gradient(grad_V, grad_b)
        for run, lam in enumerate(self.lam):
            grad_W[run] += W.dtype.type(2 * lam) * W[run]
        return grad_W, grad_b
