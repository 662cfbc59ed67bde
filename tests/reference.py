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


def logistic_probabilities(scores):
    (p,) = sigmoid(scores)
    return [p, 1 - p]


def logistic(scores, label):
    """One score, target 1 for the first class."""
    return -math.log(logistic_probabilities(scores)[label])


def logistic_gradient(scores, label):
    return [logistic_probabilities(scores)[0] - (label == 0)]


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


def logistic_regression(X, X_validation, t, t_validation, *, lam, eta, n_batch, epochs, patience):
    """The course's program: weights from zero, a column of ones in X, no shuffling, the last partial batch left out.

    Returns the weights, the number of updates made, and the losses on validation images and of each batch.
    """

    def loss(images, targets):
        p = 1 / (1 + np.exp(-images @ w))
        return -np.mean(targets * np.log(p) + (1 - targets) * np.log(1 - p))

    w, steps, index, waited = np.zeros(X.shape[1]), len(X) // n_batch, 0, 0
    validation_losses, batch_losses = [], []
    for _ in range(epochs):
        for start in range(0, steps * n_batch, n_batch):
            images, targets = X[start : start + n_batch], t[start : start + n_batch]
            batch_losses.append(loss(images, targets))
            p = 1 / (1 + np.exp(-images @ w))
            w = w - eta * (images.T @ (p - targets) / n_batch + 2 * lam * w)
            if index % (steps // 5) == 0:
                validation_losses.append(loss(X_validation, t_validation))
                waited = 0 if validation_losses[-1] == min(validation_losses) else waited + 1
                if waited == patience:
                    return w, index + 1, validation_losses, batch_losses
            index += 1
    return w, index, validation_losses, batch_losses
