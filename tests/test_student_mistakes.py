"""Planted mistakes are named, right solutions pass."""

import pytest
from student_code import MISTAKES, RIGHT, changed, checked_here, named


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solution_passes(tmp_path, name):
    checked = checked_here(tmp_path / "student.py", RIGHT[name])
    assert checked.passed, checked.verdicts
    assert [verdict.status for verdict in checked.verdicts].count("wrong") == 0


@pytest.mark.parametrize(
    ("source", "planted", "changes"),
    [pytest.param(*row, id=f"{i}-{'+'.join(sorted(row[1]))}") for i, row in enumerate(MISTAKES)],
)
def test_planted_mistakes_are_named_and_no_others(tmp_path, source, planted, changes):
    checked = checked_here(tmp_path / "student.py", changed(source, *changes))
    assert not checked.passed
    assert named(checked) == planted
