"""What the report of a network shows, and what a report of several kinds of models."""

import json
import re
import shutil

import numpy as np
import pytest
from folders import finished_run, stopped_after

from cifar_linear.config.models import Config
from cifar_linear.config.reading import parse_config
from cifar_linear.errors import RunError
from cifar_linear.nn.metrics import confusion
from cifar_linear.report.collecting import Run, collect
from cifar_linear.report.drawing import draw_one
from cifar_linear.report.networks import inside
from cifar_linear.report.tables import classes
from cifar_linear.report.writing import write_report
from cifar_linear.runs.folder import RunFolder

LAYERS = [{"maxpool": 4}, {"conv": {"filters": 3, "kernel": 3, "padding": 1}}, "relu", "flatten", "linear"]
COMMON = {"data": {"dataset": "synthetic", "images_per_batch": 60}, "n_batch": 20, "epochs": 2, "eta": 0.05}


def train(root, name, watch=lambda _: None, **changes):
    config = Config.model_validate({**COMMON, "lambda": 0.01, **changes})
    return finished_run(config, root, name, watch)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a network and a linear run, which tests only read."""
    root = tmp_path_factory.mktemp("both")
    train(root, "network", model={"kind": "network", "layers": LAYERS})
    train(root, "straight")
    return root


def of_name(root, name):
    (path,) = root.glob(f"*_{name}")
    return path


@pytest.fixture
def network(trained, tmp_path):
    """A copy of the network's folder."""
    path = of_name(trained, "network")
    return RunFolder(shutil.copytree(path, tmp_path / path.name))


@pytest.fixture(scope="module")
def reported(trained, tmp_path_factory):
    """The folder of the network's report, which tests only read."""
    return write_report(collect([of_name(trained, "network")]), tmp_path_factory.mktemp("report")).parent


def figures(out):
    return re.findall(r"!\[.+\]\(figures/(.+)\.png\)", (out / "report.md").read_text())


def test_a_network_is_shown_from_its_filters_to_the_pixels_that_it_looks_at(reported):
    assert figures(reported) == [
        *("cost", "accuracy", "filters", "patches", "maps-1", "maps-2", "maps-3", "saliency"),
        *("probabilities", "reliability", "confusion", "classes", "mistakes"),
    ]
    text = (reported / "report.md").read_text()
    assert "![The 3 outputs of conv1 for one test image of each class, a row for each image: " in text
    assert "and the rank correlation of the two, on average " in text


@pytest.mark.parametrize(("dead", "said"), [(0, "No filter of conv1 is dead."), (1, "first 60 test images: 1 of 3.")])
def test_dead_filters_are_counted_and_none_is_said_once(network, dead, said):
    run = Run.read(network.path)
    run.inside.dead["relu"][:] = np.arange(3) < dead
    captions = {drawing.file: drawing.caption for drawing in inside(run)}
    assert captions["filters"].endswith(said)
    assert [name for name, caption in captions.items() if "ead" in caption.partition("Dead,")[1]] == (
        ["filters", "patches", "maps-2", "maps-3"] if dead else []
    )


def test_one_sheet_of_feature_maps_is_open_and_the_others_are_folded(reported):
    page = (reported / "report.html").read_text()
    folded = re.findall(r'<details class="printed">\n<summary>(Feature maps after .+?)</summary>', page)
    assert [title.split()[3].rstrip(",") for title in folded] == ["conv1", "relu"]
    assert page.index("Feature maps after maxpool") < page.index(folded[0])


def test_a_network_is_said_to_begin_by_its_layers_alone(reported, trained, tmp_path):
    """The standard deviation of a linear model's first weights is none of a network's settings."""
    assert "init_std" not in (reported / "report.md").read_text()
    straight = write_report(collect([of_name(trained, "straight")]), tmp_path)
    assert "| init_std | 0.01 |" in straight.with_suffix(".md").read_text()


def test_wide_tables_of_a_network_scroll_in_themselves(reported):
    page = (reported / "report.html").read_text()
    tables = re.findall(r"(<div [^>]+>|<dl[^>]*>|)\s*<table", page)
    assert all('class="wide"' in before for before in tables)


