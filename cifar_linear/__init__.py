"""Reproducible experiments with linear classifiers on images, in plain NumPy.

Importing the package loads nothing else; take what is needed from the modules that docs/architecture.md lists.
"""

__version__ = "0.1.0"
