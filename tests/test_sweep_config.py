from itertools import product

import pytest
from folders import BASE

from cifar_linear.config.reading import read_config
from cifar_linear.config.sweeps import read_sweep
from cifar_linear.errors import ConfigError


def test_cells_are_all_combinations_in_the_order_of_the_grid(sweep_file):
    path = sweep_file({"lambda": [0, 0.1], "decay": [{"kind": "none"}, {"kind": "step", "every": 2}]})
    cells = read_sweep(path, ["epochs=2"]).cells
    assert [(cell.config.lam, cell.config.decay.kind) for cell in cells] == list(product((0, 0.1), ("none", "step")))
    assert [cell.name for cell in cells][:2] == ["lambda-0_decay-kind-none", "lambda-0_decay-kind-step-every-2"]
    assert {cell.config.epochs for cell in cells} == {2}


def test_base_may_be_a_file_beside_the_sweeps(sweep_file, small_config):
    (cell,) = read_sweep(sweep_file({"eta": [0.5]}, base=small_config.name)).cells
    assert cell.config == read_config(small_config, ["eta=0.5"])


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"lamda": [1]}, "grid.yaml:11: lamda: unknown key; did you mean 'lambda'?"),
        ({"eta": [0.1, -1]}, "grid.yaml:12: eta: must be greater than 0, found -1"),
        ({"eta": []}, "grid.yaml:10: grid.eta: "),
        ({"eta": 0.1}, "grid.yaml:10: grid.eta: must be a list, found 0.1"),
        ({"eta": [0.1, 0.1]}, "grid.yaml:12: grid.eta: 0.1 is listed twice"),
        ({"decay": [{"kind": "none"}], "decay.every": [3]}, "decay.every: is a part of decay"),
        ({"lambda": [0, 0.0]}, "grid: two cells have the same config: lambda 0; and lambda 0"),
        ({"eta.x": [1]}, "grid.eta.x: eta has no keys of its own"),
        ({"seed": list(range(10_001))}, "has 10001 cells; at most 10000 are run"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_with_its_line(sweep_file, grid, message):
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep_file(grid))
    assert message in str(caught.value)


def test_a_single_config_is_called_that(small_config):
    with pytest.raises(ConfigError) as caught:
        read_sweep(small_config)
    said = f"{small_config}: this is a single config, not a sweep; run it with cifar-linear train"
    assert str(caught.value) == said


def test_a_grid_that_is_too_large_is_counted_not_built(sweep_file):
    """Neither its values are compared nor its cells made: the count is the only problem."""
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep_file({"eta": [-1] * 101, "lambda": [-1] * 100}))
    assert str(caught.value).endswith("grid: has 10100 cells; at most 10000 are run")
    assert len(str(caught.value).splitlines()) == 1


def test_a_number_that_is_text_stays_text_in_the_sweeps_own_file(sweep_file):
    again = sweep_file({}, BASE | {"data": {"dataset": "cifar10"}})
    again.write_text(again.read_text().replace("{}", "{data.folder: ['1e3', '2']}"))
    sweep = read_sweep(again)
    again.write_text(sweep.text)
    assert [cell.config for cell in read_sweep(again).cells] == [cell.config for cell in sweep.cells]


def test_listed_cells_each_meet_the_whole_grid(sweep_file):
    listed = [{"lambda": 0, "eta": 0.1}, {"lambda": 1, "eta": 0.001}]
    sweep = read_sweep(sweep_file({"seed": [1, 2]}, cells=listed))
    found = [(cell.config.lam, cell.config.eta, cell.config.seed) for cell in sweep.cells]
    assert found == [(0, 0.1, 1), (0, 0.1, 2), (1, 0.001, 1), (1, 0.001, 2)]
    assert sweep.cells[0].name == "lambda-0_eta-0.1_seed-1"
    again = sweep_file({})
    again.write_text(sweep.text)
    assert read_sweep(again).cells == sweep.cells


@pytest.mark.parametrize(
    ("cells", "grid", "message"),
    [
        ([{"lamda": 1}], {}, "lamda: unknown key; did you mean 'lambda'?"),
        ([{"eta": 0.1}, {"eta": -1}], {}, "eta: must be greater than 0, found -1"),
        ([{"eta": 0.1}, {"lambda": 1}], {}, "cells.1: has the keys lambda, the first of the cells eta"),
        ([{"eta": 0.1}], {"eta": [1]}, "cells.0.eta: is also in the grid; leave out one"),
        ([{"eta": 0.1}, {"eta": 0.1}], {}, "cells: two cells have the same config: eta 0.1; and eta 0.1"),
        ([{"eta.x": 1}], {}, "cells.0.eta.x: eta has no keys of its own"),
        ({"eta": 0.1}, {}, "cells: must be a list, found"),
    ],
)
def test_listed_cells_that_cannot_be_run_are_refused(sweep_file, cells, grid, message):
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep_file(grid, cells=cells))
    assert message in str(caught.value)


@pytest.mark.parametrize("options", [["--set", "eta=0.5"], ["--set", "eta=0.5", "--seeds", 2]])
def test_an_override_of_what_the_cells_decide_is_refused(sweep, sweep_file, options):
    result = sweep(sweep_file({}, cells=[{"eta": 0.1}]), *options)
    assert result.exit_code == 2
    assert "--set eta=0.5: eta: is in the cells, which decide; leave out one" in result.stderr


def test_every_problem_of_file_and_cells_is_told_once(sweep_file):
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep_file({"eta": [-1, 0.1], "lambda": [0, 1], "epochs": [0]}))
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 problems in the config:"
    assert len(lines) == 3


def test_seeds_in_the_grid_and_seeds_of_the_option_are_one_too_many(sweep, sweep_file):
    result = sweep(sweep_file({"seed": [1, 2]}), "--seeds", 2)
    assert result.exit_code == 2
    assert "grid.seed: is set by --seeds; leave out one" in result.stderr


def test_an_override_of_what_the_grid_decides_is_refused(sweep, sweep_file):
    result = sweep(sweep_file({"eta": [0.1, 0.2]}), "--set", "eta=0.5")
    assert result.exit_code == 2
    assert "--set eta=0.5: eta: is in the grid, which decides; leave out one" in result.stderr


def test_losses_of_different_scales_cannot_be_chosen_among_by_loss(sweep, sweep_file):
    result = sweep(sweep_file({"loss": ["softmax", "sigmoid_bce"]}, select_by="validation_loss"))
    assert result.exit_code == 2
    assert "select_by: validation_loss cannot compare losses of different scales" in result.stderr


def test_a_sweep_given_to_train_is_told_what_it_is(run, sweep_file):
    result = run("train", "--config", sweep_file({"eta": [0.1]}))
    assert result.exit_code == 2
    assert "this is a sweep, not a single config; run it with cifar-linear sweep" in result.stderr
