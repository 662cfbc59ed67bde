"""Training as a library: the state of a group, the loop, evaluation and history, independent of configs and files."""
