"""The linear classifiers of this package with scikit-learn's interface; needs the extra ``sklearn``."""

from cifar_linear.estimator.classifier import LinearSGDClassifier as LinearSGDClassifier
