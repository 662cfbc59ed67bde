"""JAX with one compiled scan per epoch, one setting after another; compiled once for all of them."""

import common
import jax
import jax_common
import numpy as np


def main():
    """Do the work."""
    work, results = common.work()
    training, validation, test = jax_common.standardized(common.images(work))
    epoch = jax.jit(jax_common.epoch_of(work["n_batch"], work["flip"]), donate_argnums=0)
    figures = jax.jit(jax_common.figures)
    for number, setting in enumerate(work["settings"]):
        lam, eta = setting["lambda"], setting["eta"]
        weights, rows = jax_common.first_weights(work["seed"]), []
        for key in jax.random.split(jax.random.key(work["seed"] + 1), work["epochs"]):
            weights = epoch(weights, key, *training, lam, eta)
            rows.append([*np.array(figures(weights, *training, lam)), *np.array(figures(weights, *validation, lam))])
        common.write(results, number, rows, figures(weights, *test, lam)[2], *map(np.array, weights))


if __name__ == "__main__":
    main()
