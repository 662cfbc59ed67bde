"""The numerics: plain functions of NumPy arrays, without config, disk or screen."""
