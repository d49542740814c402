"""Telling how a run goes: rows that are kept true on a terminal, lines elsewhere."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from sealegs.progress.lines import changed, line, rows
from sealegs.progress.reading import Progress, Reader
from sealegs.waiting import every

LOOK_EVERY_S = 0.5
LINE_EVERY_S = 10.0

Say = Callable[[str], None]


@contextmanager
def shown(run_dir: Path, *, out: TextIO, live: bool = True) -> Iterator[Say]:
    """Tell how a run goes until the block ends; gives what tells a line of somebody else's.

    Each change of phase or fault is a line. Between them a terminal has rows that are drawn over and over,
    and disappear at the end; without `live`, and where nothing can be drawn (a pipe, ``TERM=dumb``), there is
    a line every `LINE_EVERY_S`, and no escape codes.

    Raises:
        ScenarioError: as `Reader`.
    """
    reader = Reader(run_dir)
    console = Console(file=out, highlight=False)
    if live and out.isatty() and console.is_interactive:
        board = Board(console)
        with board.drawn(), _following(reader, board.tell):
            # Whoever is killed or stopped cannot bring it back.
            console.show_cursor()
            yield board.say
    else:
        log = Log(out)
        with _following(reader, log.tell):
            yield log.say


@contextmanager
def _following(reader: Reader, tell: Callable[[Progress, Sequence[str]], None]) -> Iterator[None]:
    """Until the block ends a thread looks at the run and tells of it, and once more after that."""
    end = threading.Event()

    def follow() -> None:
        told = 0
        for _ in chain(every(LOOK_EVERY_S, until=end), [None]):
            now = reader.look()
            tell(now, [changed(change, now) for change in now.changes[told:]])
            told = len(now.changes)

    following = threading.Thread(target=follow, name="progress", daemon=True)
    following.start()
    try:
        yield
    finally:
        end.set()
        following.join()


class Log:
    """Lines, for files and for terminals that can do no more. Safe to use from many threads.

    Whether anybody still reads them is nothing to the run: a pipe or terminal that has gone is no error.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told_s = 0.0

    def say(self, text: str) -> None:
        """Write a line, in one call."""
        with suppress(OSError):
            self._out.write(f"sealegs: {text}\n")
            self._out.flush()

    def tell(self, now: Progress, news: Sequence[str]) -> None:
        """Write what is new; after a while without news, how far the run is."""
        if not news and now.t_s - self._told_s >= LINE_EVERY_S:
            news = [line(now)]
        for text in news:
            self._told_s = now.t_s
            self.say(text)


class Board:
    """Rows at the bottom of a terminal, below the lines. Safe to use as a `Log` is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # What is printed to stdout meanwhile may be on its way to a file.
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._lock = threading.Lock()
        self._rows: Sequence[Text] = ()
        self._width = console.width

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """The rows are there until the block ends; a terminal that has gone by then is no error."""
        self._live.start()
        try:
            yield
        finally:
            with suppress(OSError):
                self._live.stop()

    def say(self, text: str) -> None:
        """Write a line above the rows."""
        with self._lock, suppress(OSError):
            self._settle()
            self._console.print(Text(f"sealegs: {text}"), soft_wrap=True)

    def tell(self, now: Progress, news: Sequence[str]) -> None:
        """Write what is new above the rows, and draw them again."""
        for text in news:
            self.say(text)
        with self._lock, suppress(OSError):
            self._settle()
            self._rows = rows(now, width=self._width)
            self._live.update(Group(*self._rows), refresh=True)

    def _settle(self) -> None:
        """Take away what rows spilled over when the terminal became narrower: rich does not know of it."""
        before, self._width = self._width, self._console.width
        if self._width < before:
            spilled = sum((row.cell_len - 1) // self._width for row in self._rows)
            erase = (ControlType.ERASE_IN_LINE, 2)
            self._console.control(Control(erase, *((ControlType.CURSOR_UP, 1), erase) * spilled))
