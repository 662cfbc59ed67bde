"""JAX with all settings side by side: the same scan, vmapped over weights, lambda and eta."""

import common
import jax
import jax.numpy as jnp
import jax_common
import numpy as np


def main():
    """Train and write the results of every setting."""
    work, results = common.work()
    training, validation, test = jax_common.standardized(common.images(work))
    lam, eta = (jnp.array([setting[name] for setting in work["settings"]]) for name in ("lambda", "eta"))
    all_epoch = jax.vmap(jax_common.epoch_of(work["n_batch"], work["flip"]), in_axes=(0, None, None, None, 0, 0))
    epoch = jax.jit(all_epoch, donate_argnums=0)
    metrics = jax.jit(jax.vmap(jax_common.metrics, in_axes=(0, None, None, 0)))
    first = jax_common.first_weights(work["seed"])
    weights, rows = jax.tree.map(lambda weight: jnp.stack([weight] * len(lam)), first), []
    for key in jax.random.split(jax.random.key(work["seed"] + 1), work["epochs"]):
        weights = epoch(weights, key, *training, lam, eta)
        both = [np.array(metrics(weights, *split, lam)) for split in (training, validation)]
        rows.append(np.concatenate(both, axis=1))
    accuracy = metrics(weights, *test, lam)[:, 2]
    for number, W, b in zip(range(len(lam)), *map(np.array, weights), strict=True):
        common.write(results, number, [of_all[number] for of_all in rows], accuracy[number], W, b)


if __name__ == "__main__":
    main()