def test_layers_have_a_table_on_both_pages(reported):
    row = ["conv1", "3 x 8 x 8", "84", "3x3x3x3+3", "12 x 12", str(3 * 64 * 27), "73.0 %"]
    assert f"| {' | '.join(row)} |" in (reported / "report.md").read_text()
    cells = "".join(f"<td>{cell}</td>" for cell in row[1:])
    assert f'<tr><th scope="row">conv1</th>{cells}</tr>' in (reported / "report.html").read_text()


def test_loss_and_penalty_add_up_to_the_cost(network, reported):
    text = (reported / "report.md").read_text()
    assert "| images | loss | penalty | cost | accuracy |" in text
    squares = sum(np.square(W, dtype=float).sum() for name, W in network.read_model().parameters.items() if "W" in name)
    for split, of in network.read_record().metrics.items():
        assert of.cost - of.loss == pytest.approx(0.01 * squares, rel=1e-5)
        assert f"| {split} | {of.loss:.4f} | {of.cost - of.loss:.4f} | {of.cost:.4f} |" in text


@pytest.mark.parametrize("name", ["network", "straight"])
def test_classes_of_table_and_command_come_from_the_stored_predictions(run, trained, name):
    """Of a network and of a linear run."""
    stored = Run.read(of_name(trained, name))
    document = json.loads(run("evaluate", stored.folder.path, "--json").stdout)
    counts = confusion(stored.predictions.predicted, stored.predictions.labels, 10)
    assert [of["predicted_as"] for of in document["classes"]] == counts.tolist()
    for k, (of, cells) in enumerate(zip(document["classes"], classes(stored), strict=True)):
        assert (of["images"], of["predicted"]) == (counts[k].sum(), counts[:, k].sum())
        assert (of["precision"] is None) == (of["predicted"] == 0) == (cells[2] == "-")
        recall = of["recall"]
        assert recall["value"] == counts[k, k] / counts[k].sum()
        written = f"{100 * recall['value']:.1f} % ({100 * recall['low']:.1f} to {100 * recall['high']:.1f})"
        assert [*cells[:2], cells[3]] == [of["class"], str(of["images"]), written]


def test_classes_have_a_table_on_both_pages(trained, reported):
    cells = classes(Run.read(of_name(trained, "network")))[0]
    assert f"| {' | '.join(cells)} |" in (reported / "report.md").read_text()
    assert "".join(f"<td>{cell}</td>" for cell in cells[1:]) in (reported / "report.html").read_text()


def test_a_mixed_report_has_templates_of_linear_runs_and_filters_of_networks(trained, tmp_path):
    write_report(collect([trained]), tmp_path)
    assert figures(tmp_path) == [
        *("cost", "accuracy", "templates", "templates-common-scale", "filters-1", "probabilities", "reliability"),
    ]
    text = (tmp_path / "report.md").read_text()
    assert "![The weights of" in text
    assert ", a row for each run: straight.](figures/templates.png)" in text
    assert "Filters of conv1 (network), before and after training." in text
    assert "## Layers" not in text


def test_a_folder_without_a_look_inside_is_reported_with_its_filters(network):
    """As older versions wrote it."""
    (network.path / "introspection.npz").unlink()
    drawings = list(draw_one(Run.read(network.path)))
    assert [drawing.file for drawing in drawings][2:4] == ["filters", "probabilities"]
    assert "Dead" not in drawings[2].alt


def test_an_interrupted_network_is_reported_with_its_filters(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, "broken", stopped_after(2), model={"kind": "network", "layers": LAYERS})
    write_report(collect([tmp_path]), tmp_path / "out")
    assert figures(tmp_path / "out") == ["cost", "accuracy", "filters"]


def test_a_network_whose_first_weights_see_no_image_has_maps_but_no_filters(tmp_path):
    layers = ["relu", "globalaveragepool", {"linear": 4}, "relu", "linear"]
    folder = train(tmp_path, "blind", model={"kind": "network", "layers": layers})
    assert [drawing.file for drawing in inside(Run.read(folder.path))] == ["maps-1", "saliency"]


