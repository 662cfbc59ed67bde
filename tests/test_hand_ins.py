"""``course check``: forgeries are flagged, honest hand-ins are not, whatever the machine that trained them."""

import csv
import io
import json
import math
import os
import re
import shutil
import stat
import zipfile

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hand_ins import KINDS, Class, arrays, base_config, forged_hand_ins, honest_hand_ins, rewrite

from cifar_linear.cli import cli
from cifar_linear.course.handins import checking, unpacking
from cifar_linear.course.handins.curves import least_loss
from cifar_linear.course.handins.flags import CHECKS
from cifar_linear.course.handins.metrics import measure, rounding_of
from cifar_linear.course.handins.preprocessing import preprocessing_flags
from cifar_linear.course.handins.reading import HandedRun
from cifar_linear.course.handins.unpacking import unpack
from cifar_linear.data.dataset import Dataset
from cifar_linear.errors import RunError
from cifar_linear.experiments.classifier import Classifier
from cifar_linear.experiments.loading import load_dataset
from cifar_linear.nn.losses import LOSSES


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A class with honest and forged hand-ins after the check, all of them trained again; and what was planted."""
    root = tmp_path_factory.mktemp("class")
    course = Class(root / "handins", base_config())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # A third of the time, for folders that need not survive.
        honest_hand_ins(course)
        planted = forged_hand_ins(course)
    (root / "asked.yaml").write_text(yaml.safe_dump(course.base))
    words = ["course", "check", root / "handins", "--sample", 100, "--json", "-o", root / "page"]
    words += ["--asked", root / "asked.yaml", "--gradescope", root / "gradescope"]
    return CliRunner().invoke(cli, list(map(str, words))), planted, root


@pytest.fixture
def class_(tmp_path):
    """An empty class."""
    return Class(tmp_path / "handins", base_config())


@pytest.fixture
def check(run, class_, tmp_path):
    """The command on the class."""

    def call(*options):
        return run("course", "check", class_.root, "-o", tmp_path / "page", *options)

    return call


def flags(result):
    """All flags of a JSON document, with the names of hand-in and check."""
    rows = json.loads(result.stdout)["rows"]
    return [(row["hand_in"], flag["check"], flag["evidence"]) for row in rows for flag in row["flags"]]


def test_every_forgery_is_flagged_by_the_check_that_is_meant_for_it(checked):
    result, planted, _ = checked
    assert len(planted) >= 20
    found = {(name, check) for name, check, _ in flags(result)}
    assert [name for name, check in planted.items() if (f"forged-{name}", check) not in found] == []


def test_no_honest_hand_in_is_flagged(checked):
    """Other seeds, other settings than asked, sums in another order, stopped and resumed, lengthened, sweeps."""
    result, *_ = checked
    names = {row["hand_in"] for row in json.loads(result.stdout)["rows"]}
    assert sum(name.startswith("honest") for name in names) > len(KINDS) + 7
    found = [flag for flag in flags(result) if not flag[0].startswith(("forged", "victim"))]
    assert [flag for flag in found if flag[1] != "asked"] == []


def test_an_honest_run_that_was_copied_is_flagged_with_its_copies(checked):
    """Who copied from whom is not known."""
    result, *_ = checked
    of_victim = [evidence for name, check, evidence in flags(result) if name == "victim"]
    assert "measured times are those of forged-" in of_victim[0]


def test_flags_have_both_numbers(checked):
    result, *_ = checked
    found = {(name.removeprefix("forged-"), check): evidence for name, check, evidence in reversed(flags(result))}
    assert "accuracy 0.9900 is recorded; these weights classify" in found["test-accuracy", "metrics"]
    assert "loss 0.1000, which is at least 0.6931 with accuracy 0.0000" in found["impossible-loss", "curves"]
    assert "the mean is that of the test images" in found["mean-of-the-test-images", "preprocessing"]
    assert "epochs is 2, asked was 3" in found["fewer-epochs", "asked"]
    assert "it has these metrics on the test images" in found["tuned-on-test", "metrics"]
    assert "validation images are the test images" in found["validated-on-test", "images"]
    assert "the weights are 1.5 times those of" in found["scaled-weights", "copies"]
    assert "eta 1e-06 was evaluated on the test set; validation accuracy selects eta 0.003" in "".join(found.values())


def test_flags_end_in_exit_code_5_with_a_summary(checked):
    result, planted, _ = checked
    assert result.exit_code == 5
    last = result.stderr.splitlines()[-1]
    assert re.search(r"handins: \d+ hand-ins are flagged: forged-better-everywhere, ", last)
    assert set(json.loads(result.stdout)["flagged"]) >= {f"forged-{name}" for name in planted}


def test_the_page_has_every_flag_and_what_each_check_proves(checked):
    result, _, root = checked
    page = (root / "page" / "handins.html").read_text()
    assert page.count("<dt>left open</dt>") == len(CHECKS)
    for check in CHECKS:
        assert check.question in page
    rows = [row for row in json.loads(result.stdout)["rows"] if row["flags"]]
    assert page.count("<details open>") == len(rows)


def test_the_table_has_a_line_for_each_run(checked):
    result, _, root = checked
    lines = list(csv.DictReader(io.StringIO((root / "page" / "handins.csv").read_text())))
    rows = json.loads(result.stdout)["rows"]
    assert [(line["hand_in"], line["run"]) for line in lines] == [(row["hand_in"], row["run"]) for row in rows]
    assert json.loads((root / "page" / "handins.json").read_text()) == json.loads(result.stdout)


def test_gradescope_gets_a_file_for_each_hand_in_that_only_instructors_see(checked):
    """A test for each check, without points: it flags, it does not mark."""
    *_, root = checked
    results = json.loads((root / "gradescope" / "forged-no-start.json").read_text())
    assert [test["name"].partition(":")[0] for test in results["tests"]] == [check.name for check in CHECKS]
    assert {test["visibility"] for test in results["tests"]} == {"hidden"}
    assert results["score"] == sum(test["max_score"] for test in results["tests"]) == 0
    failed = {test["name"].partition(":")[0] for test in results["tests"] if test["status"] == "failed"}
    assert "curves" in failed
    honest = json.loads((root / "gradescope" / "honest-plain.json").read_text())
    assert {test["status"] for test in honest["tests"] if not test["name"].startswith("asked")} == {"passed"}


def test_honest_hand_ins_end_in_exit_code_0(class_, check):
    class_.train("anna", seed=1)
    class_.train("ben", seed=2)
    result = check("--sample", 1)
    assert result.exit_code == 0, result.stdout
    assert result.stdout.splitlines()[0] == "2 hand-ins with 2 runs, 1 trained again: 0 flagged"


def test_a_zip_archive_is_checked_like_its_folder(class_, check):
    """And its evidence does not name the temporary folder."""
    folder = class_.train("anna", seed=1)
    rewrite(folder, rows=lambda n, row: row if n else None)
    plain = flags(check("--json"))
    shutil.make_archive(str(class_.root / "anna"), "zip", folder.path)
    shutil.rmtree(folder.path)
    assert [path.name for path in class_.root.iterdir()] == ["anna.zip"]
    packed = flags(check("--json"))
    assert [(name, check) for name, check, _ in packed] == [(name, check) for name, check, _ in plain]
    assert all("/tmp" not in evidence for *_, evidence in packed)


def test_a_folder_and_its_archive_are_two_hand_ins(class_, check):
    """And copies of each other."""
    folder = class_.train("anna", seed=1)
    shutil.make_archive(str(class_.root / "anna"), "zip", folder.path)
    assert [(name, check) for name, check, _ in flags(check("--json"))] == [("anna", "copies"), ("anna.zip", "copies")]


def test_the_folder_of_a_student_may_hold_several_runs(class_, check, tmp_path):
    """All that was asked must be there; others may be."""
    (tmp_path / "asked").mkdir()
    for lam in (0.01, 1.0):
        (tmp_path / "asked" / f"lambda-{lam:g}.yaml").write_text(yaml.safe_dump({**class_.base, "lambda": lam}))
    for name, lam in (("anna/one", 0.01), ("anna/two", 1.0), ("anna/more", 3.0), ("ben/one", 0.01), ("ben/two", 0.9)):
        class_.train(name, seed=len(name), **{"lambda": lam})
    found = flags(check("--asked", tmp_path / "asked", "--json"))
    assert found == [("ben", "asked", "lambda-1 is missing; the nearest is two: lambda is 0.9, asked was 1")]


def test_a_run_that_was_stopped_is_not_what_was_asked(class_, check, tmp_path):
    (tmp_path / "asked.yaml").write_text(yaml.safe_dump(class_.base))
    honest_hand_ins(class_, kinds=())
    for path in class_.root.iterdir():
        if path.name != "honest-stopped":
            shutil.rmtree(path)
    assert flags(check("--json")) == []
    (found,) = flags(check("--json", "--asked", tmp_path / "asked.yaml"))
    assert found == ("honest-stopped", "asked", "interrupted after epoch 1, asked were 3 epochs")


def test_the_same_seed_gives_the_same_weights_and_is_no_copy(class_, check):
    """The times are measured, and differ; a second copy of the folder has them as well."""
    class_.train("anna", seed=1)
    class_.train("ben", seed=1)
    assert check().exit_code == 0
    shutil.copytree(class_.root / "ben", class_.root / "carl")
    found = flags(check("--json"))
    assert [(name, check) for name, check, _ in found] == [("ben", "copies"), ("carl", "copies")]
    assert "4 of 4 measured times are those of carl, carl, in every digit; both were started " in found[0][2]


def test_two_copies_in_one_hand_in_are_one_student(class_, check):
    folder = class_.train("anna/one", seed=1)
    shutil.copytree(folder.path, class_.root / "anna" / "again")
    assert check().exit_code == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_no_scores_have_a_lower_loss_than_the_least(make_config, loss):
    """Random search on both sides: the bound holds, and scores that nearly tie come close to it."""
    classes = 2 if loss == "logistic" else 5
    data = {"classes": list(range(classes))}
    config = make_config(loss=loss, data=data)
    rng, outputs = np.random.default_rng(0), LOSSES[loss].scores_for(classes)
    lowest = math.inf
    for size in (0.01, 0.1, 1, 10, 100):
        scores = rng.normal(0, size, (4000, outputs))
        scores[:2000] -= 30
        scores[:2000, : min(2, outputs)] = size * rng.normal(0, 0.01, (2000, min(2, outputs)))
        labels = rng.integers(0, classes, 4000)
        wrong = LOSSES[loss].predicted(scores) != labels
        lowest = min(lowest, LOSSES[loss].values(scores, labels)[wrong].min())
    assert least_loss(config, 0.0, classes) <= lowest < 1.1 * least_loss(config, 0.0, classes)
    assert least_loss(config, 0.75, classes) == pytest.approx(0.25 * least_loss(config, 0.0, classes))


def test_rounding_covers_another_order_of_summation(class_):
    """The scores of weights and images with permuted dimensions, which are summed otherwise."""
    folder = class_.train("anna", eta=0.1)
    classifier, images = Classifier.of(folder), load_dataset(class_.config()).test
    order = np.random.default_rng(0).permutation(3072)
    W, b = (classifier.parameters[name][0] for name in ("W", "b"))
    seen = classifier.objective.model.standardization
    X = ((images.images - seen.shift) * seen.scale).astype(np.float32)
    otherwise = X[:, order] @ W[:, order].T + b
    distance = np.abs(otherwise - classifier.scored(images).scores).max()
    assert 0 < distance < rounding_of(classifier, images)
    assert measure(classifier, images).undecided < 5


def test_a_classifier_that_was_trained_on_test_images_is_flagged(class_):
    """By its losses alone: one that was not is far from the limit."""
    config = class_.config(data={"images_per_batch": 600}, epochs=20, **{"lambda": 0.0})
    images = class_.dataset(config)
    cheating = Dataset(images.test, images.validation, images.test, images.class_names, images.image_shape)
    class_.dataset = lambda _: cheating
    wrong = class_.train("wrong", data={"images_per_batch": 600}, epochs=20, **{"lambda": 0.0})
    class_.dataset = lambda _: images
    right = class_.train("right", data={"images_per_batch": 600}, epochs=20, **{"lambda": 0.0})
    checker = checking._Checker(checking.Plan({}, None, 0, 0, 60), lambda: None)
    names = {
        folder.path.name: {flag.check for flag in checker._flags(HandedRun.read(folder.path, ""), images)}
        for folder in (wrong, right)
    }
    assert "test" in names["wrong"]
    assert names["right"] == set()


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        (lambda d: d.validation.images.mean(0) / 255, None, ["the mean is that of the validation images"]),
        (lambda d: np.zeros(3072), None, ["the mean is 0: pixels are not centred"]),
        (None, lambda d: np.ones(3072), ["the standard deviation is 1: pixels are from 0 to 1"]),
        (None, lambda d: d.train.images.std(0) / 255, ["the standard deviation is that of the train images with n in"]),
        (
            None,
            lambda d: np.full(3072, d.train.images.std() / 255),
            ["the standard deviation is one number for the tr"],
        ),
        (
            lambda d: np.concatenate([s.images for s in d.splits.values()]).mean(0) / 255,
            lambda d: np.concatenate([s.images for s in d.splits.values()]).std(0, ddof=1) / 255,
            ["the mean is that of all images, with", "the standard deviation is that of all images, with"],
        ),
        (lambda d: d.train.images.mean(0) / 256, None, ["the mean is of no known kind: in dimension "]),
    ],
)
def test_wrong_preprocessing_is_named(class_, mean, std, said):
    """Means and deviations by another formula than the program's, which are right ones for the training images."""
    folder, images = class_.train("anna", seed=1), class_.dataset(class_.config())
    changes = {"mean": mean, "std": std}
    arrays(folder.path / "model.npz", **{name: lambda _, f=f: f(images) for name, f in changes.items() if f})
    found = [flag.evidence for flag in preprocessing_flags(HandedRun.read(folder.path, ""), images)]
    assert len(found) == len(said)
    assert all(f"last weights: {words}" in evidence for words, evidence in zip(said, found, strict=True))


