"""Where in a document something is, as its author would say it: `grants[0].roles`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.errors import Fault, InvalidRequest

LARGEST_TEXT = 1024 * 1024
DEEPEST = 64
MOST_DIGITS = 40
MOST_FAULTS = 100
LONGEST_NAME = 60
NO_CHARACTER = "Holds half a surrogate pair (\\ud800 to \\udfff), which is no character."

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Place = tuple[str | int, ...]


def path_of(place: Place) -> str:
    """`("grants", 0, "roles")` is `grants[0].roles`; the document itself is the empty text."""
    return "".join(f"[{part}]" if isinstance(part, int) else _named(part) for part in place).removeprefix(".")


def _named(name: str) -> str:
    name = name.encode("utf-8", "replace").decode()
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return f".{shown}" if _PLAIN_NAME.fullmatch(name) else f"[{shown!r}]"


def refusal(faults: Sequence[Fault]) -> InvalidRequest:
    """The error that carries these faults (at most 100 of them); its detail tells the first."""
    first, kept = faults[0], tuple(faults[:MOST_FAULTS])
    told = f"{first.path}: {first.message}" if first.path else first.message
    others = f" (and {len(kept) - 1} more{' at least' if len(faults) > MOST_FAULTS else ''})" if len(faults) > 1 else ""
    return InvalidRequest(f"Not valid: {told}{others}", faults=kept)


def refuse(message: str, place: Place = ()) -> InvalidRequest:
    """The error for a single fault."""
    return refusal([Fault(path_of(place), message)])


def decoded(raw: bytes, encoding: str = "utf-8") -> str:
    """The text of at most 1 MiB of UTF-8. Raises InvalidRequest that says which byte is none."""
    if len(raw) > LARGEST_TEXT:
        raise refuse(f"The document must not be larger than {LARGEST_TEXT} bytes (1 MiB).")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refuse(f"Line {line}, byte {error.start}: not UTF-8. Save the document in UTF-8.") from None


def is_text(text: str) -> bool:
    """Whether UTF-8 can carry it: an escape may have made half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
