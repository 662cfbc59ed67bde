"""Forward and backward functions of layers in a student's file."""

import pytest
from student_code import changed, checked_here, named
from student_solutions import IMAGES_FIRST, IMAGES_LAST


@pytest.mark.parametrize("source", [IMAGES_FIRST, IMAGES_LAST], ids=["images first", "images last"])
def test_right_layers_pass(tmp_path, source):
    """Three verdicts for each of four layers."""
    checked = checked_here(tmp_path / "student.py", source)
    assert checked.passed, checked.verdicts
    assert [verdict.status for verdict in checked.verdicts] == ["right"] * 12
    assert len(checked.functions) == 8


def test_a_layer_with_a_wrong_forward_function_and_its_own_derivative_is_told(tmp_path):
    """Backward is right for what forward computes, and wrong for the layer."""
    mean = changed(
        IMAGES_FIRST,
        (".max(axis=(2, 3))", ".mean(axis=(2, 3))"),
        ("dx = spread * (x == largest.repeat(size, axis=2).repeat(size, axis=3))", "dx = spread / 4"),
    )
    checked = checked_here(tmp_path / "student.py", mean)
    pool = [verdict.status for verdict in checked.verdicts if verdict.question.startswith("maxpool")]
    assert pool == ["wrong", "right", "wrong"]
    assert named(checked) == {"mean"}


def test_a_layer_that_fails_does_not_hide_the_others(tmp_path):
    checked = checked_here(tmp_path / "student.py", changed(IMAGES_LAST, ("dldX = W.T @ dldZ", "dldX = W @ dldZ")))
    statuses = [verdict.status for verdict in checked.verdicts]
    assert statuses == ["right", "wrong", "wrong", *["right"] * 9]
    assert "in fully_connected_backward: dldX = W @ dldZ" in checked.verdicts[2].error
