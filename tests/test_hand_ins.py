"""``course check``: forgeries are flagged, honest hand-ins are not, whatever the machine that trained them."""

import json

import pytest
import yaml
from click.testing import CliRunner
from hand_ins import Class, base_config, forged_hand_ins, honest_hand_ins

from cifar_linear.cli import cli


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A class with honest and forged hand-ins after the check, all of them trained again; and what was planted."""
    root = tmp_path_factory.mktemp("class")
    course = Class(root / "handins", base_config())
    honest_hand_ins(course)
    planted = forged_hand_ins(course)
    (root / "asked.yaml").write_text(yaml.safe_dump(course.base))
    words = ["course", "check", root / "handins", "--sample", 100, "-o", root / "page", "--json"]
    plain = CliRunner().invoke(cli, list(map(str, words)))
    words[-1:] = ["--asked", root / "asked.yaml", "-o", root / "page-asked", "--json"]
    asked = CliRunner().invoke(cli, list(map(str, words)))
    return plain, asked, planted, root


def checks_of(result, name):
    """The names of the checks that flagged a hand-in."""
    return {
        flag["check"] for row in json.loads(result.stdout)["rows"] if row["hand_in"] == name for flag in row["flags"]
    }


def test_every_forgery_is_flagged_by_the_check_that_is_meant_for_it(checked):
    _, asked, planted, _ = checked
    assert len(planted) >= 20
    found = {name: checks_of(asked, f"forged-{name}") for name in planted}
    assert {name: checks for name, checks in found.items() if planted[name] not in checks} == {}


def test_no_honest_hand_in_is_flagged(checked):
    """Other seeds and settings, sums in another order, stopped and resumed, lengthened, sweeps."""
    plain, _, _, _ = checked
    rows = json.loads(plain.stdout)["rows"]
    honest = [row for row in rows if row["hand_in"].startswith("honest")]
    assert len(honest) > 25
    assert [(row["run"], row["flags"]) for row in honest if row["flags"]] == []
