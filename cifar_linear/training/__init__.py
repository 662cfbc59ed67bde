"""A training as a library: the state of a group, the loop, evaluation and history. Knows no config and no disk."""
