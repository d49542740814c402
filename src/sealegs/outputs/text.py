"""Text that any format can carry: what people typed and what clusters answered, made harmless."""

import re

# Not legal in XML 1.0, or read as the end of a line or as commands by terminals and parsers of YAML.
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\ufeff]")
CUT = " …"


def clean(text: str) -> str:
    """The text with each character that some format forbids replaced by the sign for such; lines stay."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def line(text: str, *, most: int = 1000) -> str:
    """The text in one line of at most `most` characters, cleaned."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= most else flat[: most - len(CUT)] + CUT