def test_a_training_that_takes_too_long_is_given_up(class_, check):
    class_.train("anna", seed=1)
    result = check("--sample", 1, "--limit", 1e-9)
    assert "1 trained again (1 not finished in time): " in result.stdout


def test_the_images_of_a_config_are_never_used(class_, check, tmp_path):
    """A hand-in names a folder of its own; what counts is the teacher's."""
    folder = class_.train("anna", seed=1)
    rewrite(
        folder,
        config={
            "data": {"dataset": "cifar10", "images_per_batch": None, "seed": None, "folder": str(tmp_path / "mine")}
        },
    )
    result = check("--data-dir", tmp_path / "theirs")
    assert result.exit_code == 3
    assert f"{tmp_path / 'theirs'}: does not exist" in result.stderr


def test_files_that_a_hand_in_names_are_never_read(class_, check, tmp_path):
    """Features of one's own: there is nothing to hold them against."""
    folder = class_.train("anna", seed=1)
    data = {"dataset": "features", "train": {"features": str(tmp_path / "fifo.npz")}, "validation": {"size": 9}}
    os.mkfifo(tmp_path / "fifo.npz")  # Reading it would never end.
    folder.write_config(yaml.safe_dump({**class_.base, "data": data}))
    ((name, kind, evidence),) = flags(check("--json"))
    assert (name, kind) == ("anna", "readable")
    assert "trained on files of its author, which are not read" in evidence


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: (path / "run.json").write_text("{"), "run.json: not the record of a run"),
        (lambda path: (path / "model.npz").write_bytes(b"PK"), "model.npz: damaged"),
        (lambda path: (path / "metrics.csv").write_text("epoch,step\n0,0\n"), "metrics.csv: line 2"),
        (lambda path: (path / "config.yaml").write_text("eta: [1"), "config.yaml"),
        (lambda path: (path / "metrics.csv").write_text(""), "stopped before its first evaluation"),
        (lambda path: (path / "predictions.npz").write_bytes(b""), "predictions.npz: damaged"),
        (lambda path: (path / "run.json").unlink(), "no run in it: there is no run.json"),
    ],
)
def test_a_damaged_hand_in_is_flagged_and_the_others_are_checked(class_, check, damage, said):
    damage(class_.train("anna", seed=1).path)
    class_.train("ben", seed=2)
    ((name, kind, evidence),) = flags(check("--json"))
    assert (name, kind) == ("anna", "readable")
    assert said in evidence


