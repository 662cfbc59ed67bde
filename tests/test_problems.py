"""Every kind of problem that Pydantic can find is put in our words, by its type."""

import pytest
from pydantic import ValidationError

from cifar_linear.config.models import Config
from cifar_linear.config.problems import SENTENCES, problems_of
from cifar_linear.config.questions import Questions, read_questions
from cifar_linear.config.sweeps import SweepFile
from cifar_linear.config.yaml_tree import Place, Tree
from cifar_linear.errors import ConfigError

FEATURES = {
    "dataset": "features",
    "train": {"features": "a.npy", "labels": "b.npy"},
    "validation": {"size": 10},
}
GOOD = {"data": {"dataset": "synthetic"}, "lambda": 0, "eta": 0.1, "n_batch": 1, "epochs": 1}
QUESTION = {"question": "a", "runs": ["a"], "figures": []}
BAD = [
    None, True, "", "x", -1, 0, 2.5, 10**20, 10**400, 1e308, float("nan"), float("inf"), [], ["x"], [1, 1], [0, 1, 2],
    {}, {"x": 1}, {"kind": "x"}, {"kind": []}, {"dataset": "x"}, {"size": 0}, {"cost": [0]},
    {"cost": [1, 0]}, {"cost": [0, 1, 2]},
]  # fmt: skip
SPECIAL = {"missing", "extra_forbidden", "union_tag_not_found", "union_tag_invalid", "conflict", "beside"}
"""Types of errors about keys rather than values."""


def known(kind):
    """Every key of a model, as files have it."""
    for name, field in kind.model_fields.items():
        yield field.alias or name


def spoilt():
    """Each key of each kind of file with each bad value."""
    for bad in BAD:
        for key in known(Config):
            yield Config, {**GOOD, key: bad}
        for dataset in ("cifar10", "mnist", "synthetic"):
            for key in ("train", "validation", "test", "limit", "classes", "normalize", "folder", "images_per_batch"):
                yield Config, {**GOOD, "data": {"dataset": dataset, key: bad}}
        yield Config, {**GOOD, "shuffle": bad}
        for key in ("train", "validation", "test", "class_names", "image_shape"):
            yield Config, {**GOOD, "data": {**FEATURES, key: bad}}
        for section, keys in (
            ("augmentation", ("flip", "shift")),
            ("early_stopping", ("patience",)),
            ("averaging", ("from_epoch",)),
            ("evaluate", ("per_epoch",)),
        ):
            yield from ((Config, {**GOOD, section: {key: bad}}) for key in keys)
        for layers in (
            bad,
            [bad],
            [{"conv": bad}],
            [{"maxpool": bad}, "flatten", "linear"],
            ["flatten", {"linear": bad}],
        ):
            yield Config, {**GOOD, "model": {"kind": "network", "layers": layers}}
        for kind in ("none", "step", "plateau", "cosine"):
            for key in ("every", "factor", "patience"):
                yield Config, {**GOOD, "decay": {"kind": kind, key: bad}}
        yield from ((Questions, {"title": "a", "questions": [{**QUESTION, key: bad}]}) for key in [*QUESTION, "ylim"])
        yield from ((Questions, {"title": bad, "questions": value}) for value in (bad, [bad]))
        yield from ((SweepFile, {"base": {}, key: bad}) for key in known(SweepFile))


def test_every_type_of_problem_has_a_sentence():
    """And every sentence has a problem that needs it."""
    types = set()
    for kind, values in spoilt():
        try:
            kind.model_validate(values, by_name=False)
        except ValidationError as error:
            types |= {problem["type"] for problem in error.errors()}
    assert len(types) > 15
    assert types <= SENTENCES.keys() | SPECIAL
    assert types >= SENTENCES.keys()


def test_every_problem_is_a_line_in_our_words():
    schemas = {kind: kind.model_json_schema() for kind in (Config, Questions, SweepFile)}
    for kind, values in spoilt():
        try:
            kind.model_validate(values, by_name=False)
        except ValidationError as error:
            tree = Tree(values, {(): Place("f.yaml", 1)})
            for problem in problems_of(error.errors(), tree, schemas[kind]):
                assert "Input should" not in str(problem)
                assert "Tuple" not in str(problem)
                assert "dictionary" not in str(problem)


def test_a_type_of_a_later_pydantic_is_told_in_its_own_words():
    tree = Tree({"eta": 3}, {(): Place("f.yaml", 1), ("eta",): Place("f.yaml", 2)})
    error = {"type": "colour", "loc": ("eta",), "msg": "Input should be blue", "input": 3}
    (problem,) = problems_of([error], tree, Config.model_json_schema())
    assert str(problem) == "f.yaml:2: eta: Input should be blue, found 3"


def test_what_a_question_lacks_is_told(tmp_path):
    path = tmp_path / "q.yaml"
    path.write_text("title: x\nquestions:\n  - question: a\n    runs: [a]\n")
    with pytest.raises(ConfigError) as caught:
        read_questions(path)
    expected = "questions.0.figures: missing (which of the figures of a report of these runs)"
    assert str(caught.value) == f"{path}:3: {expected}"


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ("[0]", "questions.0.ylim.cost: must have at least 2 items, not 1, found [0]"),
        ("[0, 1, 2]", "questions.0.ylim.cost: must have at most 2 items, not 3, found [0, 1, 2]"),
    ],
)
def test_an_axis_with_other_than_two_ends_is_refused(tmp_path, ends, message):
    path = tmp_path / "q.yaml"
    path.write_text(f"title: x\nquestions: [{{question: a, runs: [a], figures: [], ylim: {{cost: {ends}}}}}]\n")
    with pytest.raises(ConfigError) as caught:
        read_questions(path)
    assert str(caught.value) == f"{path}:2: {message}"
