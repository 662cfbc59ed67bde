"""What ``from cifar_linear import ...`` gives: the program for notebooks and scripts."""
