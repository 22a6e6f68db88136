"""The mathematics of margin: `evaluate` is the whole of it, README.md the index of its parts."""

from risk.evaluation import evaluate as evaluate
