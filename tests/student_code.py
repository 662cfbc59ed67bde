"""Solutions of the course's assignments as students write them, right ones and such with planted mistakes."""

import contextlib
import io
import json
import re
import textwrap
from pathlib import Path

from cifar_linear.course.gradients.checking import judge, prepare
from cifar_linear.course.gradients.child import call_all
from cifar_linear.course.gradients.definitions import describe
from cifar_linear.course.gradients.sandbox import Answer

FUNCTIONS = """
import numpy as np
import matplotlib.pyplot as plt
from functions import *

def EvaluateClassifier(X, W, b):
    s = W @ X + b
    e = np.exp(s)
    P = e / np.sum(e, axis=0)
    return P

def ComputeCost(X, Y, W, b, lam):
    P = EvaluateClassifier(X, W, b)
    loss = -np.sum(Y * np.log(P)) / X.shape[1]
    return loss + lam * np.sum(W ** 2)

def ComputeGradients(X, Y, P, W, lam):
    n = X.shape[1]
    G = P - Y
    grad_W = G @ X.T / n + 2 * lam * W
    grad_b = np.sum(G, axis=1, keepdims=True) / n
    return grad_W, grad_b

X, Y, y = LoadBatch("data_batch_1")
for epoch in range(40):
    plt.plot(epoch, ComputeCost(X, Y, W, b, 0))
"""
"""Dialect A, 2017 to 2024."""

NETWORK = """
import numpy as np
import copy

rng = np.random.default_rng(42)
K = 10

def ApplyNetwork(X, network):
    s = network['W'] @ X + network['b']
    s = s - np.max(s, axis=0, keepdims=True)
    e = np.exp(s)
    P = e / np.sum(e, axis=0, keepdims=True)
    return P

def ComputeLoss(P, y):
    n = len(y)
    L = -np.log(P[y, np.arange(n)])
    return np.mean(L)

def ComputeCost(P, y, network, lam):
    return ComputeLoss(P, y) + lam * np.sum(network['W'] ** 2)

def BackwardPass(X, Y, P, network, lam):
    n = X.shape[1]
    G = -(Y - P)
    grads = {}
    grads['W'] = np.dot(G, X.T) / n + 2 * lam * network['W']
    grads['b'] = np.mean(G, axis=1).reshape(-1, 1)
    return grads

if __name__ == "__main__":
    main()
"""
"""Dialect B, from 2025 on."""

CLASS = """
import numpy as np

class Classifier:
    def __init__(self, data, n_hidden, eta=0.01, lmbda=0.1):
        self.data = read(data)
        self.W = np.random.normal(0, 0.01, (10, 3072))
        self.b = np.zeros((10, 1))

    def softmax(self, s):
        e = np.exp(s - s.max(axis=0))
        P = e / e.sum(axis=0)
        return P

    def evaluate(self, X):
        return self.softmax(np.matmul(self.W, X) + self.b)

    def compute_cost(self, X, Y, lmbda):
        P = self.evaluate(X)
        loss = np.mean(-np.log(np.sum(Y * P, axis=0)))
        return loss + lmbda * np.sum(np.square(self.W)), loss

    def compute_gradients(self, X, Y, lmbda):
        n = X.shape[1]
        P = self.evaluate(X)
        g = P - Y
        grad_W = g.dot(X.T) / n + 2 * lmbda * self.W
        grad_b = np.mean(g, axis=1, keepdims=True)
        return grad_W, grad_b
"""
"""Dialect C."""

