"""Planted mistakes are named, right solutions pass."""

import pytest
from student_code import checked_here, named, planted
from student_mistakes import LAYER_MISTAKES, MISTAKES
from student_solutions import RIGHT


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solution_passes(tmp_path, name):
    checked = checked_here(tmp_path / "student.py", RIGHT[name])
    assert checked.passed, checked.verdicts
    assert [verdict.status for verdict in checked.verdicts].count("wrong") == 0


@pytest.mark.parametrize(("source", "names"), planted(MISTAKES + LAYER_MISTAKES))
def test_planted_mistakes_are_named_and_no_others(tmp_path, source, names):
    checked = checked_here(tmp_path / "student.py", source)
    assert not checked.passed
    assert named(checked) == names


@pytest.mark.parametrize(("source", "names"), planted(LAYER_MISTAKES))
def test_mistakes_in_one_layer_are_not_blamed_on_another(tmp_path, source, names):
    checked = checked_here(tmp_path / "student.py", source)
    assert len({verdict.question.partition(":")[0] for verdict in checked.verdicts if verdict.status == "wrong"}) == 1
