"""What MSAL is given as its HTTP client: every conversation ends in time, and its first refusal is remembered."""

from __future__ import annotations

from typing import Any

from shared.auth.entra_http import EntraHttp, Reply


class MsalHttp:
    """MSAL's door to the network: bounded, and it remembers the first answer of a conversation that was a refusal.

    MSAL hides it: a 5xx and a refused discovery become exceptions without body or `Retry-After`, and after a refused
    token request it asks for more (the aliases of the host), which may fail in its turn.
    """

    def __init__(self) -> None:
        self._http = EntraHttp()
        self._deadline = 0.0
        self.refused: Reply | None = None
        self.replayed: dict[str, Any] = {}
        """MSAL's store of answers that it gives again instead of asking: refusals for 5 or 60 s, and anything that
        carried `Retry-After`. Emptied before each conversation, since the owner keeps refusals itself, for as long
        as Entra says."""

    def begin(self, deadline: float) -> None:
        """The conversation that begins now ends at `deadline`."""
        self._deadline = deadline
        self.refused = None
        self.replayed.clear()

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> Reply:
        return self._noted(self._http.send("GET", url, deadline=self._deadline, params=params, headers=headers))

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> Reply:
        return self._noted(
            self._http.send("POST", url, deadline=self._deadline, params=params, data=data, headers=headers)
        )

    def close(self) -> None:
        self._http.close()

    def _noted(self, reply: Reply) -> Reply:
        if reply.status_code >= 400 and self.refused is None:
            self.refused = reply
        return reply
