"""A network of a config in JAX: all updates between two evaluations as one compiled scan."""

from functools import partial

import jax
import jax.numpy as jnp
import network_data
import numpy as np
from jax import lax

LAYOUT = ("NCHW", "OIHW", "NCHW")


def main():
    """Train and write the results."""
    work, results = network_data.work()
    config = work["config"]
    training, validation, test = (tuple(map(jnp.asarray, split)) for split in network_data.images(work))
    forward, weights = network(config["model"], training[0].shape[1:], jax.random.key(config["seed"]))
    metrics = jax.jit(partial(evaluate, forward, config))
    weights, rows = train(forward, weights, config, training, validation, metrics)
    network_data.write(results, rows, metrics(weights, *test)[2])


def network(model, shape, key):
    """Return the scores as a function of parameters and images, and first parameters."""
    layers, weights, channels = [], [], shape[0]
    for entry in model["layers"]:
        kind, own = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        layers.append((kind, own))
        if kind not in ("conv", "linear"):
            continue
        if kind == "conv":
            size, channels = (own["filters"], channels, own["kernel"], own["kernel"]), own["filters"]
        else:
            flat = jax.eval_shape(lambda w: apply(layers[:-1], w, jnp.zeros((1, *shape))), weights).shape[1]
            size = (10, flat)
        key, of_layer = jax.random.split(key)
        init = (own.get("init") if isinstance(own, dict) else None) or model["init"]
        std = init["std"] if init["kind"] == "normal" else init["factor"] * (2 / np.prod(size[1:])) ** 0.5
        weights.append((std * jax.random.normal(of_layer, size), jnp.zeros(size[0])))
    return partial(apply, layers), weights


def apply(layers, weights, x):
    """Compute the output of the layers."""
    left = iter(weights)
    for kind, own in layers:
        if kind == "conv":
            W, b = next(left)
            padding = [(own["padding"],) * 2] * 2
            x = lax.conv_general_dilated(x, W, (1, 1), padding, dimension_numbers=LAYOUT) + b[:, None, None]
        elif kind == "maxpool":  # its gradient is far faster than that of reduce_window
            n, c, h, w = x.shape
            x = x.reshape(n, c, h // own, own, w // own, own).max((3, 5))
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        else:
            W, b = next(left)
            x = x @ W.T + b
    return x


def evaluate(forward, config, weights, images, labels):
    """Loss, cost and accuracy."""
    parts = images.reshape(-1, 500, *images.shape[1:])
    scores = lax.map(partial(forward, weights), parts).reshape(len(labels), -1)
    loss = jnp.mean(jax.nn.logsumexp(scores, axis=1) - jnp.take_along_axis(scores, labels[:, None], 1)[:, 0])
    squares = sum(jnp.sum(p**2) for pair in weights for p in (pair if config["penalise"] == "all" else pair[:1]))
    return jnp.stack([loss, loss + config["lambda"] * squares, jnp.mean(scores.argmax(1) == labels)])


def train(forward, weights, config, training, validation, metrics):
    """Train; return the parameters and the metrics of each evaluation."""
    images, labels = training
    momentum, eta, penalty = config["momentum"], config["eta"], 2 * config["lambda"]
    everything = config["penalise"] == "all"

    def loss(weights, pictures, labels):
        scores = forward(weights, pictures)
        return jnp.mean(jax.nn.logsumexp(scores, axis=1) - jnp.take_along_axis(scores, labels[:, None], 1)[:, 0])

    def step(carried, rows):
        weights, velocity = carried
        slopes = jax.grad(loss)(weights, images[rows], labels[rows])
        velocity = jax.tree.map(lambda v, g: momentum * v + (1 - momentum) * g, velocity, slopes)
        decayed = [(W * (1 - eta * penalty), b * (1 - eta * penalty * everything)) for W, b in weights]
        return (jax.tree.map(lambda p, v: p - eta * v, decayed, velocity), velocity), None

    several = jax.jit(lambda carried, rows: lax.scan(step, carried, rows)[0], donate_argnums=0)
    total, every = network_data.steps(config, len(labels))
    order, drawn, whole = (
        np.random.default_rng(config["seed"]),
        [],
        len(labels) // config["n_batch"] * config["n_batch"],
    )
    while len(drawn) < total:
        drawn += list(order.permutation(len(labels))[:whole].reshape(-1, config["n_batch"]))
    carried, seen = (weights, jax.tree.map(jnp.zeros_like, weights)), config["evaluate"]["train_images"]
    rows = []
    for start in range(0, total, every):
        carried = several(carried, jnp.asarray(np.array(drawn[start : min(start + every, total)])))
        both = ((images[:seen], labels[:seen]), validation)
        rows.append([float(number) for split in both for number in metrics(carried[0], *split)])
    return carried[0], rows


if __name__ == "__main__":
    main()
