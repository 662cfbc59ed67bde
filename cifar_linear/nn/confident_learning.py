"""Confident learning: which labels a classifier doubts, from probabilities of images that it was not trained on.

Source: C. Northcutt, L. Jiang and I. Chuang, Confident learning: estimating uncertainty in dataset labels, J. Artif.
Intell. Res. 70, 2021.
"""

import numpy as np

from cifar_linear.arrays import Doubles, Floats, Labels


def confident_classes(probabilities: Floats, labels: Labels) -> Labels:
    """The class that each image seems to have, (n,): another one than its label is a doubt.

    A class k is considered where p_k is at least the mean of p_k over the images that are labelled k; of several such
    classes the most probable one is taken. An image without any keeps its label.

    Args:
        probabilities: out of fold, (n, K).
        labels: the labels as they are given, (n,).
    """
    considered = probabilities >= thresholds(probabilities, labels)
    confident = np.where(considered, probabilities, -1).argmax(axis=1)
    return np.where(considered.any(axis=1), confident, labels)


def thresholds(probabilities: Floats, labels: Labels) -> Doubles:
    """The mean probability of each class over the images with its label, (K,); infinite for a class without images."""
    given = labels[:, None] == np.arange(probabilities.shape[1])
    count = given.sum(axis=0)
    total = np.where(given, probabilities, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)
