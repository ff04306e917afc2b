"""Several networks of one model, trained side by side with explicit gradients.

The networks are so small that building autograd's graph for every batch, and multiplying matrices
of eight rows, costs more than the arithmetic. Here R networks that differ in their seed alone are
one `Stack`: their linear layers are batched matrix products, their layers write gradients in place.
What a network computes does not depend, to the bit, on which others are in its stack.

It refuses networks that it does not know exactly. `tests/digitcmp/test_stack.py` holds every layer
to autograd on `digitcmp.models.build`.
"""

from digitcmp.stack.known_layers import UnknownNetwork
from digitcmp.stack.pairs import Batch, Logits, StackedPairs, concatenate, targets
from digitcmp.stack.parameters import Adam
from digitcmp.stack.stack import Stack

__all__ = [
    "Adam",
    "Batch",
    "Logits",
    "Stack",
    "StackedPairs",
    "UnknownNetwork",
    "concatenate",
    "targets",
]
