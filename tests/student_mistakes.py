"""Mistakes that are planted in right solutions: tables of a solution, the names of the mistakes, and how."""

from student_code import changed
from student_solutions import BINARY, CLASS, FUNCTIONS, IMAGES_FIRST, IMAGES_LAST, MODEL, NETWORK

MISTAKES = [
    # Dialect A
    (FUNCTIONS, {"1/n missing"}, [("G @ X.T / n +", "G @ X.T +")]),
    (FUNCTIONS, {"1/n missing"}, [("keepdims=True) / n", "keepdims=True)")]),
    (FUNCTIONS, {"1/n twice"}, [("G @ X.T / n +", "G @ X.T / n / n +")]),
    (FUNCTIONS, {"penalty halved"}, [("+ 2 * lam * W", "+ lam * W")]),
    (FUNCTIONS, {"penalty doubled"}, [("+ 2 * lam * W", "+ 4 * lam * W")]),
    (FUNCTIONS, {"penalty missing"}, [(" + 2 * lam * W", "")]),
    (FUNCTIONS, {"penalty divided by n"}, [("G @ X.T / n + 2 * lam * W", "(G @ X.T + 2 * lam * W) / n")]),
    (FUNCTIONS, {"penalty sign"}, [("+ 2 * lam * W", "- 2 * lam * W")]),
    (FUNCTIONS, {"sign"}, [("G = P - Y", "G = Y - P")]),
    (
        FUNCTIONS,
        {"bias penalised"},
        [
            ("keepdims=True) / n", "keepdims=True) / n + 2 * lam * b"),
            ("ComputeGradients(X, Y, P, W, lam)", "ComputeGradients(X, Y, P, W, b, lam)"),
        ],
    ),
    (FUNCTIONS, {"softmax axis"}, [("np.sum(e, axis=0)", "np.sum(e, axis=1, keepdims=True)")]),
    (FUNCTIONS, {"softmax over everything"}, [("np.sum(e, axis=0)", "np.sum(e)")]),
    (FUNCTIONS, {"b left out"}, [("s = W @ X + b", "s = W @ X")]),
    (FUNCTIONS, {"sigmoid"}, [("P = e / np.sum(e, axis=0)", "P = 1 / (1 + np.exp(-s))")]),
    (FUNCTIONS, {"one number"}, [("np.sum(G, axis=1, keepdims=True)", "np.sum(G)")]),
    (
        FUNCTIONS,
        {"reciprocal"},
        [("np.sum(G, axis=1, keepdims=True) / n", "1 / (n * np.sum(G, axis=1, keepdims=True))")],
    ),
    (FUNCTIONS, {"transposed"}, [("return grad_W, grad_b", "return grad_W.T, grad_b")]),
    (FUNCTIONS, {"divided by d"}, [("    n = X.shape[1]\n    G", "    n = X.shape[0]\n    G")]),
    (FUNCTIONS, {"penalty doubled"}, [("return loss + lam *", "return loss + 2 * lam *")]),
    (FUNCTIONS, {"sign"}, [("loss = -np.sum", "loss = np.sum")]),
    (FUNCTIONS, {"norm not squared"}, [("lam * np.sum(W ** 2)", "lam * np.linalg.norm(W)")]),
    (FUNCTIONS, {"sum over classes"}, [("np.sum(G, axis=1, keepdims=True)", "np.sum(G, axis=0)")]),
    (FUNCTIONS, {"shape"}, [("np.sum(G, axis=1, keepdims=True)", "np.sum(G, axis=1)")]),
    (FUNCTIONS, {"penalty itself"}, [("+ 2 * lam * W", "+ lam * np.sum(W ** 2)")]),
    (FUNCTIONS, {"factor"}, [("G @ X.T / n +", "G @ X.T / (n - 1) +")]),
    (FUNCTIONS, {"weights squared"}, [("+ 2 * lam * W", "+ 2 * lam * W ** 2")]),
    # Dialect B
    (NETWORK, {"1/n missing"}, [("return np.mean(L)", "return np.sum(L)")]),
    (NETWORK, {"labels shifted"}, [("P[y, np.arange(n)]", "P[y - 1, np.arange(n)]")]),
    (NETWORK, {"no logarithm"}, [("-np.log(P[y, np.arange(n)])", "-P[y, np.arange(n)]")]),
    (NETWORK, {"labels left out"}, [("G = -(Y - P)", "G = P")]),
    (NETWORK, {"sign of labels"}, [("G = -(Y - P)", "G = Y + P")]),
    (NETWORK, {"extra p(1-p)"}, [("G = -(Y - P)", "G = -(Y - P) * P * (1 - P)")]),
    (NETWORK, {"labels shifted"}, [("G = -(Y - P)", "G = P - np.roll(Y, 1, axis=0)")]),
    (NETWORK, {"1/K"}, [("np.mean(G, axis=1)", "(np.mean(G, axis=1) / K)")]),
    (NETWORK, {"lambda squared"}, [("+ 2 * lam * network['W']", "+ 2 * lam * lam * network['W']")]),
    (
        NETWORK,
        {"no softmax"},
        [("    return P\n\ndef ComputeLoss", "    return network['W'] @ X + network['b']\n\ndef ComputeLoss")],
    ),
    (NETWORK, {"penalty without lambda"}, [("+ 2 * lam * network['W']", "+ 2 * (1 + lam) * network['W']")]),
    # Dialect C: mistakes in the probabilities are carried into the gradient
    (
        CLASS,
        {"softmax axis"},
        [("P = e / e.sum(axis=0)", "P = e / e.sum(axis=1, keepdims=True)"), ("s.max(axis=0)", "s.max()")],
    ),
    (
        CLASS,
        {"1/K"},
        [
            ("g.dot(X.T) / n", "g.dot(X.T) / n / 10"),
            ("np.mean(g, axis=1, keepdims=True)", "np.mean(g, axis=1, keepdims=True) / 10"),
        ],
    ),
    (
        CLASS,
        {"bias penalised"},
        [("np.mean(g, axis=1, keepdims=True)", "np.mean(g, axis=1, keepdims=True) + 2 * lmbda * self.b")],
    ),
    (
        CLASS,
        {"one image only"},
        [("g.dot(X.T) / n", "g[:, -1:].dot(X[:, -1:].T) / n"), ("np.mean(g, axis=1, keepdims=True)", "g[:, -1:] / n")],
    ),
    (CLASS, {"softmax derivative twice"}, [("g = P - Y", "g = P * (P - Y - np.sum(P * (P - Y), axis=0))")]),
    # Dialect D
    (MODEL, {"1/n missing"}, [("X.T @ delta / n", "X.T @ delta")]),
    (MODEL, {"sign"}, [("delta = outputs - targets", "delta = targets - outputs")]),
    (MODEL, {"penalty halved"}, [("+ 2 * self.l2_reg_lambda", "+ self.l2_reg_lambda")]),
    (MODEL, {"1/K"}, [("-np.mean(np.sum(targets * np.log(outputs), axis=1))", "-np.mean(targets * np.log(outputs))")]),
    (MODEL, {"softmax axis"}, [("e.sum(axis=1, keepdims=True)", "e.sum(axis=0, keepdims=True)")]),
    (
        BINARY,
        {"extra p(1-p)"},
        [("delta = outputs - targets", "delta = (outputs - targets) * outputs * (1 - outputs)")],
    ),
    (BINARY, {"1/n missing"}, [("ce.mean()", "ce.sum()")]),
    (BINARY, {"sign of scores"}, [("np.exp(-X.dot", "np.exp(X.dot")]),
    (BINARY, {"only label 1"}, [(" + (1 - targets) * np.log(1 - outputs)", "")]),
    (BINARY, {"divided by d"}, [("X.T.dot(delta) / X.shape[0]", "X.T.dot(delta) / X.shape[1]")]),
    # Two at once
    (FUNCTIONS, {"1/n missing", "penalty halved"}, [("G @ X.T / n + 2 * lam", "G @ X.T + lam")]),
    (
        FUNCTIONS,
        {"sign", "1/n missing"},
        [("G = P - Y", "G = Y - P"), ("G @ X.T / n", "G @ X.T"), ("keepdims=True) / n", "keepdims=True)")],
    ),
    (
        FUNCTIONS,
        {"softmax over everything", "penalty missing"},
        [("np.sum(e, axis=0)", "np.sum(e)"), (" + 2 * lam * W", "")],
    ),
    (
        FUNCTIONS,
        {"transposed", "1/n twice"},
        [("return grad_W, grad_b", "return grad_W.T, grad_b"), ("G @ X.T / n", "G @ X.T / n ** 2")],
    ),
    (NETWORK, {"labels left out", "1/K"}, [("G = -(Y - P)", "G = P / K")]),
    (
        NETWORK,
        {"extra p(1-p)", "penalty divided by n"},
        [("G = -(Y - P)", "G = -(Y - P) * P * (1 - P)"), ("+ 2 * lam", "+ 2 / n * lam")],
    ),
    (
        NETWORK,
        {"labels shifted", "1/n missing"},
        [("P[y, np.arange(n)]", "P[y - 1, np.arange(n)]"), ("return np.mean(L)", "return np.sum(L)")],
    ),
    (
        CLASS,
        {"softmax over everything", "b left out"},
        [("P = e / e.sum(axis=0)", "P = e / e.sum()"), ("s.max(axis=0)", "s.max()"), (" + self.b)", ")")],
    ),
    (
        CLASS,
        {"penalty doubled", "bias penalised"},
        [
            ("+ 2 * lmbda * self.W", "+ 4 * lmbda * self.W"),
            ("np.mean(g, axis=1, keepdims=True)", "np.mean(g, axis=1, keepdims=True) + lmbda * self.b"),
        ],
    ),
    (
        MODEL,
        {"sign", "penalty missing"},
        [("delta = outputs - targets", "delta = targets - outputs"), (" + 2 * self.l2_reg_lambda * self.w", "")],
    ),
    (
        MODEL,
        {"b left out", "1/n missing"},
        [("z = X @ self.w", "z = X[:, :-1] @ self.w[:-1]"), ("X.T @ delta / n", "X.T @ delta")],
    ),
    (
        BINARY,
        {"1/n missing", "sign"},
        [("delta = outputs - targets", "delta = targets - outputs"), (" / X.shape[0]", "")],
    ),
]
"""A right solution, the names of the mistakes that are planted in it, and how."""

