"""``python -m cifar_linear`` is ``cifar-linear``."""

from cifar_linear.cli import main

if __name__ == "__main__":
    main()
