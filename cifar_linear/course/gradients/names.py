"""Names that courses and their students use; they are compared without case and underscores."""

_ROLES = {
    "probabilities": "evaluateclassifier applynetwork evaluateclassifiers evaluatenetwork forwardpass forward evaluate"
    " computeprobabilities applyclassifier softmaxclassifier predictproba classprobabilities eval",
    "cost": "computecost cost costfunction computecosts calculatecost getcost calccost computeobjective",
    "loss": "computeloss crossentropyloss loss lossfunction crossentropy calculateloss celoss getloss"
    " computecrossentropy",
    "gradients": "computegradients backwardpass backward computegrads computegradient computegradsanalytic"
    " computegradientsanalytic computeanalyticgradients computegradsanalytical calculategradients calculategradient"
    " gradients getgradients backprop grads",
}
ROLES = {role: names.split() for role, names in _ROLES.items()}
"""What each function of an interface may be called, the likeliest first."""
MODEL = "model"
_SYMBOLS = {
    "X": "x xbatch xtrain images inputs input data batch",
    "y": "y ybatch ytrain ys",
    "onehot": "onehot yonehot onehotlabels targets target yhot",
    "labels": "labels label ylabels classes",
    "P": "p pbatch prob probs probabilities outputs output yhat predictions pred preds",
    "W": "w weights weight theta",
    "b": "b bias biases",
    "lam": (
        "lam lambda lambd lmbda lmd lamb lmb lamda l reg lambdareg reglambda lambdavalue l2 l2reg l2lambda l2reglambda"
        " weightdecay regularization"
    ),
    "network": "network net netparams params parameters",
    "d": "d dim ndim inputdim inputsize indim nfeatures numfeatures",
    "K": "k nclasses numclasses outputsize outputdim outdim numoutputs noutputs",
    "n": "n nbatch batchsize nimages",
    "eta": "eta learningrate lr",
    "seed": "seed",
    "loss": "loss",
}
SYMBOL = {name: symbol for symbol, names in _SYMBOLS.items() for name in names.split()}
GRADIENT_NAMES = {
    "W": ["w", "dw", "gradw", "wgrad", "gradsw", "gradientw", "dldw", "djdw", "grad", "weights"],
    "b": ["b", "db", "gradb", "bgrad", "gradsb", "gradientb", "dldb", "djdb", "bias"],
}


def plain(name: str) -> str:
    """A name without case and underscores.

    >>> plain("Compute_Gradients")
    'computegradients'
    """
    return name.replace("_", "").lower()
