"""`local.settings.json` for Azure Functions Core Tools: the app's settings and the way to the emulated cloud."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from emulator.launch.environment import Places, app_settings, client_environment
from emulator.network.certificates import write_private

_MARK = "WrittenBy"
_OURS = "python -m emulator"


class LocalSettings:
    """The file in the project's root; one that somebody else wrote is left as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, places: Places) -> bool:
        """Write it, and tell whether it was ours to write."""
        if self._path.exists() and not self._is_ours():
            return False
        values = {**app_settings(places), **_without_twins(client_environment(places))}
        document = {_MARK: _OURS, "IsEncrypted": False, "Values": values}
        write_private(self._path, json.dumps(document, indent=2).encode())
        return True

    def remove(self) -> None:
        """Delete ours: what it points to has ended."""
        if self._path.exists() and self._is_ours():
            self._path.unlink()

    def _is_ours(self) -> bool:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and found.get(_MARK) == _OURS


def _without_twins(variables: Mapping[str, str]) -> dict[str, str]:
    """One spelling of each name, the lower-case one: to .NET, and so to Core Tools, two of them are the same."""
    return {name: value for name, value in variables.items() if name.lower() == name or name.lower() not in variables}
