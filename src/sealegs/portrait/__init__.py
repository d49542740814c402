"""A profile's portrait: what a run would send, beside the trace that it is drawn from."""

from sealegs.portrait.picture import picture
from sealegs.portrait.printed import listed, printed
from sealegs.portrait.sitting import portrait_of, scenario_of

__all__ = ["listed", "picture", "portrait_of", "printed", "scenario_of"]
