"""What a terminal would show: enough of one for the control codes that a bar uses."""

import re

_PIECES = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|(\r\n|\n)|(\r)|([^\x1b\r\n]+)")


class Screen:
    """The rows that `output` leaves on a terminal, and whether its cursor can be seen."""

    def __init__(self, output: str) -> None:
        self.cursor_shown = True
        self._rows, self._row, self._column = [""], 0, 0
        for arguments, code, line_feed, carriage_return, text in _PIECES.findall(output):
            if code:
                self._control(arguments, code)
            elif line_feed:
                self._feed()
            elif carriage_return:
                self._column = 0
            else:
                self._write(text)

    @property
    def rows(self) -> list[str]:
        """The rows that are not empty."""
        return [row.rstrip() for row in self._rows if row.strip()]

    def _control(self, arguments: str, code: str) -> None:
        if code == "A":
            self._row -= int(arguments or 1)
            assert self._row >= 0, "the bar moved above the screen"
        elif code == "K":
            self._rows[self._row] = ""
        elif arguments == "?25":
            self.cursor_shown = code == "h"
        else:
            assert code == "m", f"unknown control code {arguments}{code}"

    def _feed(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._rows):
            self._rows.append("")

    def _write(self, text: str) -> None:
        row = self._rows[self._row].ljust(self._column)
        self._column += len(text)
        self._rows[self._row] = row[: self._column - len(text)] + text + row[self._column :]
