"""Load a function_app.py and take from it what it declares, with the checks that the platform's worker makes.

The worker reports a faulty function by itself and runs the others; here any fault keeps the host from starting, and all
of them are told at once: a developer should not have to look for a function that is missing.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import traceback
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from emulator.host.converters import converter
from emulator.host.errors import CannotStart

Json = dict[str, Any]

TRIGGERS = ("httpTrigger", "queueTrigger", "timerTrigger", "eventGridTrigger")
_BINDINGS = (*TRIGGERS, "http")


@dataclass(frozen=True)
class Function:
    """One function of the app, ready to be run."""

    name: str
    call: Callable[..., Any]
    trigger: Json
    """The trigger's binding as function.json would hold it: type, name and what else it declares."""
    outputs: Mapping[str, str]
    """Type of each output binding by name, `$return` among them."""
    wants_context: bool
    directory: str

    @property
    def kind(self) -> str:
        """The trigger's type, one of TRIGGERS."""
        return str(self.trigger["type"])

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.call)


def load(directory: Path, environment: Mapping[str, str]) -> list[Function]:
    """The functions of the app in `directory`, those aside that a setting disables; raises CannotStart."""
    module = _import(directory, environment.get("PYTHON_SCRIPT_FILE_NAME") or "function_app.py")
    app = _only_app(module)
    try:
        declared = app.get_functions()  # once: a second call finds every name taken, by the first
    except ValueError as error:
        raise CannotStart([f"{module.__file__}: {error}"]) from error
    faults: list[str] = []
    functions = [_function(each, str(directory), faults) for each in declared]
    if faults:
        raise CannotStart(faults)
    return [function for function in functions if not _disabled(function.name, environment)]


def _import(directory: Path, script: str) -> ModuleType:
    path = directory / script
    if not path.is_file():
        raise CannotStart([f"there is no {script} in {directory}"])
    for folder in (directory / ".python_packages/lib/site-packages", directory):
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CannotStart([f"{script} is not a Python file"])
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise CannotStart([f"{script} can't be imported:\n{traceback.format_exc()}"]) from error
    return module


def _only_app(module: ModuleType) -> Any:
    found = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
    if len(found) != 1:
        count = "no function app" if not found else f"{len(found)} function apps"
        raise CannotStart([f"{module.__file__} has {count} at its top level: there must be exactly one"])
    return next(iter(found.values()))


def _disabled(name: str, environment: Mapping[str, str]) -> bool:
    settings = (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs_{name}_Disabled")
    return any(environment.get(setting, "").lower() in ("true", "1") for setting in settings)


def _function(declared: Any, directory: str, faults: list[str]) -> Function:
    name, call = str(declared.get_function_name()), declared.get_user_function()
    bindings: list[Json] = [json.loads(text) for text in declared.get_raw_bindings()]
    trigger_name = declared.get_trigger().name
    trigger = next(binding for binding in bindings if binding["name"] == trigger_name)
    found = _faults(call, bindings) + _unsupported(declared, bindings)
    faults += [f"function {name}: {fault}" for fault in found]
    return Function(
        name=name,
        call=call,
        trigger=trigger,
        outputs={binding["name"]: binding["type"] for binding in bindings if binding["direction"] == "OUT"},
        wants_context="context" in inspect.signature(call).parameters,
        directory=directory,
    )


def _unsupported(declared: Any, bindings: list[Json]) -> list[str]:
    faults = [
        f"binding {binding['name']!r} is of type {binding['type']!r}, which this host does not have"
        for binding in bindings
        if binding["type"] not in _BINDINGS
    ]
    if declared.get_settings_dict("retry_policy"):
        faults.append("it has a retry policy, which this host does not follow")
    return faults


def _faults(call: Callable[..., Any], bindings: list[Json]) -> list[str]:
    """What the worker refuses: a parameter without a binding, a binding without a parameter, a wrong annotation."""
    parameters = set(inspect.signature(call).parameters) - {"context"}
    bound = {binding["name"]: binding for binding in bindings if binding["name"] != "$return"}
    faults = []
    if missing := sorted(parameters - set(bound)):
        faults.append(f"parameters without a binding: {', '.join(missing)}")
    if unused := sorted(set(bound) - parameters):
        faults.append(f"bindings without a parameter: {', '.join(unused)}")
    faults += [f"binding {each['name']!r} has direction inout" for each in bindings if each["direction"] == "INOUT"]
    try:
        hints = typing.get_type_hints(call)
    except Exception as error:  # noqa: BLE001  whatever the app's annotations raise
        return [*faults, f"its annotations can't be evaluated: {error}"]
    return faults + _annotation_faults(hints, bound)


def _annotation_faults(hints: Mapping[str, Any], bound: Mapping[str, Json]) -> list[str]:
    faults = []
    context = hints.get("context")
    if context is not None and getattr(context, "__name__", "") != "Context":
        faults.append(f"parameter 'context' is annotated {context!r}, not func.Context")
    for name, binding in bound.items():
        hint = hints.get(name)
        if hint is None:
            continue
        is_out = (typing.get_origin(hint) or hint) is func.Out
        if is_out != (binding["direction"] == "OUT"):
            direction = binding["direction"]
            faults.append(f"parameter {name!r} is annotated {hint!r}, but its binding has direction {direction}")
        elif not is_out and not _accepts(binding["type"], hint):
            faults.append(f"parameter {name!r} is annotated {hint!r}, which does not fit a {binding['type']}")
    return faults


def _accepts(binding: str, hint: Any) -> bool:
    """Whether the platform's converter of this binding takes a parameter of that type."""
    found = converter(binding)
    if found is None or not isinstance(hint, type):
        return found is None
    return bool(found.check_input_type_annotation(hint))
