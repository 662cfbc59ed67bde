"""JAX with one compiled scan per epoch, one setting after another, compiled once for all settings."""

import common
import jax
import jax_common
import numpy as np


def main():
    """Train and write the results of every setting."""
    work, results = common.work()
    training, validation, test = jax_common.standardized(common.images(work))
    epoch = jax.jit(jax_common.epoch_of(work["n_batch"], work["flip"]), donate_argnums=0)
    metrics = jax.jit(jax_common.metrics)
    for number, setting in enumerate(work["settings"]):
        lam, eta = setting["lambda"], setting["eta"]
        weights, rows = jax_common.first_weights(work["seed"]), []
        for key in jax.random.split(jax.random.key(work["seed"] + 1), work["epochs"]):
            weights = epoch(weights, key, *training, lam, eta)
            rows.append([*np.array(metrics(weights, *training, lam)), *np.array(metrics(weights, *validation, lam))])
        common.write(results, number, rows, metrics(weights, *test, lam)[2], *map(np.array, weights))


if __name__ == "__main__":
    main()
