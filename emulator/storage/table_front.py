"""Stands before Azurite's table service under its production name, where Azurite can't read a transaction.

Of the addresses inside a transaction it takes the second part of the path for the table's name, as they are on loopback
(`/account/table`); under a production name there is one part only, and it answers 500. So the account is put into them.
"""

from __future__ import annotations

import re
import ssl

import aiohttp
from aiohttp import web
from yarl import URL

from emulator.network.server import Site
from emulator.seed import STORAGE_ACCOUNT

_ADDRESS = re.compile(
    rb"(https://[A-Za-z0-9.-]+\.table\.[A-Za-z0-9.-]+(?::\d+)?)/(?!" + STORAGE_ACCOUNT.encode() + rb"/)"
)
_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}


class TableFront:
    """Passes each request on as it is, but for the addresses inside a transaction."""

    def __init__(self, site: Site, session: aiohttp.ClientSession) -> None:
        self._site = site
        self._session = session
        self.port = site.port

    @classmethod
    async def start(cls, port: int, tls: ssl.SSLContext, *, upstream_tls: bool) -> TableFront:
        """Listen with `tls` on a free port, for Azurite's table service on that port of loopback."""
        unverified = False  # its certificate is the very one that this process presents
        # Azurite closes a connection that has been idle for five seconds: two are well before that
        connector = aiohttp.TCPConnector(ssl=unverified if upstream_tls else True, limit=0, keepalive_timeout=2)
        session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        base = f"{'https' if upstream_tls else 'http'}://127.0.0.1:{port}"

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await _passed_on(request, session, base)

        return cls(await Site.start(handle, tls=tls), session)

    async def stop(self) -> None:
        """Take no more requests."""
        await self._site.stop()
        await self._session.close()


async def _passed_on(request: web.BaseRequest, session: aiohttp.ClientSession, base: str) -> web.StreamResponse:
    body = await request.read()
    if request.path.endswith("$batch"):
        body = _ADDRESS.sub(rb"\1/" + STORAGE_ACCOUNT.encode() + rb"/", body)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _ONE_CONNECTION}
    url = URL(f"{base}{request.raw_path}", encoded=True)
    try:
        async with session.request(request.method, url, headers=headers, data=body, allow_redirects=False) as answer:
            told = {name: value for name, value in answer.headers.items() if name.lower() not in _ONE_CONNECTION}
            return web.Response(status=answer.status, headers=told, body=await answer.read())
    except aiohttp.ClientError:
        return web.Response(status=502)
