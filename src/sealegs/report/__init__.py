"""One page for one run, drawn from its evidence and its verdict and from nothing else."""

from sealegs.report.page import render

__all__ = ["render"]
