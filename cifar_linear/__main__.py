"""``python -m cifar_linear`` is ``cifar-linear``."""

import sys


def main() -> None:
    """Entry point of the console script."""
    try:
        from cifar_linear.cli import main as run  # noqa: PLC0415  # Ctrl-C may come while modules are still loading

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
