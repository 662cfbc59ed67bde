"""The bar counts what the run is counted in."""

import pytest

from cifar_linear.cli.progress import Progress


@pytest.fixture
def units(monkeypatch):
    """The unit of every bar that a command makes."""
    made, init = [], Progress.__init__

    def noted(self, total, quiet, unit):
        made.append(unit)
        init(self, total, quiet, unit)

    monkeypatch.setattr(Progress, "__init__", noted)
    return made


@pytest.fixture
def in_steps(tmp_path):
    """A config whose length is given in update steps."""
    path = tmp_path / "steps.yaml"
    path.write_text(
        "data: {dataset: synthetic, images_per_batch: 20}\nlambda: 0\neta: 0.01\nn_batch: 10\nsteps: 4\nloss: softmax\n"
    )
    return path


def test_bars_of_a_run_that_is_counted_in_steps_count_steps(run, runs_dir, in_steps, units):
    common = ("--quiet", "--no-figures", "--runs-dir", runs_dir)
    assert run("train", "--config", in_steps, *common).exit_code == 0
    assert run("verify", "last", "--runs-dir", runs_dir).exit_code == 0
    grid = in_steps.with_name("grid.yaml")
    grid.write_text("base: steps.yaml\ngrid: {lambda: [0, 1]}\n")
    assert run("sweep", "--config", grid, *common).exit_code == 0
    assert units == ["step", "step", "step"]
