"""``certify``, and what others make of a certificate."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from folders import finished_run
from PIL import Image

from cifar_linear.config.models import Config
from cifar_linear.errors import RunError
from cifar_linear.experiments import certificate as certificate_module
from cifar_linear.experiments.certificate import sentences
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.figures.curves import cost_figure, distance_figure
from cifar_linear.report.collecting import Run
from cifar_linear.report.curves import distances
from cifar_linear.runs.folder import RunFolder
from cifar_linear.runs.record import Certificate, SplitMetrics


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short run with lambda 1."""
    config = Config.model_validate(
        {
            "data": {"dataset": "synthetic", "images_per_batch": 60},
            "lambda": 1,
            "eta": 0.001,
            "n_batch": 20,
            "epochs": 3,
        }
    )
    return finished_run(config, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def own_run(trained, tmp_path):
    return RunFolder(shutil.copytree(trained.path, tmp_path / "runs" / trained.path.name))


def content(folder):
    return {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def certified(run, own_run):
    result = run("certify", own_run.path, "--quiet")
    assert result.exit_code == 0, result.stderr
    return own_run


def test_a_certificate_is_what_the_folders_weights_give(certified):
    certificate, config = certified.read_certificate(), certified.config()
    assert certificate.lower <= certificate.upper <= certificate.cost
    assert certificate.upper - certificate.lower <= 1e-4 * certificate.upper
    assert certificate.cost == pytest.approx(certified.read_record().metrics["train"].cost, rel=1e-6)
    assert certificate.upper == pytest.approx(certificate.optimum["train"].cost, rel=1e-9)
    assert set(certificate.run) == set(certificate.optimum) == {"train", "validation"}
    assert certificate.run["validation"] == certified.read_record().metrics["validation"]
    # At the lowest cost every class has, on average, its frequency as probability.
    optimum, train = Classifier.of(certified, optimum=True), load_dataset(config).train
    frequencies = np.bincount(train.labels, minlength=10) / len(train)
    np.testing.assert_allclose(optimum.predict(train.images).probabilities.mean(axis=0), frequencies, atol=1e-7)


def test_the_command_says_what_the_certificate_holds(run, own_run):
    result = run("certify", own_run.path, "--quiet")
    certificate = own_run.read_certificate()
    assert result.stdout == "\n".join(sentences(certificate)) + "\n"
    lower, upper = map(float, re.match(r"The optimum lies between (\S+) and (\S+): proved\.", result.stdout).groups())
    assert lower <= certificate.lower <= certificate.upper <= upper
    assert "Test" not in result.stdout
    with_test = run("certify", own_run.path, "--quiet", "--with-test", "--json")
    document = json.loads(with_test.stdout)
    assert document == json.loads((own_run.path / "certificate.json").read_text())
    assert set(document["optimum"]) == {"train", "validation", "test"}


def made(**changes):
    metrics = {"validation": SplitMetrics(loss=1, cost=1, accuracy=0.5)}
    numbers = {"lower": 1.0, "upper": 1.0001, "cost": 1.2, "cost_with_best_bias": 1.1, "tolerance": 1e-4}
    return Certificate(
        **{**numbers, "weights": "last", "evaluations": 9, "run": metrics, "optimum": metrics, **changes}
    )


def test_each_sentence_is_said_only_of_numbers_that_support_it():
    assert list(sentences(made())) == [
        "The optimum lies between 1 and 1.00010: proved.",
        "This run's cost is 1.2: 0.2 above, or 20 %.",
        "Of that, 0.1 is the bias alone.",
        "Validation accuracy at the optimum: 50.00 % (run: 50.00 %).",
    ]
    assert not [line for line in sentences(made(cost_with_best_bias=1.2)) if "bias" in line]
    there = list(sentences(made(cost=1.0001, cost_with_best_bias=1.0001)))
    assert there[1] == "This run's cost is 1.0001: the optimum, to within the tolerance."
    assert not [line for line in there if "above" in line or "bias" in line]
    assert not [line for line in sentences(made(optimum={})) if "accuracy" in line]


def test_bounds_are_rounded_outwards():
    first = next(sentences(made(lower=1.00004999999, upper=1.0001000001)))
    assert first == "The optimum lies between 1.00004 and 1.00011: proved."


def test_evaluate_and_predict_take_the_optimum(run, certified, tmp_path):
    evaluated = run("evaluate", certified.path, "--optimum", "--split", "validation", "--json")
    assert evaluated.exit_code == 0, evaluated.stderr
    assert "agrees with certificate.json" in evaluated.stderr
    assert json.loads(evaluated.stdout)["metrics"] == certified.read_certificate().optimum["validation"].model_dump()
    picture = tmp_path / "picture.png"
    Image.new("RGB", (32, 32), (200, 30, 30)).save(picture)
    assert run("predict", certified.path, picture, "--optimum").exit_code == 0
    both = run("predict", certified.path, picture, "--optimum", "--best")
    assert both.exit_code == 2
    assert "--best and --optimum are different weights" in both.stderr


def test_a_run_without_a_certificate_has_no_optimum(run, own_run):
    result = run("evaluate", own_run.path, "--optimum")
    assert result.exit_code == 1
    assert "no optimum.npz" in result.stderr


def test_a_certificate_goes_when_the_run_goes_on(run, certified):
    assert run("train", "--resume", certified.path, "--set", "epochs=4", "--quiet", "--no-figures").exit_code == 0
    assert certified.read_certificate() is None
    assert not (certified.path / "optimum.npz").exists()


def test_certifying_again_gives_the_same_bytes(run, certified):
    before = content(certified)
    assert run("certify", certified.path, "--quiet").exit_code == 0
    assert content(certified) == before


@pytest.mark.parametrize("text", ["{}", "[", '{"lower": 2}', "null"], ids=["empty", "no JSON", "a key alone", "null"])
def test_a_damaged_certificate_is_refused(certified, text):
    (certified.path / "certificate.json").write_text(text)
    with pytest.raises(RunError, match=r"certificate\.json: damaged: .*; certify again"):
        certified.read_certificate()


def test_bounds_out_of_order_are_refused(certified):
    text = certified.read_certificate().model_copy(update={"lower": 99.0}).model_dump_json()
    (certified.path / "certificate.json").write_text(text)
    with pytest.raises(RunError, match="the bounds and the cost must be in order"):
        certified.read_certificate()


def with_status(folder, status):
    folder.write_record(folder.read_record().model_copy(update={"status": status}))


def without_lambda(folder):
    record = folder.read_record()
    config = record.config.model_copy(update={"lam": 0.0})
    folder.write_record(record.model_copy(update={"config": config}))
    path = folder.path / "config.yaml"
    path.write_text(path.read_text().replace("lambda: 1.0", "lambda: 0.0"))


def edited(folder):
    path = folder.path / "config.yaml"
    path.write_text(path.read_text().replace("lambda: 1.0", "lambda: 2.0"))


def with_other_images(folder):
    record = folder.read_record()
    data = record.data.model_copy(update={"sha256": {**record.data.sha256, "train": "0"}})
    folder.write_record(record.model_copy(update={"data": data}))


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (without_lambda, 2, "no certificate with lambda 0: the lowest cost need not be reached by any weights"),
        (edited, 2, "config.yaml has lambda 2, the run was trained with 1"),
        (lambda folder: with_status(folder, "diverged"), 1, "diverged: its last finite weights are not a result"),
        (lambda folder: with_status(folder, "running"), 1, "killed: its process is gone"),
        (lambda folder: with_status(folder, "failed"), 1, "failed: it has no result"),
        (lambda folder: (folder.path / "model.npz").unlink(), 1, "model.npz: missing; copy it back"),
        (with_other_images, 5, "was trained with other train images than these"),
    ],
    ids=["lambda 0", "edited", "diverged", "killed", "failed", "no weights", "other images"],
)
def test_what_cannot_be_certified_is_refused_in_a_line(run, own_run, spoil, code, message):
    spoil(own_run)
    before = content(own_run)
    result = run("certify", own_run.path, "--quiet")
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert content(own_run) == before


