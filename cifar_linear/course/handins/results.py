"""The rows of a check as text, CSV, JSON, results of an autograder, and a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cifar_linear.course.handins.checking import Checked, flagged
from cifar_linear.course.handins.flags import CHECKS
from cifar_linear.report.pages import page
from cifar_linear.storage.atomic import write_whole

_COLUMNS = ("hand_in", "run", "status", "seed", "test_accuracy", "again", "flags", "evidence")
_FORMULA = ("=", "+", "-", "@", "\t")


def document(rows: Sequence[Checked]) -> dict[str, Any]:
    """Return everything as plain values for JSON."""
    return {
        "hand_ins": len({row.hand_in for row in rows}),
        "flagged": dict(flagged(rows)),
        "rows": [{**vars(row), "flags": [flag._asdict() for flag in row.flags]} for row in rows],
    }


def as_csv(rows: Sequence[Checked]) -> str:
    """Return a line for each run; spreadsheets take no cell for a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        names = ", ".join(dict.fromkeys(flag.check for flag in row.flags))
        evidence = "; ".join(f"{flag.check}: {flag.evidence}" for flag in row.flags)
        facts = (row.hand_in, row.run, row.status, row.seed, row.test_accuracy, row.again, names, evidence)
        writer.writerow(_harmless(fact) for fact in facts)
    return text.getvalue()


def _harmless(fact: object) -> object:
    text = "" if fact is None else str(fact)
    return f"'{text}" if text.startswith(_FORMULA) else " ".join(text.split())


def gradescope(rows: Sequence[Checked]) -> Mapping[str, dict[str, Any]]:
    """Return ``results.json`` of an autograder for each hand-in, by its name.

    There is a test for each check, worth no points. Only instructors see them: evidence may name other students.
    """
    by_hand_in: dict[str, list[Checked]] = {}
    for row in rows:
        by_hand_in.setdefault(row.hand_in, []).append(row)
    return {name: {"score": 0.0, "tests": _tests(own)} for name, own in by_hand_in.items()}


def _tests(rows: Sequence[Checked]) -> list[dict[str, Any]]:
    tests = []
    for check in CHECKS:
        found = [
            f"{row.run or row.hand_in}: {flag.evidence}"
            for row in rows
            for flag in row.flags
            if flag.check == check.name
        ]
        tests.append(
            {
                "name": f"{check.name}: {check.question}",
                "score": 0.0,
                "max_score": 0.0,
                "status": "failed" if found else "passed",
                "output": "\n".join(found),
                "visibility": "hidden",
            }
        )
    return tests


def lines(rows: Sequence[Checked]) -> list[str]:
    """Return what a terminal shows: every flag with its evidence, in the order of the hand-ins."""
    found = []
    for row in rows:
        where = "/".join(filter(None, (row.hand_in, row.run if row.run != row.hand_in else "")))
        found += [f"{where}: {flag.check}: {flag.evidence}" for flag in row.flags]
    return found


def summary(rows: Sequence[Checked]) -> str:
    """Return how many hand-ins and runs were checked, how many were trained again, and which are flagged."""
    names, again = flagged(rows), [row.again for row in rows if row.again]
    runs = sum(bool(row.status) for row in rows)
    hand_ins = len({row.hand_in for row in rows})
    counts = f"{hand_ins} hand-in{'s' * (hand_ins != 1)} with {runs} run{'s' * (runs != 1)}, {len(again)} trained again"
    late = f" ({again.count('not finished in time')} not finished in time)" if "not finished in time" in again else ""
    return f"{counts}{late}: {len(names)} flagged{': ' + ', '.join(names) if names else ''}"


def write_results(rows: Sequence[Checked], out: Path, facts: Mapping[str, str], autograder: Path | None) -> Path:
    """Write ``handins.html``, ``handins.csv`` and ``handins.json``, and the results for an autograder.

    Args:
        rows: the result of the check.
        out: the folder that is written into.
        facts: how it was made, for the page.
        autograder: folder for a results file of each hand-in; None for none.

    Returns the path of the page. Raises `RunError` if something cannot be written.
    """
    counts = {check.name: sum(flag.check == check.name for row in rows for flag in row.flags) for check in CHECKS}
    content = {"title": "Hand-ins", "summary": summary(rows), "rows": rows, "checks": CHECKS, "counts": counts}
    html = page("handins.html", {**content, "facts": facts, "names": flagged(rows)})
    write_whole(out / "handins.html", html.encode())
    write_whole(out / "handins.csv", as_csv(rows).encode())
    write_whole(out / "handins.json", as_json(document(rows)))
    if autograder:
        for name, results in gradescope(rows).items():
            write_whole(autograder / f"{name}.json", as_json(results))
    return out / "handins.html"


def as_json(tree: Mapping[str, Any]) -> bytes:
    """Return a JSON document as bytes, with a line break at the end."""
    return (json.dumps(tree, indent=2) + "\n").encode()
