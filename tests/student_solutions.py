"""Solutions of the courses' assignments as students write them: classifiers in four dialects, and layers."""

from student_code import changed

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

IMAGES_FIRST = """
import numpy as np

def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    cache = (x, w, b)
    return out, cache

def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = dout.sum(axis=0)
    return dx, dw, db

def relu_forward(x):
    out = np.maximum(0, x)
    return out, x

def relu_backward(dout, cache):
    x = cache
    dx = dout * (x > 0)
    return dx

def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0,), (0,), (pad,), (pad,)))
    rows, columns = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    out = np.zeros((N, F, rows, columns))
    for i in range(rows):
        for j in range(columns):
            part = xp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
            out[:, :, i, j] = np.tensordot(part, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out, (x, w, b, conv_param)

def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param['stride'], conv_param['pad']
    HH, WW = w.shape[2:]
    xp = np.pad(x, ((0,), (0,), (pad,), (pad,)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    db = dout.sum(axis=(0, 2, 3))
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            part = xp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
            g = dout[:, :, i, j]
            dw += np.tensordot(g, part, axes=([0], [0]))
            dxp[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW] += np.tensordot(g, w, axes=([1], [0]))
    dx = dxp[:, :, pad:-pad, pad:-pad]
    return dx, dw, db

def max_pool_forward_naive(x, pool_param):
    size, stride = pool_param['pool_height'], pool_param['stride']
    N, C, H, W = x.shape
    out = np.zeros((N, C, H // stride, W // stride))
    for i in range(H // stride):
        for j in range(W // stride):
            out[:, :, i, j] = x[:, :, i * stride:i * stride + size, j * stride:j * stride + size].max(axis=(2, 3))
    return out, (x, pool_param)

def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    size = pool_param['stride']
    spread = dout.repeat(size, axis=2).repeat(size, axis=3)
    largest = x.reshape(*x.shape[:2], x.shape[2] // size, size, -1, size).max(axis=(3, 5))
    dx = spread * (x == largest.repeat(size, axis=2).repeat(size, axis=3))
    return dx
"""

IMAGES_LAST = """
import numpy as np

def fully_connected_forward(X, W, b):
    Z = W @ X + b
    return Z

def fully_connected_backward(X, dldZ, W, b):
    dldX = W.T @ dldZ
    dldW = dldZ @ X.T
    dldb = dldZ @ np.ones((X.shape[-1], 1))
    return dldX, dldW, dldb

def relu_forward(X):
    return np.maximum(X, 0)

def relu_backward(X, dldZ):
    return np.heaviside(X, 0.5) * dldZ

def maxpooling_forward(x):
    y = np.stack([x[0::2, 0::2], x[0::2, 1::2], x[1::2, 0::2], x[1::2, 1::2]], axis=4)
    return y.max(axis=4)

def maxpooling_backward(x, dldy):
    y = np.stack([x[0::2, 0::2], x[0::2, 1::2], x[1::2, 0::2], x[1::2, 1::2]], axis=4)
    idx = np.argmax(y, axis=4)
    dldx = np.zeros_like(x)
    dldx[0::2, 0::2] = (idx == 0) * dldy
    dldx[0::2, 1::2] = (idx == 1) * dldy
    dldx[1::2, 0::2] = (idx == 2) * dldy
    dldx[1::2, 1::2] = (idx == 3) * dldy
    return dldx

def convolution_forward(x, w, b):
    k = w.shape[0]
    y = np.zeros((x.shape[0] - k + 1, x.shape[1] - k + 1, w.shape[3], x.shape[3]))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = np.einsum('uvcn,uvcf->fn', x[i:i+k, j:j+k], w) + b.reshape(-1, 1)
    return y

def convolution_backward(x, dldy, w, b):
    k = w.shape[0]
    dldw = np.zeros_like(w)
    for i in range(dldy.shape[0]):
        for j in range(dldy.shape[1]):
            dldw += np.einsum('uvcn,fn->uvcf', x[i:i+k, j:j+k], dldy[i, j])
    padded = np.pad(dldy, ((k - 1, k - 1), (k - 1, k - 1), (0, 0), (0, 0)))
    flipped_w = np.transpose(w[::-1, ::-1], (0, 1, 3, 2))
    dldx = convolution_forward(padded, flipped_w, np.zeros(w.shape[2]))
    dldb = dldy.sum(axis=(0, 1, 3))
    return dldx, dldw, dldb
"""