def test_a_run_under_way_is_not_certified(run, own_run):
    with own_run.locked():
        result = run("certify", own_run.path, "--quiet")
    assert result.exit_code == 1
    assert "still under way" in result.stderr


@pytest.mark.parametrize("options", [("--evaluations", 2), ("--tolerance", 1e-15)], ids=["few", "beyond rounding"])
def test_a_bracket_that_stays_wide_is_a_failed_check(run, own_run, options):
    before = content(own_run)
    result = run("certify", own_run.path, "--quiet", *options)
    assert result.exit_code == 5
    assert "of the cost apart after" in result.stderr
    assert "--evaluations" in result.stderr
    assert content(own_run) == before


def test_a_report_has_the_band_the_distance_and_the_part_above(run, certified, tmp_path):
    assert run("report", certified.path).exit_code == 0
    page, certificate = (certified.path / "report.md").read_text(), certified.read_certificate()
    assert f"- above optimum: {100 * certificate.above:.2f} %" in page
    assert f"The lowest cost is {certificate.lower:.5g} to {certificate.upper:.5g}." in page
    last = certified.read_metrics()[-1]["train_cost"] - certificate.lower
    assert f"{last:.2g}." in page
    assert (certified.path / "figures" / "optimum.png").is_file()


def test_a_report_without_certificates_says_nothing_of_an_optimum(run, own_run):
    assert run("report", own_run.path).exit_code == 0
    assert "optimum" not in (own_run.path / "report.md").read_text()
    assert not (own_run.path / "figures" / "optimum.png").exists()


