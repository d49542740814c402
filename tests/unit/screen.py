"""What a terminal shows after some output: one that wraps lines, and wraps them anew when it is resized."""

import re

TOKEN = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|(.)", re.DOTALL)


class Screen:
    """A terminal of some width without an end below. Escape codes that it does not know are an error."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.cursor_shown = True
        self._rows = [""]
        self._goes_on = [False]  # whether a row's line goes on in the next one
        self._row = self._column = 0

    @property
    def text(self) -> str:
        """Its rows, without what trails."""
        return "\n".join(row.rstrip() for row in self._rows).rstrip("\n")

    def write(self, output: str) -> None:
        """Take in output that is whole: no escape code is cut."""
        for private, numbers, code, character in TOKEN.findall(output):
            if character:
                self._put(character)
            elif (private, code) in {("?", "h"), ("?", "l")} and numbers == "25":
                self.cursor_shown = code == "h"
            elif (numbers, code) == ("2", "K"):
                self._rows[self._row], self._goes_on[self._row] = "", False
            elif code == "A":
                self._row = max(0, self._row - int(numbers or 1))
            elif code != "m":
                raise ValueError(f"unknown escape code {private}{numbers}{code}")

    def resize(self, width: int) -> None:
        """Wrap every line anew, as terminals do; the cursor stays on its character."""
        lines = [""]
        at = (0, 0)
        for number, row in enumerate(self._rows):
            if number == self._row:
                at = (len(lines) - 1, len(lines[-1]) + self._column)
            lines[-1] += row
            if not self._goes_on[number] and number + 1 < len(self._rows):
                lines.append("")
        self.width, self._rows, self._goes_on = width, [], []
        for number, line in enumerate(lines):
            pieces = [line[start : start + width] for start in range(0, len(line), width)] or [""]
            if number == at[0]:
                within = min(at[1] // width, len(pieces) - 1)
                self._row, self._column = len(self._rows) + within, at[1] - within * width
            self._rows += pieces
            self._goes_on += [*[True] * (len(pieces) - 1), False]

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._down()
        else:
            if self._column == self.width:
                self._goes_on[self._row] = True
                self._down()
                self._column = 0
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + character + row[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append("")
            self._goes_on.append(False)
