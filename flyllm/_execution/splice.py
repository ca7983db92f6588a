"""The seam where an answer goes on elsewhere: some models repeat what they were given to go on from."""


class Splice:
    """Takes in the text of an answer that goes on from `text`, and gives out what is new of it.

    Mistral repeats all of `text`. Others begin with the space at its end, which they were not given.
    """

    def __init__(self, text: str) -> None:
        # The longest first: a repetition of all of it also begins like a shorter one.
        self._repeatable = [part for part in (text, text[len(text.rstrip()) :]) if part]
        self._held = ""

    def take(self, content: str) -> str:
        """Return what of `content`, and of what was held back, is surely new."""
        if not self._repeatable:
            return content
        self._held += content
        while self._repeatable:
            repeated = self._repeatable[0]
            if self._held.startswith(repeated):
                self._held, self._repeatable = self._held[len(repeated) :], []
            elif repeated.startswith(self._held):
                return ""
            else:
                del self._repeatable[0]
        return self.rest()

    def rest(self) -> str:
        """Return what is still held back: nothing follows that could make it a repetition."""
        rest, self._held = self._held, ""
        return rest