def test_a_table_of_runs_has_a_column_above_the_optimum_if_one_has_a_certificate(run, certified, trained, tmp_path):
    other = shutil.copytree(trained.path, tmp_path / "runs" / "20200101T000000Z_plain")
    assert run("report", certified.path, other, "-o", tmp_path / "both").exit_code == 0
    lines = (tmp_path / "both" / "report.md").read_text().splitlines()
    head, _, *rows = lines[next(i for i, line in enumerate(lines) if "above optimum" in line) :]
    column = [cell.strip() for cell in head.split("|")].index("above optimum")
    assert [row.split("|")[column].strip() for row in rows[:2]] == [
        f"{100 * certified.read_certificate().above:.2f} %",
        "-",
    ]
    (certified.path / "certificate.json").unlink()
    assert run("report", certified.path, other, "-o", tmp_path / "both").exit_code == 0
    assert "above optimum" not in (tmp_path / "both" / "report.md").read_text()


def test_the_distance_is_drawn_from_the_lower_bound_and_costs_below_it_are_left_out():
    rows = [{"epoch": epoch, "step": epoch, "train_cost": cost} for epoch, cost in enumerate([2.0, 1.1, 0.9])]
    (axes,) = distance_figure({"run": rows}, {"run": (1.0, 1.05)}).axes
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [1.0, 0.1])
    assert axes.get_yscale() == "log"


def test_the_band_of_the_cost_lies_between_the_bounds():
    names = [f"{split}_{of}" for split in ("train", "validation") for of in ("cost", "loss")]
    rows = [{"epoch": 0, "step": 0} | dict.fromkeys(names, 2.0)]
    (band,) = cost_figure(rows, 0.1, optimum=(1.0, 1.05)).axes[0].patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((1.0, 1.05))
    assert not cost_figure(rows, 0.1).axes[0].patches


def test_the_figure_of_the_distance_goes_with_the_certificate(run, certified):
    assert run("report", certified.path).exit_code == 0
    (certified.path / "certificate.json").unlink()
    assert run("report", certified.path).exit_code == 0
    assert not (certified.path / "figures" / "optimum.png").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "sigmoid_bce"},
        {"loss": "logistic", "data": {"classes": [2, 3], "images_per_batch": 200}},
        {"bias": "column"},
        {"data": {"normalize": "minus_one_one"}},
        {"early_stopping": {"patience": 100}},
    ],
    ids=["sigmoid_bce", "logistic", "bias column", "minus_one_one", "best weights"],
)
def test_every_convex_config_is_certified(run, make_config, tmp_path, changes):
    folder = finished_run(make_config(**{"lambda": 0.1, **changes}), tmp_path / "runs")
    result = run("certify", folder.path, "--quiet", "--with-test")
    assert result.exit_code == 0, result.stderr
    certificate, record = folder.read_certificate(), folder.read_record()
    assert certificate.cost == pytest.approx(record.outcome["train"].cost, rel=1e-6)
    assert certificate.weights == ("best" if record.best else "last")
    assert certificate.run["test"].accuracy == record.outcome["test"].accuracy
    assert ("the bias alone" in result.stdout) <= (record.config.bias == "separate")


def test_a_network_is_refused_with_the_reason(run, own_run, monkeypatch):
    """Whatever is not the linear model, which alone has a convex cost."""
    monkeypatch.setattr(certificate_module, "Linear", int)
    result = run("certify", own_run.path, "--quiet")
    assert result.exit_code == 2
    assert "no certificate of a network: its cost is not convex in its weights" in result.stderr


def test_the_distance_to_the_optimum_of_a_page_is_over_the_axis_of_its_figure(certified):
    """Update steps where there are several evaluations in an epoch."""
    of_epochs = Run.read(certified.path)
    of_steps = replace(of_epochs, rows=[{**row, "epoch": 0.0} for row in of_epochs.rows])
    for run, axis, column in ((of_epochs, "epoch", "epoch"), (of_steps, "update step", "step")):
        (drawing,) = distances({run.name: run})
        assert drawing.draw().axes[0].get_xlabel() == drawing.chart.x == axis
        assert [x for x, _ in drawing.chart.series[0].points] == [row[column] for row in run.rows]