MODEL = """
import numpy as np
import typing

def cross_entropy_loss(targets: np.ndarray, outputs: np.ndarray) -> float:
    assert targets.shape == outputs.shape
    return -np.mean(np.sum(targets * np.log(outputs), axis=1))

class SoftmaxModel:
    def __init__(self, l2_reg_lambda: float):
        self.I = 785
        self.num_outputs = 10
        self.w = np.zeros((self.I, self.num_outputs))
        self.grad = None
        self.l2_reg_lambda = l2_reg_lambda

    def forward(self, X: np.ndarray) -> np.ndarray:
        assert X.shape[1] == 785
        z = X @ self.w
        e = np.exp(z)
        P = e / e.sum(axis=1, keepdims=True)
        return P

    def backward(self, X: np.ndarray, outputs: np.ndarray, targets: np.ndarray) -> None:
        n = X.shape[0]
        self.zero_grad()
        delta = outputs - targets
        self.grad = X.T @ delta / n + 2 * self.l2_reg_lambda * self.w
        assert self.grad.shape == self.w.shape

    def zero_grad(self) -> None:
        self.grad = None
"""
"""Dialect D."""

BINARY = """
import numpy as np

def cross_entropy_loss(targets, outputs):
    assert targets.shape == outputs.shape
    ce = -(targets * np.log(outputs) + (1 - targets) * np.log(1 - outputs))
    return ce.mean()

class BinaryModel:
    def __init__(self):
        self.I = 785
        self.w = np.zeros((self.I, 1))
        self.grad = None

    def forward(self, X):
        return 1 / (1 + np.exp(-X.dot(self.w)))

    def backward(self, X, outputs, targets):
        delta = outputs - targets
        self.grad = X.T.dot(delta) / X.shape[0]
"""
"""Dialect D, two classes."""


def changed(source, *changes):
    """A source with texts replaced, each of which must be there."""
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


LOOP = """
import numpy as np

def softmax(s):
    out = np.zeros(s.shape)
    for i in range(s.shape[1]):
        out[:, i] = np.exp(s[:, i]) / sum(np.exp(s[:, i]))
    return out

def evaluate_classifier(x, w, b):
    return softmax(np.dot(w, x) + b)

def compute_cost(x, y, w, b, lambd):
    p = evaluate_classifier(x, w, b)
    total = 0
    for i in range(x.shape[1]):
        total -= np.log(np.dot(y[:, i], p[:, i]))
    return total / x.shape[1] + lambd * np.sum(w * w)

def compute_gradients(x, y, p, w, lambd):
    grad_w = np.zeros_like(w)
    grad_b = np.zeros((w.shape[0], 1))
    for i in range(x.shape[1]):
        g = -(y[:, i] - p[:, i]).reshape(-1, 1)
        grad_b += g
        grad_w += g @ x[:, i].reshape(1, -1)
    return [grad_w / x.shape[1] + 2 * lambd * w, grad_b / x.shape[1]]
"""

JACOBIAN = """
import numpy as np

def evaluateClassifier(X, W, b):
    s = W @ X + b @ np.ones((1, X.shape[1]))
    return np.exp(s) / (np.ones((1, s.shape[0])) @ np.exp(s))

def computeCost(X, Y, W, b, reg):
    P = evaluateClassifier(X, W, b)
    J = np.sum(-np.log(np.diag(Y.T @ P))) / X.shape[1] + reg * np.linalg.norm(W) ** 2
    return J

def computeGradients(X, Y, W, b, P, reg):
    grad_b, grad_W = 0, 0
    for i in range(X.shape[1]):
        y, p, x = Y[:, i:i+1], P[:, i:i+1], X[:, i:i+1]
        g = -y.T / (y.T @ p) @ (np.diagflat(p) - p @ p.T)
        grad_b = grad_b + g.T
        grad_W = grad_W + g.T @ x.T
    return {'grad_W': grad_W / X.shape[1] + 2 * reg * W, 'grad_b': grad_b / X.shape[1]}
"""

LABELS = """
import numpy as np
EPS = 1e-10

def forward_pass(X, W, b):
    s = W @ X + b
    P = np.exp(s - s.max(0)) / np.exp(s - s.max(0)).sum(0)
    return P, s

def cost(X, y, W, b, lambda_):
    P, _ = forward_pass(X, W, b)
    return np.mean(-np.log(P[y, range(X.shape[1])] + EPS)) + lambda_ * (W ** 2).sum()

def gradients(X, y, W, b, lambda_):
    P, _ = forward_pass(X, W, b)
    P[y, np.arange(y.size)] -= 1
    P /= y.size
    return P @ X.T + 2 * lambda_ * W, P.sum(axis=1)[:, None]
"""

