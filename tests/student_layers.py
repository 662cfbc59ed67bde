"""Layers as students write them, images first with a cache or images last without, and with planted mistakes."""

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

MISTAKES = [
    (IMAGES_FIRST, {"b left out"}, [(".dot(w) + b", ".dot(w)")]),
    (IMAGES_FIRST, {"divided by n"}, [("dw = x.reshape(x.shape[0], -1).T.dot(dout)", "dw = x.T.dot(dout) / len(x)")]),
    (IMAGES_FIRST, {"divided by n"}, [("db = dout.sum(axis=0)", "db = dout.mean(axis=0)")]),
    (IMAGES_FIRST, {"transposed"}, [("dw = x.reshape(x.shape[0], -1).T.dot(dout)", "dw = dout.T.dot(x)")]),
    (IMAGES_FIRST, {"sign"}, [("dx = dout.dot(w.T)", "dx = -dout.dot(w.T)")]),
    (IMAGES_FIRST, {"mask missing"}, [("dx = dout * (x > 0)", "dx = dout")]),
    (IMAGES_FIRST, {"dy left out"}, [("dx = dout * (x > 0)", "dx = 1.0 * (x > 0)")]),
    (IMAGES_FIRST, {"mask of the gradient"}, [("dx = dout * (x > 0)", "dx = dout * (dout > 0)")]),
    (IMAGES_FIRST, {"mask turned"}, [("dx = dout * (x > 0)", "dx = dout * (x < 0)")]),
    (IMAGES_FIRST, {"absolute value"}, [("np.maximum(0, x)", "np.abs(x)")]),
    (
        IMAGES_FIRST,
        {"filters flipped"},
        [("np.tensordot(part, w, axes", "np.tensordot(part, w[:, :, ::-1, ::-1], axes")],
    ),
    (IMAGES_FIRST, {"filters not flipped"}, [("np.tensordot(g, w, axes", "np.tensordot(g, w[:, :, ::-1, ::-1], axes")]),
    (
        IMAGES_FIRST,
        {"one image only"},
        [
            (
                "g = dout[:, :, i, j]",
                "g = dout[:, :, i, j] * 1\n            g_w = g * (np.arange(len(g)) == len(g) - 1)[:, None]",
            ),
            ("np.tensordot(g, part", "np.tensordot(g_w, part"),
        ],
    ),
    (IMAGES_FIRST, {"every pixel"}, [("dx = spread * (x ==", "dx = spread + 0 * (x ==")]),
    (IMAGES_FIRST, {"dy left out"}, [("dx = spread * (x ==", "dx = 1.0 * (x ==")]),
    (IMAGES_FIRST, {"mean"}, [(".max(axis=(2, 3))", ".mean(axis=(2, 3))")]),
    (IMAGES_LAST, {"divided by n"}, [("dldW = dldZ @ X.T", "dldW = dldZ @ X.T / X.shape[1]")]),
    (IMAGES_LAST, {"filters not flipped"}, [("w[::-1, ::-1]", "w")]),
    (IMAGES_LAST, {"gradient flipped"}, [("return dldx, dldw, dldb", "return dldx, dldw[::-1, ::-1], dldb")]),
    (IMAGES_LAST, {"shape"}, [("dldb = dldy.sum(axis=(0, 1, 3))", "dldb = dldy.sum(axis=(0, 1))")]),
    (IMAGES_LAST, {"sign", "divided by n"}, [("dldW = dldZ @ X.T", "dldW = -dldZ @ X.T / X.shape[1]")]),
    (IMAGES_LAST, {"not explained"}, [("dldW = dldZ @ X.T", "dldW = dldZ @ np.tanh(X.T)")]),
]
"""A right solution, the names of the mistakes that are planted in it, and how."""