LAYER_MISTAKES = [
    (IMAGES_FIRST, {"b left out"}, [(".dot(w) + b", ".dot(w)")]),
    (IMAGES_FIRST, {"divided by n"}, [("dw = x.reshape(x.shape[0], -1).T.dot(dout)", "dw = x.T.dot(dout) / len(x)")]),
    (IMAGES_FIRST, {"divided by n"}, [("db = dout.sum(axis=0)", "db = dout.mean(axis=0)")]),
    (IMAGES_FIRST, {"transposed"}, [("dw = x.reshape(x.shape[0], -1).T.dot(dout)", "dw = dout.T.dot(x)")]),
    (IMAGES_FIRST, {"sign"}, [("dx = dout.dot(w.T)", "dx = -dout.dot(w.T)")]),
    (IMAGES_FIRST, {"mask missing"}, [("dx = dout * (x > 0)", "dx = dout")]),
    (IMAGES_FIRST, {"dy left out"}, [("dx = dout * (x > 0)", "dx = 1.0 * (x > 0)")]),
    (IMAGES_FIRST, {"mask of the gradient"}, [("dx = dout * (x > 0)", "dx = dout * (dout > 0)")]),
    (IMAGES_FIRST, {"mask turned"}, [("dx = dout * (x > 0)", "dx = dout * (x < 0)")]),
    (IMAGES_FIRST, {"absolute value"}, [("np.maximum(0, x)", "np.abs(x)")]),
    (
        IMAGES_FIRST,
        {"filters flipped"},
        [("np.tensordot(part, w, axes", "np.tensordot(part, w[:, :, ::-1, ::-1], axes")],
    ),
    (IMAGES_FIRST, {"filters not flipped"}, [("np.tensordot(g, w, axes", "np.tensordot(g, w[:, :, ::-1, ::-1], axes")]),
    (
        IMAGES_FIRST,
        {"one image only"},
        [
            (
                "g = dout[:, :, i, j]",
                "g = dout[:, :, i, j] * 1\n            g_w = g * (np.arange(len(g)) == len(g) - 1)[:, None]",
            ),
            ("np.tensordot(g, part", "np.tensordot(g_w, part"),
        ],
    ),
    (IMAGES_FIRST, {"every pixel"}, [("dx = spread * (x ==", "dx = spread + 0 * (x ==")]),
    (IMAGES_FIRST, {"dy left out"}, [("dx = spread * (x ==", "dx = 1.0 * (x ==")]),
    (IMAGES_FIRST, {"mean"}, [(".max(axis=(2, 3))", ".mean(axis=(2, 3))")]),
    (IMAGES_LAST, {"divided by n"}, [("dldW = dldZ @ X.T", "dldW = dldZ @ X.T / X.shape[1]")]),
    (IMAGES_LAST, {"filters not flipped"}, [("w[::-1, ::-1]", "w")]),
    (IMAGES_LAST, {"gradient flipped"}, [("return dldx, dldw, dldb", "return dldx, dldw[::-1, ::-1], dldb")]),
    (IMAGES_LAST, {"shape"}, [("dldb = dldy.sum(axis=(0, 1, 3))", "dldb = dldy.sum(axis=(0, 1))")]),
    (IMAGES_LAST, {"sign", "divided by n"}, [("dldW = dldZ @ X.T", "dldW = -dldZ @ X.T / X.shape[1]")]),
    (IMAGES_LAST, {"not explained"}, [("dldW = dldZ @ X.T", "dldW = dldZ @ np.tanh(X.T)")]),
]
"""A right solution, the names of the mistakes that are planted in it, and how."""

