"""An order in blocks, for maps larger than memory."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from feature_files import data, write
from folders import same, stopped_after
from hypothesis import given
from hypothesis import strategies as st

from cifar_linear.config.models import Config
from cifar_linear.data.batches import Batches
from cifar_linear.data.dataset import Split
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.experiments.resume import resume_run, resumed_config
from cifar_linear.experiments.run import run_group
from cifar_linear.runs.folder import RunFolder


def order(n, block, epoch, seed=1):
    split = Split(np.zeros((n, 1)), np.zeros(n, np.intp))
    return Batches(split, n_batch=1, shuffle=True, block=block, seed=seed).order(epoch)


@given(st.integers(1, 80), st.integers(1, 100))
def test_every_row_is_met_once_and_each_block_in_one_go(n, block):
    found = order(n, block, 3)
    assert sorted(found) == list(range(n))
    blocks = found // block
    assert sum(a != b for a, b in pairwise(blocks)) == len(set(blocks)) - 1


def test_blocks_and_rows_have_another_order_in_each_epoch():
    """Which follows from seed and epoch alone."""
    first, again, other, of_other_seed = (order(100, 10, *address) for address in ((1,), (1,), (2,), (1, 2)))
    assert (first == again).all()
    for another in (other, of_other_seed):
        assert (first[::10] // 10 != another[::10] // 10).any()
        assert (np.sort(first) == np.sort(another)).all()
    assert (first[:10] != np.sort(first[:10])).any()


def config(folder, **changes):
    tree = {"lambda": 0.001, "eta": 0.1, "n_batch": 30, "epochs": 3, "shuffle": {"block": 64}} | changes
    return Config.model_validate({"data": data(folder), **tree}, by_name=False)


def trained(config, folder, watch=lambda _: None):
    run = RunFolder.create(folder / "runs", "run")
    run_group([config], [run], load_dataset(config), watch)
    return run


def test_a_training_resumes_within_an_epoch_of_blocks(tmp_path):
    wanted = config(write(tmp_path), evaluate={"every_steps": 3})
    whole = trained(wanted, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trained(wanted, tmp_path, stopped_after(4))
    broken = next(RunFolder(path) for path in (tmp_path / "runs").iterdir() if path != whole.path)
    resumed = resumed_config(broken, [])
    resume_run(broken, resumed, load_dataset(resumed), lambda _: None, lambda: None)
    same(whole, broken)


_TRAIN = """
import sys
import numpy as np
from cifar_linear.data import array_files
from cifar_linear.data.batches import Batches, pixel_chunks
from cifar_linear.data.dataset import Split
from cifar_linear.data.rows import rows_of

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024

array_files._LARGE = 0
stored = array_files.open_array(array_files.Path(sys.argv[1]))
split = Split(rows_of(stored, ""), np.zeros(len(stored.array), np.intp))
before = peak()
for _ in pixel_chunks(split, np.float32):
    pass
for _ in Batches(split, n_batch=64, shuffle=True, block=eval(sys.argv[2]), seed=1)(1):
    pass
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is resident is asked of Linux")
@pytest.mark.parametrize(("block", "fits"), [(1024, True), (None, False)])
def test_little_more_than_a_block_of_a_map_is_in_memory(tmp_path, block, fits):
    """Of 64 MiB, blocks of 4 MiB; in an order over the whole map all of it stays."""
    np.save(tmp_path / "map.npy", np.ones((16384, 1024), np.float32))
    found = subprocess.run(
        [sys.executable, "-c", _TRAIN, tmp_path / "map.npy", str(block)], capture_output=True, text=True, check=True
    )
    assert (float(found.stdout) < 24) == fits