def test_links_are_not_followed(class_, check, tmp_path):
    """Neither a file of a run nor a whole hand-in."""
    folder = class_.train("anna", seed=1)
    secret = (folder.path / "model.npz").rename(tmp_path / "model.npz")
    (folder.path / "model.npz").symlink_to(secret)
    outside = shutil.copytree(folder.path, tmp_path / "outside", symlinks=True)
    (class_.root / "ben").symlink_to(outside)
    assert flags(check("--json")) == [("anna", "readable", "model.npz: a symbolic link, which is not followed")]


def test_a_shape_that_is_not_the_configs_is_flagged(class_, check):
    folder = class_.train("anna", seed=1)
    model = folder.read_model()
    small = model._replace(
        parameters={"W": model.W[:, :784], "b": model.b},
        mean=model.mean[:784],
        std=model.std[:784],
        image_shape=(1, 28, 28),
    )
    folder.write_model(small)
    (folder.path / "predictions.npz").unlink()
    ((_, kind, evidence),) = flags(check("--json"))
    assert kind == "readable"
    assert "not for 10 classes of images (3, 32, 32)" in evidence


@pytest.mark.parametrize("pass_", [(10**9, 0), (2, 7)])
def test_a_forged_number_of_runs_is_not_trained(class_, check, pass_):
    folder = class_.train("anna", seed=1)
    rewrite(folder, record={"runs_in_pass": pass_[0], "place_in_pass": pass_[1]})
    ((_, kind, evidence),) = flags(check("--json", "--sample", 1))
    assert (kind, evidence) == ("again", f"run {pass_[1]} of {pass_[0]} in a pass, which no sweep trains")


