"""The folders as they are on Azure: the app's package, what its requirements bring, and the worker with its own.

    wwwroot/                                       what .funcignore lets through; the worker's working directory
    wwwroot/.python_packages/lib/site-packages/    what `pip install -r requirements.txt` brings, and nothing else
    python/3.13/LINUX/X64/                         Microsoft's worker library with what it needs, and process.py

The installed files are linked rather than installed once more: that needs no registry, and no second.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2]
LIBRARY = "azure-functions-runtime"
OF_THE_WORKER = ("process.py", "protos.py")


class Deployment:
    """One such set of folders."""

    def __init__(self, home: Path) -> None:
        self.root = home / "wwwroot"
        self.packages = self.root / ".python_packages" / "lib" / "site-packages"
        self.worker = home / "python" / f"{sys.version_info.major}.{sys.version_info.minor}" / "LINUX" / "X64"

    def make(self) -> Deployment:
        """Copy the package, and link what is installed."""
        shutil.copytree(PROJECT, self.root, ignore=_ignored)
        _link(required_distributions(requirements()), self.packages)
        _link(required_distributions([LIBRARY]), self.worker)
        for name in OF_THE_WORKER:
            (self.worker / name).symlink_to(Path(__file__).with_name(name))
        return self

    def command(self) -> list[str]:
        """The worker as the platform starts it: of what is installed on this machine Python sees nothing (`-S`)."""
        return [_python(), "-S", "-m", "process", str(self.root)]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The app's packages before the worker's own, as the platform has it from Python 3.13 on."""
        kept = {name: value for name, value in given.items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
        return {**kept, "PYTHONPATH": os.pathsep.join((str(self.packages), str(self.worker)))}


def requirements() -> list[str]:
    """The lines of `requirements.txt`."""
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def required_distributions(wanted: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """The distributions that these requirements need, with all that those need."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [(Requirement(line), "") for line in wanted]
    done: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        found.setdefault(name, importlib.metadata.distribution(name))
        for chosen in ("", *requirement.extras):
            if (name, chosen) not in done:
                done.add((name, chosen))
                waiting += [(Requirement(line), chosen) for line in found[name].requires or ()]
    return found


def _ignored(folder: str, names: list[str]) -> set[str]:
    """What .funcignore keeps back."""
    lines = (PROJECT / ".funcignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    return {name for name in names if any(fnmatch(name, pattern) for pattern in patterns)}


def _link(distributions: Mapping[str, importlib.metadata.Distribution], folder: Path) -> None:
    """Link the files of these distributions into a folder, with their bytecode where it is at hand."""
    for distribution in distributions.values():
        for file in distribution.files or ():
            if ".." in file.parts or (folder / file).is_symlink():
                continue
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).symlink_to(Path(str(file.locate())))


def _python() -> str:
    """The interpreter itself, not that of a virtual environment, which would find its packages by its own place."""
    return str(getattr(sys, "_base_executable", sys.executable))
