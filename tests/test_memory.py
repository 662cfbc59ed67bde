"""What keeping freed memory does, counted in pages that the system has to clear."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep memory")

PROGRAM = """
import resource, sys
import numpy as np
from cifar_linear.nn.layers import Conv, Flatten, Linear, MaxPool, ReLU
from cifar_linear.nn.memory import keep_freed_memory
from cifar_linear.nn.network import Network

if sys.argv[1] == "kept":
    assert keep_freed_memory()
block = (Conv(16, 5, 2), ReLU(), MaxPool(2))
network = Network((*block, *block, Flatten(), Linear(10)), (1, 28, 28))
parameters = {name: p[None].astype(np.float32) for name, p in network.initial(np.random.default_rng(1)).items()}
pixels = np.ones((16, 784), np.float32)
for step in range(15):
    if step == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    scores, trace = network.forward(pixels, parameters)
    list(network.backward(scores, trace, parameters))
    del scores, trace
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
"""


def new_pages_of_a_step(mode):
    run = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return int(run.stdout)


def test_a_step_needs_no_new_pages_where_freed_memory_is_kept():
    assert new_pages_of_a_step("returned") > 500
    assert new_pages_of_a_step("kept") < 20