ROWS = """
import numpy as np

class SLP(object):
    def __init__(self, X, Y, lam=0):
        self.W = np.random.randn(X.shape[1], Y.shape[1])
        self.b = np.random.randn(1, Y.shape[1])
        self.lam = lam

    def evaluate(self, X):
        s = X @ self.W + self.b
        e = np.exp(s)
        return e / e.sum(axis=1, keepdims=True)

    def cost(self, X, Y):
        P = self.evaluate(X)
        return -(Y * np.log(P)).sum() / len(X) + self.lam * (self.W ** 2).sum()

    def computeGrads(self, X, Y):
        G = self.evaluate(X) - Y
        self.grad_W = X.T @ G / len(X) + 2 * self.lam * self.W
        self.grad_b = G.mean(axis=0, keepdims=True)
"""

MIXED = """
import numpy as np

class Classifier:
    def __init__(self, K: int, d: int, seed: int):
        np.random.seed(seed)
        self.K, self.d = K, d
        self.W = np.random.normal(0, 0.1, size=(self.K, d))
        self.b = np.random.normal(0, 0.1, size=(self.K, 1))

    def evaluate(self, X):
        S = self.W @ X.T + self.b
        return np.exp(S) / np.sum(np.exp(S), axis=0)

    def computeCost(self, X, Y, lambd):
        l = - len(X) ** -1 * np.sum(Y.T * np.log(self.evaluate(X)))
        return l, l + lambd * np.sum(np.square(self.W))

    def computeGrads(self, X, Y, lambd):
        g = -(Y.T - self.evaluate(X))
        W_grads = g @ X / len(X) + 2 * lambd * self.W
        b_grads = np.sum(g, axis=1, keepdims=True) / len(X)
        return W_grads, b_grads
"""

METHODS = """
import numpy as np

class Assignment1:
    @staticmethod
    def EvaluateClassifier(X, W, b):
        s = W @ X + b
        return np.exp(s) / np.sum(np.exp(s), axis=0)

    def ComputeCost(self, X, Y, W, b, lamda):
        P = self.EvaluateClassifier(X, W, b)
        return np.sum(-np.sum(Y * np.log(P), axis=0)) / X.shape[1] + lamda * np.sum(W ** 2)

    def ComputeGradients(self, X, Y, P, W, lamda):
        G = P - Y
        nb = X.shape[1]
        return (G @ X.T) / nb + 2 * lamda * W, (G @ np.ones((nb, 1))) / nb
"""

FLAT_BIAS = """
import numpy as np

class LinearModel:
    def __init__(self, d=3072, K=10):
        self.W, self.b = np.zeros((K, d)), np.zeros(K)

    def forward(self, X):
        z = X @ self.W.T + self.b
        z -= z.max(axis=1, keepdims=True)
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    def loss(self, X, y, lam):
        P = self.forward(X)
        return -np.log(P[np.arange(len(y)), y]).mean() + lam * (self.W * self.W).sum()

    def backward(self, X, y, lam):
        G = self.forward(X)
        G[np.arange(len(y)), y] -= 1
        self.dW = G.T @ X / len(y) + 2 * lam * self.W
        self.db = G.sum(axis=0) / len(y)
"""

TYPED = """
import numpy as np
import torch

softmax = lambda s: np.exp(s) / np.sum(np.exp(s), axis=0)

def apply_network(X: torch.Tensor, net: dict) -> torch.Tensor:
    return softmax(net["W"] @ X + net["b"])

def compute_loss(P, y):
    return sum(-np.log(P[c, i]) for i, c in enumerate(y)) / len(y)

def backward_pass(X, Y, P, net, lam, verbose=False):
    G = (P - Y) / X.shape[1]
    print("a batch of", X.shape[1])
    return {"dW": G @ X.T + 2 * lam * net["W"], "db": G.sum(1, keepdims=True)}
"""