def test_names_become_no_formulas_and_no_html(class_, check, tmp_path):
    """In a spreadsheet, on the page, in a terminal."""
    folder = class_.train("=cmd<b>", seed=1)
    rewrite(folder, rows=lambda n, row: row if n else None)
    folder.path.rename(class_.root / "=cmd<b>\x1b[31m")
    result = check()
    assert "\x1b" not in result.stdout + result.stderr
    assert "\n'=cmd<b>" in (tmp_path / "page" / "handins.csv").read_text()
    page = (tmp_path / "page" / "handins.html").read_text()
    assert "<b>" not in page
    assert "=cmd&lt;b&gt;" in page


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["/no/folder"], 1, "/no/folder: cannot be read: No such file or directory; name the folder of all hand-ins"),
        (["EMPTY"], 1, "no hand-ins: it should hold run folders"),
        (["RUN"], 1, "a run folder; name the folder that holds the hand-ins"),
        (["ROOT", "--asked", "EMPTY"], 2, "there are no YAML files in this folder"),
        (["ROOT", "--asked", "/no/file"], 2, "/no/file"),
        (["ROOT", "--sample", "-1"], 2, "--sample"),
        (["ROOT", "--limit", "0"], 2, "--limit"),
    ],
)
def test_what_cannot_be_checked_is_refused(run, class_, tmp_path, words, code, said):
    folder = class_.train("anna", seed=1)
    (tmp_path / "empty").mkdir()
    places = {"EMPTY": tmp_path / "empty", "RUN": folder.path, "ROOT": class_.root}
    result = run("course", "check", *(places.get(word, word) for word in words))
    assert result.exit_code == code
    assert said in result.stderr


