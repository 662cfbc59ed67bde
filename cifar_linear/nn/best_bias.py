"""The biases that suit given weights best, and what holds for the probabilities there: each is right on average."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cifar_linear.arrays import Bools, Doubles, Floats, Labels
from cifar_linear.nn.losses import Loss

_NEWTON_STEPS = 100
_SAFE_STEP = 0.5
"""The curvature hardly changes along a Newton step that is not longer: it needs no check."""
_LONGEST_STEP = 20.0
_DECREMENT = 1e-24
_LEAST_CURVATURE = 1e-12


@dataclass(frozen=True)
class Targets:
    """What the probabilities of each image should be.

    Attributes:
        labels: of the images, (n,).
        loss: of one image.
        outputs: scores per image, K; a single one is that of the first of two classes.
    """

    labels: Labels
    loss: Loss
    outputs: int

    @property
    def weight(self) -> float:
        """What an image's loss weighs each probability with: its derivative by a score is weight * (P - hits)."""
        return 1.0 if self.loss.exclusive else 1 / self.outputs

    @cached_property
    def hits(self) -> Doubles:
        """1 where a score's class is the image's, else 0, (n, K)."""
        hits: Doubles = (self.labels[:, None] == np.arange(self.outputs)).astype(np.float64)
        return hits

    @cached_property
    def frequency(self) -> Doubles:
        """The mean of the hits, (K,)."""
        frequency: Doubles = self.hits.mean(axis=0)
        return frequency

    @cached_property
    def fixed(self) -> Bools:
        """The scores whose best bias is infinite, (K,): no image has their class, or with a binary loss every one."""
        never: Bools = self.frequency == 0
        return never if self.loss.exclusive else never | (self.frequency == 1)

    def best_bias(self, products: Doubles, b: Doubles) -> Doubles:
        """The biases with the lowest mean loss, (K,), by Newton's method.

        Args:
            products: the scores without biases, (n, K).
            b: where to start, (K,).

        In place of an infinite bias there is one so large that in double precision nothing is left of the score's loss.
        """
        b = np.where(self.fixed, 0, b)
        far = 2 * np.abs(products).max() + np.abs(b).max() + 50
        b = np.where(self.fixed, np.copysign(far, self.frequency - 0.5), b)
        for _ in range(_NEWTON_STEPS):
            slope, curvature = self._derivatives(products + b)
            step = -np.linalg.solve(curvature, slope)
            if -slope @ step <= _DECREMENT:
                break
            b = b + self._length(products + b, step, float(slope @ step)) * step
        return b

    def balanced(self, G: Doubles) -> tuple[Doubles, float]:
        """Change derivatives by the scores so little that their mean is 0, as at the best bias.

        Args:
            G: the derivatives at probabilities P, (n, K).

        Returns:
            The derivatives (n, K) at the probabilities (1 - share) P + share c, with one c for all images, and the
            share, which is a matter of rounding if the biases are the best.
        """
        G = np.where(self.fixed, 0, G)
        excess, frequency = G.mean(axis=0) / self.weight, np.where(self.fixed, 0.5, self.frequency)
        room = np.where(excess > 0, frequency, np.inf if self.loss.exclusive else 1 - frequency)
        ratio = float((np.abs(excess) / room).max())
        if ratio == 0:
            return G, 0.0
        share, common = ratio / (1 + ratio), frequency - excess / ratio
        return (1 - share) * G + share * self.weight * np.where(self.fixed, 0, common - self.hits), share

    def _derivatives(self, scores: Doubles) -> tuple[Doubles, Doubles]:
        """Gradient (K,) and Hessian (K, K) of the mean loss by the biases; those that are fixed have no part in it.

        The Hessian is made invertible: softmax does not feel a common bias, a probability of 0 or 1 no bias at all.
        """
        G = np.where(self.fixed, 0, self.loss.score_gradient(scores, self.labels))
        P = np.where(self.fixed, 0, G / self.weight + self.hits)
        if self.loss.exclusive:
            curvature = np.diag(P.mean(axis=0)) - P.T @ P / len(P) + 1 / self.outputs
        else:
            curvature = self.weight * np.diag((P * (1 - P)).mean(axis=0))
        return G.mean(axis=0), curvature + _LEAST_CURVATURE * np.eye(self.outputs)

    def _length(self, scores: Doubles, step: Floats, slope: float) -> float:
        """The part of a Newton step that lowers the mean loss as its slope promises."""
        longest = float(np.abs(step).max())
        if longest <= _SAFE_STEP:
            return 1.0
        length, before = min(1.0, _LONGEST_STEP / longest), self.loss.values(scores, self.labels).mean()
        while self.loss.values(scores + length * step, self.labels).mean() > before + 1e-4 * length * slope:
            length /= 2
            if length < 1e-10:
                return 0.0
        return length
