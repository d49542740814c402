"""Nights: every scenario is run, a small record is kept, and a page shows it beside the nights before."""

from sealegs.nightly.history import NIGHTS, read_history
from sealegs.nightly.night import Night
from sealegs.nightly.page import render
from sealegs.nightly.play import play

__all__ = ["NIGHTS", "Night", "play", "read_history", "render"]
