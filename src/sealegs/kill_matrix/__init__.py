"""The kill matrix: which planted defect was seen by which claim, against which must see it."""

from sealegs.kill_matrix.cells import Cell, Matrix, cell_of, latest, of_runs, read_matrix
from sealegs.kill_matrix.document import COMMITTED, PAGE, document
from sealegs.kill_matrix.play import TRIES_MAX, play
from sealegs.kill_matrix.table import table

__all__ = [
    "COMMITTED",
    "PAGE",
    "TRIES_MAX",
    "Cell",
    "Matrix",
    "cell_of",
    "document",
    "latest",
    "of_runs",
    "play",
    "read_matrix",
    "table",
]