DERIVED = """
import numpy as np

def cross_entropy_loss(targets, outputs):
    return -(targets * np.log(outputs)).sum() / targets.shape[0]

class Base:
    def __init__(self, l2_reg_lambda=0.0):
        self.w = np.zeros((785, 10))
        self.l2_reg_lambda = l2_reg_lambda

    def forward(self, X):
        z = np.exp(X @ self.w)
        return z / z.sum(axis=1)[:, np.newaxis]

    def backward(self, X, outputs, targets):
        self.grad = -X.T @ (targets - outputs) / targets.shape[0]

class SoftmaxModel(Base):
    def backward(self, X, outputs, targets):
        super().backward(X, outputs, targets)
        penalty = 2 * self.l2_reg_lambda * self.w
        penalty[-1] = 0
        self.grad += penalty
"""


def notebook(source):
    """A source as a notebook, a cell for each definition, among cells that do something else."""
    parts = [
        "%matplotlib inline\n!pip install numpy\nimport numpy as np",
        "this is no Python",
        *re.split(r"\n\n(?=\S)", source),
    ]
    cells = [{"cell_type": "code", "source": part.splitlines(keepends=True)} for part in parts]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Mine"]}, *cells]})


RIGHT = {
    "functions": FUNCTIONS,
    "functions, loss as well": changed(
        FUNCTIONS, ("return loss + lam * np.sum(W ** 2)", "return loss + lam * np.sum(W ** 2), loss")
    ),
    "functions, single precision": changed(
        FUNCTIONS,
        ("    e = np.exp(s)", "    e = np.exp(s.astype(np.float32))"),
        ("return grad_W, grad_b", "return grad_W.astype('f4'), grad_b.astype('f4')"),
    ),
    "functions, other order": changed(FUNCTIONS, ("return grad_W, grad_b", "return grad_b, grad_W")),
    "loop": LOOP,
    "jacobian": JACOBIAN,
    "labels": LABELS,
    "network": NETWORK,
    "network, cost with W": changed(
        NETWORK,
        ("ComputeCost(P, y, network, lam)", "ComputeCost(P, y, W, lam)"),
        ("lam * np.sum(network['W'] ** 2)", "lam * np.sum(W ** 2)"),
    ),
    "network, changes its arguments": changed(NETWORK, ("    G = -(Y - P)", "    P -= Y\n    G = P")),
    "network, cost from the loss": changed(
        NETWORK,
        ("ComputeCost(P, y, network, lam)", "ComputeCost(loss, W, lam)"),
        ("ComputeLoss(P, y) + lam * np.sum(network['W'] ** 2)", "loss + lam * np.sum(W ** 2)"),
    ),
    "functions, loss before cost": changed(
        FUNCTIONS, ("return loss + lam * np.sum(W ** 2)", "return loss, loss + lam * np.sum(W ** 2)")
    ),
    "class, images in rows": MIXED,
    "typed": TYPED,
    "class": CLASS,
    "class, rows": ROWS,
    "class that reads data": changed(
        CLASS,
        ("(self, data, n_hidden, eta=0.01, lmbda=0.1)", "(self, eta=0.01, lmbda=0.1)"),
        ("        self.data = read(data)\n", "        self.data = read('data_batch_1')\n"),
        ("    def softmax(self, s):", "    def get_loss(self):\n        return []\n\n    def softmax(self, s):"),
    ),
    "methods": METHODS,
    "flat bias": FLAT_BIAS,
    "softmax model": MODEL,
    "softmax model, loop": changed(
        MODEL,
        (
            "        self.grad = X.T @ delta / n +",
            "        self.grad = sum(np.outer(X[i], delta[i]) for i in range(n)) / n +",
        ),
    ),
    "derived": DERIVED,
    "binary model": BINARY,
    "binary model, Bishop's way": changed(
        BINARY,
        ("delta = outputs - targets", "delta = -(targets - outputs)"),
        ("ce.mean()", "np.sum(ce) / targets.shape[0]"),
    ),
}
"""Right solutions by name, and each of them passes."""


