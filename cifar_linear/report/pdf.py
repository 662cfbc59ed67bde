"""A report as a PDF, printed by a browser that is installed."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from cifar_linear.errors import RunError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_OPTIONS = ("--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer")
_SECONDS = 60


def print_page(page: Path) -> Path:
    """Print a page to a PDF beside it, and return its path.

    Args:
        page: ``report.html``.

    Raises `RunError` if there is no browser, or if it fails; the page itself stays as it is.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RunError(
            f"{page}: written, but not as a PDF: that takes Chromium or Chrome on the PATH; "
            "or open the page in any browser and print it to a file, which gives the same"
        )
    pdf = page.with_suffix(".pdf")
    with TemporaryDirectory() as profile:
        printed = Path(profile) / "printed.pdf"
        options = [*_OPTIONS, f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium does not start as root otherwise
        command = [browser, *options, f"--print-to-pdf={printed}", page.resolve().as_uri()]
        try:
            subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)  # noqa: S603 - a browser, with options of ours
            shutil.copyfile(printed, pdf)
        except (OSError, subprocess.SubprocessError) as error:
            raise RunError(f"{page}: written, but not as a PDF: {browser} failed: {error}") from error
    return pdf