def archive(path, *entries):
    """A zip archive with entries: a name or a ZipInfo, and the content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return path


def link(name):
    """An entry that is a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([("../run.json", b"x")], "leads out of the folder"),
        ([("/run.json", b"x")], "leads out of the folder"),
        ([("a\\..\\run.json", b"x")], "leads out of the folder"),
        ([("C:/run.json", b"x")], "leads out of the folder"),
        ([(link("run.json"), b"/etc/passwd")], "neither a file nor a folder"),
        ([("a/run.json", b"x"), ("A/run.json", b"y")], "contains A/run.json twice"),
        ([("model.npz", bytes(3 * 2**20)), ("a/model.npz", bytes(3 * 2**20))], "unpacks to more than 4 MiB"),
        ([(f"{i}", b"") for i in range(50)], "more than 40 entries"),
    ],
    ids=["out", "absolute", "backslash", "drive", "link", "twice", "bomb", "many"],
)
def test_an_archive_in_bad_faith_is_refused_before_anything_is_written(tmp_path, monkeypatch, entries, said):
    monkeypatch.setattr(unpacking, "_MOST_BYTES", 4 * 2**20)
    monkeypatch.setattr(unpacking, "_MOST_ENTRIES", 40)
    path = archive(tmp_path / "ben.zip", *entries)
    (tmp_path / "to").mkdir()
    with pytest.raises(RunError, match=r"ben\.zip: .*; refused") as caught:
        unpack(path, tmp_path / "to")
    assert said in str(caught.value)
    assert list((tmp_path / "to").iterdir()) == []


def test_only_files_of_runs_are_unpacked(tmp_path):
    path = archive(
        tmp_path / "ben.zip",
        ("ben/one/run.json", b"{}"),
        ("ben/one/figures/cost.png", b"png"),
        ("ben/solution.py", b"import os"),
        ("__MACOSX/ben/._run.json", b"x"),
    )
    (tmp_path / "to").mkdir()
    unpack(path, tmp_path / "to")
    assert [str(file.relative_to(tmp_path / "to")) for file in (tmp_path / "to").rglob("*") if file.is_file()] == [
        "ben/one/run.json"
    ]


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: c.replace(b"{}", b"[]")])
def test_a_damaged_archive_is_refused(tmp_path, damage):
    path = tmp_path / "ben.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("run.json", b"{}")
    path.write_bytes(damage(path.read_bytes()))
    (tmp_path / "to").mkdir()
    with pytest.raises(RunError, match="not a whole zip archive"):
        unpack(path, tmp_path / "to")


def test_an_encrypted_archive_is_refused(tmp_path):
    path = archive(tmp_path / "ben.zip", ("run.json", b"{}"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    (tmp_path / "to").mkdir()
    with pytest.raises(RunError, match="encrypted"):
        unpack(path, tmp_path / "to")