MISTAKES = [
    # Dialect A
    (FUNCTIONS, {"1/n missing"}, [("G @ X.T / n +", "G @ X.T +")]),
    (FUNCTIONS, {"1/n missing"}, [("keepdims=True) / n", "keepdims=True)")]),
    (FUNCTIONS, {"1/n twice"}, [("G @ X.T / n +", "G @ X.T / n / n +")]),
    (FUNCTIONS, {"penalty halved"}, [("+ 2 * lam * W", "+ lam * W")]),
    (FUNCTIONS, {"penalty doubled"}, [("+ 2 * lam * W", "+ 4 * lam * W")]),
    (FUNCTIONS, {"penalty missing"}, [(" + 2 * lam * W", "")]),
    (FUNCTIONS, {"penalty divided by n"}, [("G @ X.T / n + 2 * lam * W", "(G @ X.T + 2 * lam * W) / n")]),
    (FUNCTIONS, {"penalty sign"}, [("+ 2 * lam * W", "- 2 * lam * W")]),
    (FUNCTIONS, {"sign"}, [("G = P - Y", "G = Y - P")]),
    (
        FUNCTIONS,
        {"bias penalised"},
        [
            ("keepdims=True) / n", "keepdims=True) / n + 2 * lam * b"),
            ("ComputeGradients(X, Y, P, W, lam)", "ComputeGradients(X, Y, P, W, b, lam)"),
        ],
    ),
    (FUNCTIONS, {"softmax axis"}, [("np.sum(e, axis=0)", "np.sum(e, axis=1, keepdims=True)")]),
    (FUNCTIONS, {"softmax over everything"}, [("np.sum(e, axis=0)", "np.sum(e)")]),
    (FUNCTIONS, {"b left out"}, [("s = W @ X + b", "s = W @ X")]),
    (FUNCTIONS, {"sigmoid"}, [("P = e / np.sum(e, axis=0)", "P = 1 / (1 + np.exp(-s))")]),
    (FUNCTIONS, {"one number"}, [("np.sum(G, axis=1, keepdims=True)", "np.sum(G)")]),
    (
        FUNCTIONS,
        {"reciprocal"},
        [("np.sum(G, axis=1, keepdims=True) / n", "1 / (n * np.sum(G, axis=1, keepdims=True))")],
    ),
    (FUNCTIONS, {"transposed"}, [("return grad_W, grad_b", "return grad_W.T, grad_b")]),
    (FUNCTIONS, {"divided by d"}, [("    n = X.shape[1]\n    G", "    n = X.shape[0]\n    G")]),
    (FUNCTIONS, {"penalty doubled"}, [("return loss + lam *", "return loss + 2 * lam *")]),
    (FUNCTIONS, {"sign"}, [("loss = -np.sum", "loss = np.sum")]),
    (FUNCTIONS, {"norm not squared"}, [("lam * np.sum(W ** 2)", "lam * np.linalg.norm(W)")]),
    (FUNCTIONS, {"sum over classes"}, [("np.sum(G, axis=1, keepdims=True)", "np.sum(G, axis=0)")]),
    (FUNCTIONS, {"shape"}, [("np.sum(G, axis=1, keepdims=True)", "np.sum(G, axis=1)")]),
    (FUNCTIONS, {"penalty itself"}, [("+ 2 * lam * W", "+ lam * np.sum(W ** 2)")]),
    (FUNCTIONS, {"factor"}, [("G @ X.T / n +", "G @ X.T / (n - 1) +")]),
    (FUNCTIONS, {"weights squared"}, [("+ 2 * lam * W", "+ 2 * lam * W ** 2")]),
    # Dialect B
    (NETWORK, {"1/n missing"}, [("return np.mean(L)", "return np.sum(L)")]),
    (NETWORK, {"labels shifted"}, [("P[y, np.arange(n)]", "P[y - 1, np.arange(n)]")]),
    (NETWORK, {"no logarithm"}, [("-np.log(P[y, np.arange(n)])", "-P[y, np.arange(n)]")]),
    (NETWORK, {"labels left out"}, [("G = -(Y - P)", "G = P")]),
    (NETWORK, {"sign of labels"}, [("G = -(Y - P)", "G = Y + P")]),
    (NETWORK, {"extra p(1-p)"}, [("G = -(Y - P)", "G = -(Y - P) * P * (1 - P)")]),
    (NETWORK, {"labels shifted"}, [("G = -(Y - P)", "G = P - np.roll(Y, 1, axis=0)")]),
    (NETWORK, {"1/K"}, [("np.mean(G, axis=1)", "(np.mean(G, axis=1) / K)")]),
    (NETWORK, {"lambda squared"}, [("+ 2 * lam * network['W']", "+ 2 * lam * lam * network['W']")]),
    (
        NETWORK,
        {"no softmax"},
        [("    return P\n\ndef ComputeLoss", "    return network['W'] @ X + network['b']\n\ndef ComputeLoss")],
    ),
    (NETWORK, {"penalty without lambda"}, [("+ 2 * lam * network['W']", "+ 2 * (1 + lam) * network['W']")]),
    # Dialect C: mistakes in the probabilities are carried into the gradient
    (
        CLASS,
        {"softmax axis"},
        [("P = e / e.sum(axis=0)", "P = e / e.sum(axis=1, keepdims=True)"), ("s.max(axis=0)", "s.max()")],
    ),
    (
        CLASS,
        {"1/K"},
        [
            ("g.dot(X.T) / n", "g.dot(X.T) / n / 10"),
            ("np.mean(g, axis=1, keepdims=True)", "np.mean(g, axis=1, keepdims=True) / 10"),
        ],
    ),
    (
        CLASS,
        {"bias penalised"},
        [("np.mean(g, axis=1, keepdims=True)", "np.mean(g, axis=1, keepdims=True) + 2 * lmbda * self.b")],
    ),
    (
        CLASS,
        {"one image only"},
        [("g.dot(X.T) / n", "g[:, -1:].dot(X[:, -1:].T) / n"), ("np.mean(g, axis=1, keepdims=True)", "g[:, -1:] / n")],
    ),
    (CLASS, {"softmax derivative twice"}, [("g = P - Y", "g = P * (P - Y - np.sum(P * (P - Y), axis=0))")]),
    # Dialect D
    (MODEL, {"1/n missing"}, [("X.T @ delta / n", "X.T @ delta")]),
    (MODEL, {"sign"}, [("delta = outputs - targets", "delta = targets - outputs")]),
    (MODEL, {"penalty halved"}, [("+ 2 * self.l2_reg_lambda", "+ self.l2_reg_lambda")]),
    (MODEL, {"1/K"}, [("-np.mean(np.sum(targets * np.log(outputs), axis=1))", "-np.mean(targets * np.log(outputs))")]),
    (MODEL, {"softmax axis"}, [("e.sum(axis=1, keepdims=True)", "e.sum(axis=0, keepdims=True)")]),
    (
        BINARY,
        {"extra p(1-p)"},
        [("delta = outputs - targets", "delta = (outputs - targets) * outputs * (1 - outputs)")],
    ),
    (BINARY, {"1/n missing"}, [("ce.mean()", "ce.sum()")]),
    (BINARY, {"sign of scores"}, [("np.exp(-X.dot", "np.exp(X.dot")]),
    (BINARY, {"only label 1"}, [(" + (1 - targets) * np.log(1 - outputs)", "")]),
    (BINARY, {"divided by d"}, [("X.T.dot(delta) / X.shape[0]", "X.T.dot(delta) / X.shape[1]")]),
    # Two at once
    (FUNCTIONS, {"1/n missing", "penalty halved"}, [("G @ X.T / n + 2 * lam", "G @ X.T + lam")]),
    (
        FUNCTIONS,
        {"sign", "1/n missing"},
        [("G = P - Y", "G = Y - P"), ("G @ X.T / n", "G @ X.T"), ("keepdims=True) / n", "keepdims=True)")],
    ),
    (
        FUNCTIONS,
        {"softmax over everything", "penalty missing"},
        [("np.sum(e, axis=0)", "np.sum(e)"), (" + 2 * lam * W", "")],
    ),
    (
        FUNCTIONS,
        {"transposed", "1/n twice"},
        [("return grad_W, grad_b", "return grad_W.T, grad_b"), ("G @ X.T / n", "G @ X.T / n ** 2")],
    ),
    (NETWORK, {"labels left out", "1/K"}, [("G = -(Y - P)", "G = P / K")]),
    (
        NETWORK,
        {"extra p(1-p)", "penalty divided by n"},
        [("G = -(Y - P)", "G = -(Y - P) * P * (1 - P)"), ("+ 2 * lam", "+ 2 / n * lam")],
    ),
    (
        NETWORK,
        {"labels shifted", "1/n missing"},
        [("P[y, np.arange(n)]", "P[y - 1, np.arange(n)]"), ("return np.mean(L)", "return np.sum(L)")],
    ),
    (
        CLASS,
        {"softmax over everything", "b left out"},
        [("P = e / e.sum(axis=0)", "P = e / e.sum()"), ("s.max(axis=0)", "s.max()"), (" + self.b)", ")")],
    ),
    (
        CLASS,
        {"penalty doubled", "bias penalised"},
        [
            ("+ 2 * lmbda * self.W", "+ 4 * lmbda * self.W"),
            ("np.mean(g, axis=1, keepdims=True)", "np.mean(g, axis=1, keepdims=True) + lmbda * self.b"),
        ],
    ),
    (
        MODEL,
        {"sign", "penalty missing"},
        [("delta = outputs - targets", "delta = targets - outputs"), (" + 2 * self.l2_reg_lambda * self.w", "")],
    ),
    (
        MODEL,
        {"b left out", "1/n missing"},
        [("z = X @ self.w", "z = X[:, :-1] @ self.w[:-1]"), ("X.T @ delta / n", "X.T @ delta")],
    ),
    (
        BINARY,
        {"1/n missing", "sign"},
        [("delta = outputs - targets", "delta = targets - outputs"), (" / X.shape[0]", "")],
    ),
]
"""A right solution, the names of the mistakes that are planted in it, and how."""


