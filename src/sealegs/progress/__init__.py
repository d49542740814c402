"""How a run goes, for people, while it is being recorded.

Nothing is told to this package but where the run's folder is: what it shows is read from the evidence.
"""

from sealegs.progress.show import shown

__all__ = ["shown"]
