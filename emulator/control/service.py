"""The control API: how tests steer the emulated cloud. Plain http on loopback, under a prefix of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from emulator.clock import Clock
from emulator.control.faults import Faults
from emulator.control.requests_log import RequestsLog
from emulator.control.tokens import odd_token
from emulator.durations import parse_duration
from emulator.entra.directory import ENTRA_SWITCHES
from emulator.entra.service import Entra
from emulator.http import Answer, Call, Json, Refusal, Service
from emulator.keyvault.store import SecretStore
from emulator.merge import refuse_unknown
from emulator.seed import APPLICATIONS
from emulator.storage.events import EVENT_SWITCHES, EventSettings

PREFIX = "/_emulator"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_ENTRA_MAPS = frozenset({"applications", "users"})
_VAULT_MAPS = frozenset({"secrets", "vaultRoles"})


class PowerBIState(Protocol):
    """What the control API asks of the emulated Power BI."""

    def reset(self, seed: Literal["default", "empty"]) -> None:
        """Back to the seed, or to a tenant without content."""

    def state(self) -> Json:
        """Maps keyed by id, and `switches`."""

    def merge(self, patch: Json) -> None:
        """Merge a patch into them; raises ValueError and then changes nothing."""

    def somebody_else_refreshes(self, workspace_id: str, dataset_id: str) -> str:
        """Begin a refresh that is not ours, and tell its request id; raises LookupError or ValueError."""


class Control(Service):
    """Routes of the control API. `processes` tells the children's ids."""

    def __init__(
        self,
        *,
        entra: Entra,
        vault: SecretStore,
        powerbi: PowerBIState,
        clock: Clock,
        faults: Faults,
        log: RequestsLog,
        events: EventSettings,
        processes: Callable[[], Mapping[str, Any]],
    ) -> None:
        super().__init__()
        self._entra, self._vault, self._powerbi = entra, vault, powerbi
        self._clock, self._faults, self._log, self._processes = clock, faults, log, processes
        self._events = events
        for method, path, handler in (
            ("POST", "reset", self._reset),
            ("GET", "state", self._state),
            ("PATCH", "state", self._patch_state),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("DELETE", "faults/{id}", self._remove_fault),
            ("POST", "clock", self._advance_clock),
            ("GET", "clock", self._tell_clock),
            ("POST", "tokens", self._odd_token),
            ("POST", "keys/rotate", self._rotate_keys),
            ("POST", "secrets/{application}/rotate", self._rotate_secret),
            ("POST", "secrets/{application}/expire", self._expire_secrets),
            ("POST", "refreshes/{workspace}/{dataset}", self._somebody_else_refreshes),
            ("GET", "requests", self._requests),
        ):
            self.router.add(method, f"{PREFIX}/{path}", handler)

    def handle(self, call: Call) -> Answer:
        """Bad input is 400 with a sentence, whatever it is that does not like it."""
        if call.host not in _LOOPBACK:
            return _bad(f"The control API is only for loopback, not for '{call.host}'")
        try:
            return super().handle(call)
        except (ValueError, OverflowError) as fault:
            return _bad(str(fault))

    def _reset(self, call: Call) -> Answer:
        wanted = _body(call, ("seed",)).get("seed", "default")
        if wanted not in ("default", "empty"):
            raise ValueError("seed is 'default' or 'empty'")
        self._clock.reset()
        self._faults.clear()
        self._entra.reset()
        self._vault.reset()
        self._powerbi.reset(wanted)
        self._events.reset()
        self._log.clear()
        return Answer(204)

    def _state(self, _: Call) -> Answer:
        powerbi, directory = self._powerbi.state(), self._entra.directory.state()
        return Answer(
            200,
            {
                **powerbi,
                **directory,
                **self._vault.state(),
                "switches": {**powerbi.get("switches", {}), **directory["switches"], **self._events.state()},
                "faults": self._faults.waiting(),
                "processes": dict(self._processes()),
                "lastSeq": self._log.last,
            },
        )

    def _patch_state(self, call: Call) -> Answer:
        """All of it or nothing: what may refuse comes before the first change."""
        patch = _body(call)
        for name, value in patch.items():
            if not isinstance(value, dict):
                raise ValueError(f"'{name}' is a map: give an object to merge into it")  # noqa: TRY004
        self._refuse_unknown(patch)
        switches = patch.get("switches", {})
        directory = {name: patch[name] for name in _ENTRA_MAPS if name in patch}
        directory["switches"] = {name: value for name, value in switches.items() if name in ENTRA_SWITCHES}
        powerbi = {name: value for name, value in patch.items() if name not in _ENTRA_MAPS | _VAULT_MAPS}
        others = {*ENTRA_SWITCHES, *EVENT_SWITCHES}
        powerbi["switches"] = {name: value for name, value in switches.items() if name not in others}
        events = self._events.merged({name: value for name, value in switches.items() if name in EVENT_SWITCHES})
        merged = self._entra.directory.merged(directory)
        self._vault.check(patch)
        self._powerbi.merge(powerbi)
        self._entra.directory.adopt(merged)
        self._events.adopt(events)
        self._vault.merge(patch)
        return Answer(204)

    def _refuse_unknown(self, patch: Json) -> None:
        state = self._powerbi.state()
        refuse_unknown(patch, {*state, "switches", *_ENTRA_MAPS, *_VAULT_MAPS}, "map")
        known = {*state.get("switches", {}), *ENTRA_SWITCHES, *EVENT_SWITCHES}
        refuse_unknown(patch.get("switches", {}), known, "switch")

    def _add_fault(self, call: Call) -> Answer:
        return Answer(201, {"id": self._faults.add(_body(call))})

    def _clear_faults(self, _: Call) -> Answer:
        self._faults.clear()
        return Answer(204)

    def _remove_fault(self, call: Call) -> Answer:
        if not self._faults.remove(call.parameters["id"]):
            return _not_found(f"There is no fault '{call.parameters['id']}': it may be used up")
        return Answer(204)

    def _advance_clock(self, call: Call) -> Answer:
        self._clock.advance(parse_duration(_body(call, ("advance",)).get("advance")))
        return self._tell_clock(call)

    def _tell_clock(self, _: Call) -> Answer:
        return Answer(200, {"now": self._clock.now().isoformat().replace("+00:00", "Z")})

    def _odd_token(self, call: Call) -> Answer:
        body = _body(call, ("claims", "header", "sign", "client", "delegated", "user"))
        return Answer(200, {"token": odd_token(body, self._entra)})

    def _rotate_keys(self, call: Call) -> Answer:
        keep_old = _flag(_body(call, ("keepOld",)), "keepOld", default=True)
        self._entra.authority.rotate(keep_old=keep_old)
        return Answer(204)

    def _rotate_secret(self, call: Call) -> Answer:
        body = _body(call, ("keepOld", "vault"))
        into_vault, keep_old = _flag(body, "vault", default=True), _flag(body, "keepOld", default=False)
        name = _application(call)
        vault_name = next((app.vault_secret for app in APPLICATIONS if app.name == name), "")
        value = self._entra.directory.new_secret(name, keep_old=keep_old)
        if into_vault and vault_name:
            self._vault.put(vault_name, value)
        return Answer(204)

    def _expire_secrets(self, call: Call) -> Answer:
        self._entra.directory.expire_secrets(_application(call))
        return Answer(204)

    def _somebody_else_refreshes(self, call: Call) -> Answer:
        workspace, dataset = call.parameters["workspace"], call.parameters["dataset"]
        try:
            return Answer(200, {"requestId": self._powerbi.somebody_else_refreshes(workspace, dataset)})
        except LookupError as fault:
            return _not_found(f"Power BI has no such dataset in that workspace: {fault}")

    def _requests(self, call: Call) -> Answer:
        since = call.query.get("since", "0")
        if not since.isdecimal():
            raise ValueError("since is a sequence number")
        return Answer(200, {"value": list(self._log.since(int(since)))})


def _application(call: Call) -> str:
    name = call.parameters["application"]
    if name not in {app.name for app in APPLICATIONS}:
        raise Refusal(_not_found(f"There is no application '{name}' in the seed"))
    return name


def _body(call: Call, known: tuple[str, ...] | None = None) -> Json:
    """The body as an object with no other fields than these; none at all is an empty object."""
    try:
        body = call.json() if call.body else {}
    except ValueError as fault:
        raise ValueError(f"The body is not JSON: {fault}") from None
    if not isinstance(body, dict):
        raise ValueError("The body is a JSON object")  # noqa: TRY004
    if known is not None:
        refuse_unknown(body, known, "field")
    return body


def _flag(body: Json, name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is true or false")  # noqa: TRY004
    return value


def _bad(message: str) -> Answer:
    return Answer(400, {"error": {"code": "BadRequest", "message": message}})


def _not_found(message: str) -> Answer:
    return Answer(404, {"error": {"code": "NotFound", "message": message}})