def checked_here(path: Path, source: str, renamed=None):
    """The check of a source in this process: for code of our own, which needs no guards."""
    path.write_text(source)
    module = prepare(str(path), describe(str(path)), renamed or {})
    with contextlib.redirect_stdout(io.StringIO()) as output:
        request = dict(module.request)
        plan = json.loads(request.pop("plan"))
        answers = call_all(plan, request)
    return judge(module, Answer(answers, output.getvalue(), ""), [])


def named(checked):
    """The names of all mistakes, without what follows from them."""
    names = {fault.name for verdict in checked.verdicts for fault in verdict.faults}
    return names - {"not its own derivative", "follows probabilities"}


OUTSIDE = {
    "noise": changed(FUNCTIONS, ("G @ X.T / n +", "G @ X.T / n * (1 + 0.01 * np.cos(np.arange(3072))) +")),
    "cubed weights": changed(FUNCTIONS, ("+ 2 * lam * W", "+ 2 * lam * W ** 3")),
    "constant added": changed(FUNCTIONS, ("+ 2 * lam * W", "+ lam")),
    "loss summed over the wrong axis": changed(
        FUNCTIONS, ("-np.sum(Y * np.log(P))", "-np.sum(np.log(np.sum(Y * P, axis=1) + 1e-3))")
    ),
    "clipped": changed(NETWORK, ("G = -(Y - P)", "G = np.clip(P - Y, -0.5, 0.5)")),
    "one class zero": changed(CLASS, ("g = P - Y", "g = P - Y\n        g[3] = 0")),
    "rounded": changed(MODEL, ("delta = outputs - targets", "delta = np.round(outputs - targets, 2)")),
    "another softmax": changed(BINARY, ("1 / (1 + np.exp(-X.dot(self.w)))", "0.5 + np.arctan(X.dot(self.w)) / np.pi")),
    "a loss of its own": changed(NETWORK, ("return np.mean(L)", "return np.mean(L ** 2)")),
    "a penalty of its own": changed(NETWORK, ("lam * np.sum(network['W'] ** 2)", "lam * np.max(network['W'] ** 2)")),
}
"""Mistakes that no formula of the catalogue gives."""
_EVIL = {
    "fork bomb": """
while True:
    try:
        os.fork()
    except OSError:
        pass""",
    "10 GB": "x = np.ones(10 * 2 ** 30, np.uint8)",
    "endless loop": """
while True:
    pass""",
    "endless sleep": "time.sleep(1000)",
    "sockets": """
import ctypes, struct
c = ctypes.CDLL(None, use_errno=True)
address = struct.pack('=H', 2) + struct.pack('>H', PORT) + bytes([127, 0, 0, 1]) + bytes(8)
print(c.connect(c.socket(2, 1, 0), address, 16))""",
    "forged result": """
print('{"passed": true}')
np.savez = lambda *a, **k: None
np.save('answer.npz', passed=True)""",
    "odd answer": """
real = np.savez
np.savez = lambda file, **answers: real(file, **{key: np.array(['x', 'y']) for key in answers})""",
    "empty answer": """
real = np.savez
np.savez = lambda file, **answers: real(file, **{key: np.zeros((0, 3)) for key in answers})""",
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "writes files": "open('TRACE', 'w').write('x')",
    "reads files": "print(open('SECRET_PATH').read())",
    "looks at its parents": """
print(open(f'/proc/{os.getppid()}/environ').read())
print(os.listdir('/proc'))""",
    "prints megabytes": """
for _ in range(30):
    print('x' * 10 ** 6)""",
    "recursion": """
f = lambda n: f(n + 1)
f(0)""",
    "threads": """
import threading
for _ in range(100):
    threading.Thread(target=time.sleep, args=(1000,)).start()""",
    "signals": """
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_IGN)
while True:
    pass""",
    "kills": """
for process in (os.getppid(), 1, -1):
    os.kill(process, 9)""",
    "daemon": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
time.sleep(1000)""",
    "objects of ours": """
import gc
for thing in gc.get_objects():
    if isinstance(thing, dict) and 'roles' in thing:
        thing.clear()""",
    "crash": """
import ctypes
ctypes.string_at(0)""",
    "link": """
os.unlink('answer.npz')
os.symlink('SECRET_PATH', 'answer.npz')
os._exit(0)""",
}


BEGUN = "here it begins"
"""What a hostile module prints before it does anything."""


def hostile(name, **words):
    """A wrong solution that does something hostile when its gradient is asked for the first time, then goes on."""
    evil = _EVIL[name]
    for word, text in words.items():
        evil = evil.replace(word, text)
    lines = textwrap.indent(evil.strip(), " " * 8)
    begun = f"        tried = True\n        print({BEGUN!r}, flush=True)"
    body = f"    global tried\n    if not tried:\n{begun}\n{lines}\n    n = X.shape[1]\n    G = Y - P"
    source = changed(FUNCTIONS, ("    n = X.shape[1]\n    G = P - Y", body))
    return changed(source, ("import matplotlib.pyplot as plt", "import os, signal, sys, time\ntried = False"))


HOSTILE = tuple(_EVIL)