def test_a_channel_is_dead_from_its_convolution_to_the_last_pool(network):
    """The convolution before a dead ReLU channel is marked as well; what feeds it is not."""
    run = Run.read(network.path)
    run.inside.dead["relu"][:] = [False, True, False]
    kept = {drawing.file: drawing.draw.args[-1].tolist() for drawing in inside(run) if "saliency" not in drawing.file}
    assert kept.pop("maps-1") == [False] * 3
    assert set(kept) == {"filters", "patches", "maps-2", "maps-3"}
    assert all(dead == [False, True, False] for dead in kept.values())


def test_pixels_of_a_flat_relu_say_nothing_about_channels(tmp_path):
    """Its first outputs, all of the first channel, are no filters."""
    layers = [{"maxpool": 4}, {"conv": {"filters": 3, "kernel": 3}}, "flatten", "relu", "linear"]
    run = Run.read(train(tmp_path, "flat", model={"kind": "network", "layers": layers}).path)
    run.inside.dead["relu"][:] = True
    for drawing in inside(run):
        assert "Dead" not in drawing.alt
        if drawing.name != "saliency":
            assert not drawing.draw.args[-1].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"conv1.b": np.zeros(4, np.float32)}, "conv1.b has the shape (4,), expected (3,)"),
        ({"image_shape": np.array([3, 16, 64])}, "10 classes of images (3, 16, 64)"),
        ({"class_names": np.array(["a", "b"])}, "2 classes of images (3, 32, 32)"),
    ],
)
def test_a_report_refuses_a_model_that_is_not_the_configs(network, change, said):
    np.savez(network.path / "model.npz", **(dict(np.load(network.path / "model.npz")) | change))
    with pytest.raises(RunError) as refused:
        Run.read(network.path)
    assert str(refused.value) == f"{network.path}: its model is not the config's: {said}"


def test_a_network_in_the_folder_of_a_linear_run_is_refused(network, trained, tmp_path):
    path = of_name(trained, "straight")
    copy = shutil.copytree(path, tmp_path / "straight")
    shutil.copy(network.path / "model.npz", copy / "model.npz")
    with pytest.raises(RunError, match="its model is not the config's: the config's is linear"):
        Run.read(copy)


def test_a_damaged_look_inside_is_one_line_and_the_other_runs_are_reported(run, trained, network):
    (network.path / "introspection.npz").write_bytes(b"PK")
    shutil.copytree(of_name(trained, "straight"), network.path.parent / "other")
    result = run("report", network.path, network.path.parent / "other", "-o", network.path.parent / "out")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"left out: {network.path / 'introspection.npz'}: damaged, or not a file of this program")


def test_shown_config_of_a_network_is_a_config_with_its_layers_in_comments(run, network):
    path = network.path / "config.yaml"
    shown = run("config", "show", path).stdout
    assert parse_config(shown.encode(), "shown") == network.config()
    comments = [line for line in shown.splitlines() if line.startswith("#")]
    assert shown.endswith("\n".join(comments) + "\n")
    assert [line.split()[1] for line in comments] == ["layer", "maxpool", "conv1", "relu", "flatten", "linear", "all"]
    assert "2014" in comments[-1].split()  # 84 of the convolution and 1930 of the linear layer


def test_shown_config_of_a_linear_model_has_no_comment(run, trained):
    path = of_name(trained, "straight") / "config.yaml"
    assert run("config", "show", path).stdout == path.read_text()


def test_questions_may_ask_for_what_a_network_shows(run, trained, tmp_path):
    file = tmp_path / "questions.yaml"
    wanted = ["filters", "maps", "saliency", "classes"]
    question = {"question": "What has it learnt?", "runs": ["network"], "figures": wanted}
    file.write_text(json.dumps({"title": "Inside", "questions": [question]}))
    result = run("report", "--questions", file, "--runs-dir", trained, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    names = sorted(path.stem for path in (tmp_path / "out" / "figures").iterdir())
    assert names == ["1-classes", "1-filters", "1-maps-1", "1-maps-2", "1-maps-3", "1-saliency"]
