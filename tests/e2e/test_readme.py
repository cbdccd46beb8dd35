"""The README keeps its word: everything that exists is in it, and what can be pasted works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import function_app
from tests.cloud import PROJECT, running

README = (PROJECT / "README.md").read_text(encoding="utf-8")
NOT_OURS = {"node_modules", ".venv", ".venv-3.13"}
EXAMPLES = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)


def test_every_function_is_in_it() -> None:
    doors = (PROJECT / "function_app.py").read_text(encoding="utf-8")
    names = re.findall(r'@app\.function_name\("([^"]+)"\)', doors)
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in README] == []
    assert function_app.app is not None


def test_every_route_is_in_it_and_no_other() -> None:
    doors = (PROJECT / "function_app.py").read_text(encoding="utf-8")
    routes = {f"{method} /api/{path}" for path, method in re.findall(r'route\("([^"]+)", methods=\["(\w+)"\]', doors)}
    described = set(re.findall(r"^\| `((?:GET|POST) /api/[^`]+)`", README, re.MULTILINE))
    assert described == routes


def test_every_setting_is_in_it() -> None:
    read = (PROJECT / "shared" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'"([A-Z]+_[A-Z_]{5,}|AzureWebJobsStorage)"', read))
    assert len(names) > 8
    assert [name for name in names if name not in README] == []


def test_every_file_that_the_documents_name_is_there() -> None:
    documents = [PROJECT / "README.md", *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("*/**/README.md")]
    named = [
        (document, name) for document in documents if NOT_OURS.isdisjoint(document.parts) for name in files_in(document)
    ]
    assert len(named) > 30
    missing = [f"{document.name}: {name}" for document, name in named if not there(document, name)]
    assert missing == []


def files_in(document: Path) -> list[str]:
    """What it links, and what looks like a path of a source file."""
    text = document.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    return [*linked, *re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|bicep|kql|sh|yaml|yml|toml))`", text)]


def there(document: Path, name: str) -> bool:
    return any((folder / name).exists() for folder in (document.parent, PROJECT, PROJECT / "infra"))


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs bash and curl")
def test_what_can_be_pasted_works(tmp_path: Path) -> None:
    """All examples in one shell, as a reader would paste them; a call that is refused ends it."""
    assert len(EXAMPLES) == 5
    with running(tmp_path, "--host", "bundled"):
        shell = {**os.environ, "EMULATOR_STATE_DIR": str(tmp_path)}
        script = "set -euo pipefail\n" + "\n".join(EXAMPLES).replace(".venv/bin/python", "python")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command, environment = ["bash", "-c", script], {**shell, "PATH": path}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=90, check=False
        )
    assert done.returncode == 0, done.stderr
    for word in ('"tokenType": "Embed"', '"dryRun": true', '"FIN-Readme"', '"dataset": "sales"', '"status": "ready"'):
        assert word in done.stdout
