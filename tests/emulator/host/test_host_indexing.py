"""What the host takes from a function_app.py, and what it refuses in it."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.host import indexing
from emulator.host.errors import CannotStart
from emulator.host.indexing import Function

Load = Callable[..., list[Function]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads code as an app, under a script name of its own so that nothing of this process is disturbed."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def load(code: str, **settings: str) -> list[Function]:
        script = f"app_{uuid.uuid4().hex}.py"
        monkeypatch.setitem(sys.modules, script.removesuffix(".py"), sys)
        (tmp_path / script).write_text(f"import azure.functions as func\n{code}")
        return indexing.load(tmp_path, {"PYTHON_SCRIPT_FILE_NAME": script, **settings})

    return load


APP = "app = func.FunctionApp()\n"
QUEUE = '@app.queue_trigger("message", "work", "")\n'


def test_functions_of_a_blueprint_are_functions_of_the_app(load: Load) -> None:
    code = """
blueprint = func.Blueprint()
@blueprint.function_name("other_name")
@blueprint.route("x", methods=["GET"])
async def run(req: func.HttpRequest, context: func.Context): ...
app = func.FunctionApp()
app.register_functions(blueprint)
"""
    [function] = load(code)
    assert (function.name, function.kind, function.is_async) == ("other_name", "httpTrigger", True)
    assert (function.wants_context, dict(function.outputs)) == (True, {"$return": "http"})
    assert function.trigger["methods"] == ["GET"]


def test_a_setting_disables_a_function(load: Load) -> None:
    code = APP + QUEUE + "def one(message): ...\n" + QUEUE + "def two(message): ...\n"
    assert [function.name for function in load(code, **{"AzureWebJobs.one.Disabled": "true"})] == ["two"]
    assert [function.name for function in load(code, **{"AzureWebJobs_two_Disabled": "1"})] == ["one"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "no function app at its top level"),
        (APP + "other = func.FunctionApp()", "2 function apps at its top level"),
        ("1 / 0", "can't be imported:\n.*ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("raise SystemExit(0)", "can't be imported:\n.*SystemExit"),
        (APP + (QUEUE + "def one(message): ...\n") * 2, "Function one does not have a unique"),
        (APP + QUEUE + "def one(message, extra): ...", "function one: parameters without a binding: extra"),
        (
            APP + QUEUE + "def one(msg): ...",
            "parameters without a binding: msg; .*bindings without a parameter: message",
        ),
        (APP + QUEUE + "def one(message, context: str): ...", "parameter 'context' is annotated"),
        (APP + QUEUE + "def one(message: func.HttpRequest): ...", "does not fit a queueTrigger"),
        (APP + QUEUE + "def one(message: func.Out[str]): ...", "but its binding has direction IN"),
        (APP + QUEUE + "def one(message: 'Missing'): ...", "annotations can't be evaluated: name 'Missing'"),
        (
            APP + '@app.blob_trigger("b", "landing/{name}", "")\ndef one(b): ...',
            "function one: binding 'b' is of type 'blobTrigger', which this host does not have",
        ),
        (
            APP + '@app.queue_output("o", "q", "")\n' + QUEUE + "def one(message, o: func.Out[str]): ...",
            "function one: binding 'o' is of type 'queue', which this host does not have",
        ),
        (
            APP + '@app.retry("fixed_delay", "3", delay_interval="00:00:01")\n' + QUEUE + "def one(message): ...",
            "retry policy",
        ),
        (APP + "@app.function_name('one')\ndef one(): ...", "does not have a trigger"),
    ],
)
def test_a_faulty_app_is_refused_and_the_fault_named(code: str, why: str, load: Load) -> None:
    with pytest.raises(CannotStart) as refused:
        load(code)
    assert re.search(why, "; ".join(refused.value.reasons), re.DOTALL)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"there is no function_app\.py"):
        indexing.load(tmp_path, {})
