"""Where things are that clusters are made of, and the one program that came with our dependencies."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = ROOT / "cluster"
STACK = ROOT / "stack"


def kubectl() -> Path:
    """The kubectl that came with this package's dependencies."""
    return Path(sys.prefix) / "bin" / "kubectl"
