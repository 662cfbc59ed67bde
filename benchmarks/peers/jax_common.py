"""The model in JAX: the cost, an epoch as one scan, and the metrics of a split."""

import jax
import jax.numpy as jnp
import numpy as np


def standardized(splits):
    """Images of each split, (n, 3072), in float32 with the statistics of the first, and labels, on the device."""
    (first, _), *_ = splits
    mean, std = first.mean(0, dtype=np.float64), _std(first)
    shift, scale = mean.astype(np.float32), (1 / std).astype(np.float32)
    apply = jax.jit(lambda images: (images.astype(jnp.float32) - shift) * scale)
    return [(apply(images), jnp.asarray(labels, jnp.int32)) for images, labels in splits]


def _std(images):
    """Standard deviation of each pixel, without a second copy of all images in float64."""
    mean_of_squares = sum(np.square(part, dtype=np.int64).sum(0) for part in np.array_split(images, 50)) / len(images)
    return np.sqrt(mean_of_squares - images.mean(0, dtype=np.float64) ** 2)


def first_weights(seed):
    """Draw W (10, 3072) and b (10,)."""
    of_W, of_b = jax.random.split(jax.random.key(seed))
    return 0.01 * jax.random.normal(of_W, (10, 3072)), 0.01 * jax.random.normal(of_b, (10,))


def cost(weights, images, labels, lam):
    """Mean cross-entropy plus the penalty."""
    return loss_and_hits(weights, images, labels)[0] + lam * jnp.sum(weights[0] ** 2)


def loss_and_hits(weights, images, labels):
    """Mean cross-entropy, and which images are classified correctly."""
    W, b = weights
    scores = images @ W.T + b
    true = jnp.take_along_axis(scores, labels[:, None], 1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=1) - true), scores.argmax(1) == labels


def epoch_of(n_batch, flip):
    """Return a function for one epoch; images left over after the last whole batch are skipped."""

    def epoch(weights, key, images, labels, lam, eta):
        of_order, of_flips = jax.random.split(key)
        steps = len(labels) // n_batch
        order = jax.random.permutation(of_order, len(labels))[: steps * n_batch].reshape(steps, n_batch)
        flipped = jax.random.bernoulli(of_flips, float(flip), (steps, n_batch))

        def step(weights, batch):
            rows, turned = batch
            pictures = images[rows]
            if flip:
                shaped = pictures.reshape(-1, 3, 32, 32)
                pictures = jnp.where(turned[:, None, None, None], shaped[..., ::-1], shaped).reshape(pictures.shape)
            slopes = jax.grad(cost)(weights, pictures, labels[rows], lam)
            return jax.tree.map(lambda weight, slope: weight - eta * slope, weights, slopes), None

        return jax.lax.scan(step, weights, (order, flipped))[0]

    return epoch


def metrics(weights, images, labels, lam):
    """Loss, cost and accuracy."""
    loss, hits = loss_and_hits(weights, images, labels)
    return jnp.stack([loss, loss + lam * jnp.sum(weights[0] ** 2), hits.mean()])
