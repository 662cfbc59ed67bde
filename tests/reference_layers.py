"""Slow, obvious twins of the layers: one image (C, H, W) or (d,) at a time, without a run axis, in loops."""

import numpy as np


def linear(x, W, b):
    return np.array([sum(w * v for w, v in zip(row, x, strict=True)) + c for row, c in zip(W, b, strict=True)])


def linear_gradients(dy, x, W):
    """Of x, W and b."""
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(len(W))
    for k, g in enumerate(dy):
        db[k] += g
        for i, value in enumerate(x):
            dW[k, i] += g * value
            dx[i] += g * W[k, i]
    return dx, dW, db


def _meetings(x, W, padding, stride):
    """Each product of a convolution: output place, place in the filters, pixel; only pixels inside the image."""
    filters, _, k, _ = W.shape
    channels, rows, columns = x.shape
    for f in range(filters):
        for i in range((rows + 2 * padding - k) // stride + 1):
            for j in range((columns + 2 * padding - k) // stride + 1):
                for c in range(channels):
                    for u in range(k):
                        for v in range(k):
                            row, column = i * stride + u - padding, j * stride + v - padding
                            if 0 <= row < rows and 0 <= column < columns:
                                yield (f, i, j), (f, c, u, v), (c, row, column)


def conv(x, W, b, padding=0, stride=1):
    rows, columns = ((side + 2 * padding - W.shape[-1]) // stride + 1 for side in x.shape[1:])
    y = np.repeat(b, rows * columns).reshape(len(W), rows, columns)
    for place, weight, pixel in _meetings(x, W, padding, stride):
        y[place] += W[weight] * x[pixel]
    return y


def conv_gradients(dy, x, W, padding=0, stride=1):
    """Of x, W and b."""
    dx, dW = np.zeros(x.shape), np.zeros(W.shape)
    for place, weight, pixel in _meetings(x, W, padding, stride):
        dx[pixel] += dy[place] * W[weight]
        dW[weight] += dy[place] * x[pixel]
    return dx, dW, np.array([sum(g.flat) for g in dy])


def relu(x):
    return np.array([max(value, 0.0) for value in x.flat]).reshape(x.shape)


def relu_gradient(dy, x):
    return np.array([g if value > 0 else 0.0 for g, value in zip(dy.flat, x.flat, strict=True)]).reshape(x.shape)


def _window(place, size):
    """The members of a window, row by row."""
    c, i, j = place
    return [(c, size * i + u, size * j + v) for u in range(size) for v in range(size)]


def _places(x, size):
    channels, rows, columns = x.shape
    return [(c, i, j) for c in range(channels) for i in range(rows // size) for j in range(columns // size)]


def max_pool(x, size):
    values = [max(x[member] for member in _window(place, size)) for place in _places(x, size)]
    return np.array(values).reshape(x.shape[0], x.shape[1] // size, x.shape[2] // size)


def max_pool_gradient(dy, x, size):
    """To the first of the largest."""
    dx = np.zeros(x.shape)
    for place in _places(x, size):
        dx[max(_window(place, size), key=lambda member: x[member])] += dy[place]
    return dx


def average_pool(x, size):
    values = [sum(x[member] for member in _window(place, size)) / size**2 for place in _places(x, size)]
    return np.array(values).reshape(x.shape[0], x.shape[1] // size, x.shape[2] // size)


def average_pool_gradient(dy, x, size):
    dx = np.zeros(x.shape)
    for place in _places(x, size):
        for member in _window(place, size):
            dx[member] += dy[place] / size**2
    return dx


def global_average_pool(x):
    return np.array([sum(channel.flat) / channel.size for channel in x])


def global_average_pool_gradient(dy, x):
    return np.array([[g / channel.size] * channel.size for g, channel in zip(dy, x, strict=True)]).reshape(x.shape)
