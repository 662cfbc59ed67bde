"""From configs to finished run folders, and back: train, resume, evaluate, verify, check gradients."""
