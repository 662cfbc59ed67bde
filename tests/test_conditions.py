"""Answers of a questions file: conditions, numbers, and what they say of other runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from cifar_linear.config.conditions import Better, Comparison, Quantity, numbers_in, parse_condition
from cifar_linear.config.questions import Answer, read_questions
from cifar_linear.errors import ConfigError, RunError
from cifar_linear.report.collecting import collect
from cifar_linear.report.conditions import answered
from cifar_linear.report.settings import labelled

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def runs(four_runs):
    """Two of the four runs, by one-word names."""
    found = labelled(collect([four_runs]).runs)
    return {"small": found["lambda 0, eta 0.003"], "large": found["lambda 1, eta 0.003"]}


def test_a_condition_is_a_comparison_or_a_better_run():
    assert parse_condition("gap of a/b < 1.5 * largest drop of c-0.1 and a beats b") == [
        Comparison(Quantity("gap", "a/b"), "<", 1.5, Quantity("largest drop", "c-0.1")),
        Better("a", "b"),
    ]
    assert list(numbers_in("from {norm of a} to\n{test accuracy of b}.")) == [
        ("{norm of a}", Quantity("norm", "a")),
        ("{test accuracy of b}", Quantity("test accuracy", "b")),
    ]


@pytest.mark.parametrize("text", ["gaps of a > 2", "gap of a = 2", "gap > 2", "a beats", "gap of a > b", ""])
def test_what_is_no_condition_is_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match=r"is no condition: .*validation accuracy, test accuracy"):
        parse_condition(text)


def test_an_answer_says_something_else_of_other_runs(runs):
    """The same answer, once with the runs and once with the runs the other way round."""
    answer = Answer(
        when="norm of large < norm of small",
        text="smaller: {norm of large}",
        otherwise="not smaller: {norm of large}",
    )
    other = {"small": runs["large"], "large": runs["small"]}
    assert answered(answer, runs.__getitem__) == f"smaller: {runs['large'].weight_norm:.2f}"
    assert answered(answer, other.__getitem__) == f"not smaller: {runs['small'].weight_norm:.2f}"


def test_an_answer_without_another_text_is_silent_where_its_condition_does_not_hold(runs):
    assert answered(Answer(when="gap of small > 1000", text="never"), runs.__getitem__) is None
    assert answered(Answer(text="always"), runs.__getitem__) == "always"


def test_better_means_more_than_chance(runs):
    """A run is not better than itself, nor one that is ahead by chance alone."""
    small = runs["small"]
    answer = Answer(when="a beats b", text="yes", otherwise="no")
    assert answered(answer, {"a": small, "b": small}.__getitem__) == "no"
    blind = replace(small, predictions=None)
    metrics = {split: of.model_copy(update={"accuracy": 0.01}) for split, of in small.record.metrics.items()}
    poor = replace(blind, record=small.record.model_copy(update={"metrics": metrics}))
    assert answered(answer, {"a": blind, "b": poor}.__getitem__) == "yes"
    assert answered(answer, {"a": poor, "b": blind}.__getitem__) == "no"


def test_a_number_that_a_run_does_not_have_is_told(runs):
    metrics = {split: of for split, of in runs["small"].record.metrics.items() if split != "test"}
    untested = replace(runs["small"], record=runs["small"].record.model_copy(update={"metrics": metrics}))
    with pytest.raises(RunError, match="small: this run has no test accuracy"):
        answered(Answer(text="{test accuracy of small}"), {"small": untested}.__getitem__)


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/*/questions.yaml")), ids=lambda path: path.parent.name)
def test_every_question_that_comes_with_the_program_has_an_answer_that_depends_on_its_runs(path):
    """Under a condition, with another text where it does not hold; or computed sentences and captions alone."""
    for question in read_questions(path).questions:
        conditional = [answer for answer in question.answers if answer.when and answer.otherwise]
        assert conditional or set(question.figures) >= {"reliability"}


def test_a_wrong_condition_is_a_line_with_its_place(tmp_path):
    file = tmp_path / "q.yaml"
    file.write_text(
        "title: x\nquestions:\n  - {question: y, runs: [a], figures: [], answers: [{when: a is good, text: '{gap}'}]}\n"
    )
    with pytest.raises(ConfigError) as error:
        read_questions(file)
    assert "questions.0.answers.0.when: 'a is good' is no condition" in str(error.value)
    assert "questions.0.answers.0.text: '{gap}' is no number" in str(error.value)
