"""What machines read of one run, made from its verdict and its evidence and from nothing else."""

from sealegs.outputs.delivery import deliver, without_commands

__all__ = ["deliver", "without_commands"]
