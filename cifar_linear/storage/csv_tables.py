"""Tables as CSV; floats are written with all their digits."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def rows_as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """Return a header and a line for each row; None becomes an empty cell.

    Args:
        rows: cells by column.
        columns: for a header where there may be no rows; those of the first row if left out.
    """
    text = io.StringIO(newline="")
    if columns or rows:
        writer = csv.DictWriter(text, fieldnames=columns or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
