"""Slow, obvious twins of the vectorised code: one image and one class at a time, in Python's own floats."""

import math

import numpy as np


def softmax(scores):
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def sigmoid(scores):
    return [1 / (1 + math.exp(-score)) for score in scores]


def softmax_cross_entropy(scores, label):
    return -math.log(softmax(scores)[label])


def sigmoid_bce(scores, label):
    probabilities = sigmoid(scores)
    parts = [-math.log(p) if k == label else -math.log(1 - p) for k, p in enumerate(probabilities)]
    return sum(parts) / len(parts)


def softmax_cross_entropy_gradient(scores, label):
    return [p - (k == label) for k, p in enumerate(softmax(scores))]


def sigmoid_bce_gradient(scores, label):
    return [(p - (k == label)) / len(scores) for k, p in enumerate(sigmoid(scores))]


def gradients(X, labels, W, b, lam, score_gradient):
    """Gradients of the cost for W (K, d), b (K,), image by image."""
    grad_W, grad_b = np.zeros_like(W), np.zeros_like(b)
    for x, label in zip(X, labels, strict=True):
        g = np.array(score_gradient((W @ x + b).tolist(), label))
        grad_W += np.outer(g, x) / len(X)
        grad_b += g / len(X)
    return grad_W + 2 * lam * W, grad_b


def cost(X, labels, W, b, lam, loss):
    return sum(loss((W @ x + b).tolist(), y) for x, y in zip(X, labels, strict=True)) / len(X) + lam * np.sum(W**2)


def train(X, labels, W, b, *, lam, eta, n_batch, orders, score_gradient):
    """Mini-batch gradient descent through the given orders of the images, one order per epoch."""
    for order in orders:
        for start in range(0, len(order), n_batch):
            rows = order[start : start + n_batch]
            grad_W, grad_b = gradients(X[rows], labels[rows], W, b, lam, score_gradient)
            W, b = W - eta * grad_W, b - eta * grad_b
    return W, b