OUTSIDE = {
    "noise": changed(FUNCTIONS, ("G @ X.T / n +", "G @ X.T / n * (1 + 0.01 * np.cos(np.arange(3072))) +")),
    "cubed weights": changed(FUNCTIONS, ("+ 2 * lam * W", "+ 2 * lam * W ** 3")),
    "constant added": changed(FUNCTIONS, ("+ 2 * lam * W", "+ lam")),
    "loss summed over the wrong axis": changed(
        FUNCTIONS, ("-np.sum(Y * np.log(P))", "-np.sum(np.log(np.sum(Y * P, axis=1) + 1e-3))")
    ),
    "clipped": changed(NETWORK, ("G = -(Y - P)", "G = np.clip(P - Y, -0.5, 0.5)")),
    "one class zero": changed(CLASS, ("g = P - Y", "g = P - Y\n        g[3] = 0")),
    "rounded": changed(MODEL, ("delta = outputs - targets", "delta = np.round(outputs - targets, 2)")),
    "another softmax": changed(BINARY, ("1 / (1 + np.exp(-X.dot(self.w)))", "0.5 + np.arctan(X.dot(self.w)) / np.pi")),
    "a loss of its own": changed(NETWORK, ("return np.mean(L)", "return np.mean(L ** 2)")),
    "a penalty of its own": changed(NETWORK, ("lam * np.sum(network['W'] ** 2)", "lam * np.max(network['W'] ** 2)")),
}
"""Mistakes that no formula of the catalogue gives."""
