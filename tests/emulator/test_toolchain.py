"""Node.js is found wherever it is, and started as itself."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from emulator import toolchain
from emulator.toolchain import ToolMissing, azurite_command, node_command


def _put(folder: Path, script: str) -> Path:
    """A command `node` that does what the script says."""
    command = folder / "node"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return command


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_behind_a_shim_the_real_one_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shim that waits for its child would take our signals for itself, and leave the child behind."""
    [real] = node_command()
    _put(tmp_path, f'{shlex.quote(real)} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_command() == [real]


@pytest.mark.parametrize(
    "script",
    ["echo no version is set >&2; exit 1", "echo '16.20.2 /old/node'", "echo"],
    ids=["a shim with nothing behind it", "too old", "something else"],
)
def test_one_that_does_not_do_gives_way_to_the_packaged_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, script: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _put(path, script)
    packaged = _put(tmp_path_factory.mktemp("packaged"), "echo '24.1.0 /packaged/node'")
    monkeypatch.setattr(toolchain, "_packaged", lambda _: str(packaged))
    assert node_command() == ["/packaged/node"]


def test_without_any_it_is_said_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_packaged", lambda _: None)
    with pytest.raises(ToolMissing, match=r"Node\.js was not found.*run `make install`"):
        node_command()


def test_without_azurite_it_is_said_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "AZURITE", path / "azurite.js")
    with pytest.raises(ToolMissing, match="Azurite is not installed: run `make install`"):
        azurite_command()
