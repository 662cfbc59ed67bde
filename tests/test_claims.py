"""Answers say what the runs show: other runs, other sentences."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from cifar_linear.config.conditions import METRICS, compared
from cifar_linear.config.questions import read_questions
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.report import claims
from cifar_linear.report.claims import answer
from cifar_linear.report.collecting import collect

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.fixture
def runs(four_runs):
    """The runs run-0 to run-3, the first three with lambda 0, 0.3 and 1."""
    return collect([four_runs]).runs


def claims_of(tmp_path, *paragraphs):
    """Paragraphs as they are read from a file."""
    question = {"question": "q", "runs": ["a"], "figures": [], "answer": list(paragraphs)}
    (tmp_path / "q.yaml").write_text(yaml.safe_dump({"title": "t", "questions": [question]}))
    return read_questions(tmp_path / "q.yaml").questions[0].paragraphs


@pytest.mark.parametrize(
    ("condition", "larger", "smaller"),
    [
        ("gap of a > gap of b", ("gap of a", 1, 0), ("gap of b", 1, 0)),
        ("gap of a < gap of b + 0.01", ("gap of b", 1, 0.01), ("gap of a", 1, 0)),
        ("0.5 > norm of a.b_c-1 * 2", ("0.5", 1, 0), ("norm of a.b_c-1", 2, 0)),
        ("epochs of s/a - 3 > 1", ("epochs of s/a", 1, -3), ("1", 1, 0)),
    ],
)
def test_a_condition_has_a_larger_and_a_smaller_side(condition, larger, smaller):
    assert compared(condition) == (larger, smaller)


def test_the_paragraph_follows_from_the_numbers(tmp_path, runs):
    """Each of the two is chosen where its side is larger."""
    small, large = runs[2].weight_norm, runs[0].weight_norm
    assert small < large
    paragraphs = claims_of(
        tmp_path,
        {"if": "norm of run-0 > norm of run-2", "then": "smaller: {norm of run-2}", "else": "no"},
        {"if": "norm of run-0 < norm of run-2", "then": "no", "else": "not larger: {norm of run-0}"},
        {"if": f"norm of run-0 > {large + 1:.3f}", "then": "no"},
        {"if": f"norm of run-2 * {large / small * 1.01:.4f} > norm of run-0", "then": "by this factor"},
        "{epochs of run-1} epochs",
    )
    assert list(answer(paragraphs, runs)) == [
        f"smaller: {small:.3f}",
        f"not larger: {large:.3f}",
        "by this factor",
        "4 epochs",
    ]


def test_every_metric_has_a_value_and_a_form(runs):
    assert set(claims._VALUES) == set(METRICS)
    for metric in METRICS:
        assert re.search(r"\d", claims._written(f"{metric} of run-0", runs))


def test_roughness_is_1_for_noise_and_0_for_a_constant(runs, monkeypatch):
    rng = np.random.default_rng(0)
    for W, expected in ((rng.normal(size=(10, 3072)), 1.0), (np.ones((10, 3072)), 0.0), (np.zeros((10, 3072)), 0.0)):
        model = runs[0].model._replace(parameters={"W": W, "b": np.zeros(10)})
        changed = type(runs[0])(runs[0].folder, runs[0].record, runs[0].rows, model, None)
        assert claims._roughness(changed) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("paragraph", "said"),
    [
        ({"if": "gap of a > gap", "then": "x"}, "must be like `gap of run-a > gap of run-b + 0.01`"),
        ({"if": "beauty of a > 1", "then": "x"}, "with test accuracy, validation accuracy"),
        ({"if": "gap of a >= 1", "then": "x"}, "must be like"),
        ({"then": "x"}, "answer.0.if: missing"),
        ({"if": "gap of a > 1"}, "answer.0.then: missing"),
        ("{gpa of a}", "{gpa of a}: must be like {gap of run-a}"),
        (3, "Input should be a text or {if, then}"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_line(tmp_path, paragraph, said):
    with pytest.raises(ConfigError) as caught:
        claims_of(tmp_path, paragraph)
    assert said in str(caught.value)
    assert re.search(r"q\.yaml:\d+: questions\.0\.answer\.0", str(caught.value))


def test_a_run_or_a_metric_that_is_not_there_is_named(tmp_path, runs):
    with pytest.raises(RunError, match="no run is called run-9; there are run-0, run-1, run-2, run-3"):
        list(answer(claims_of(tmp_path, "{gap of run-9}"), runs))
    with pytest.raises(RunError, match="several runs are called run-0"):
        list(answer(claims_of(tmp_path, "{gap of run-0}"), [*runs, runs[0]]))


def test_a_text_with_braces_is_left_as_it_is(tmp_path, runs):
    """An answer that is one text, as in files of earlier versions."""
    (tmp_path / "q.yaml").write_text(
        'title: t\nquestions: [{question: q, runs: [a], figures: [], answer: "the set {1, 2}\\n\\n  two"}]\n'
    )
    assert list(answer(read_questions(tmp_path / "q.yaml").questions[0].paragraphs, runs)) == ["the set {1, 2}", "two"]


@pytest.mark.parametrize("name", ["mnist/questions.yaml", "recipes/questions.yaml"])
def test_the_answers_of_the_courses_read_otherwise_for_other_results(name, monkeypatch):
    """With metrics turned round, every claim takes its other branch, and every answer has another text."""
    for question in read_questions(CONFIGS / name).questions:
        texts = []
        for sign in (1, -1):
            numbers = iter(range(1, 1000))
            values = {}

            def value(term, _runs, sign=sign, values=values, numbers=numbers):
                if term.replace(".", "").isdigit():
                    return 0.0
                return values.setdefault(term, sign * next(numbers))

            monkeypatch.setattr(claims, "_value", value)
            texts.append(list(answer(question.paragraphs, [])))
        assert texts[0] != texts[1], question.question
