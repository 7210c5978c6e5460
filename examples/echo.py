"""An asyncio program that embeds the relay: a page that hears its own voice.

    .venv/bin/python examples/echo.py [PORT]     then open http://127.0.0.1:8081 (and put headphones on)

It needs `relay` and `sdp` alone, and shows all that embedding takes: make a `Relay`, offer each
connection's parameters in your own way (here an SDP over a WebSocket), give it the other end's
parameters back, and wait for `connected`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import sdp
from relay import (
    HEADER_EXTENSIONS,
    OPUS_CLOCK_RATE,
    OPUS_PAYLOAD_TYPE,
    CloseReason,
    Consumer,
    DtlsFingerprint,
    DtlsRole,
    IceParameters,
    Publisher,
    Relay,
    RelayConfig,
    TransportParameters,
)

PAGE = Path(__file__).with_suffix(".html").read_bytes()
HOST = "127.0.0.1"


async def converse(relay: Relay, page: ServerConnection) -> None:
    """One page: take its voice, then give it back."""
    publisher = relay.create_publisher()
    try:
        await negotiate(page, publisher, offer(publisher, sdp.Direction.RECVONLY))
        consumer = relay.create_consumer(publisher)
        announced = sdp.Ssrc(consumer.source.ssrc, "cname", consumer.source.cname)
        await negotiate(page, consumer, offer(consumer, sdp.Direction.SENDONLY, announced))
        await page.wait_closed()
        print("heard", publisher.stats(), "and said", consumer.stats(), flush=True)
    except (ConnectionClosed, ConnectionError) as error:
        print("no conversation came about:", error, flush=True)
    finally:
        publisher.close()  # its consumers close with it


async def negotiate(
    page: ServerConnection, connection: Publisher | Consumer, description: str
) -> None:
    """Offer, take the answer, and wait until media can flow."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def closed(reason: CloseReason) -> None:
        if not done.done():
            done.set_exception(ConnectionError(f"the connection closed: {reason}"))

    connection.once("connected", lambda: done.set_result(None))
    connection.once("closed", closed)
    try:
        await page.send(json.dumps({"type": "offer", "sdp": description}))
        connection.connect(parameters(json.loads(await page.recv())["sdp"]))
        leaving = asyncio.create_task(page.wait_closed())
        await asyncio.wait((done, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not done.done():
            raise ConnectionError("the page left")
        done.result()
    finally:
        done.cancel()  # nobody waits for it any more


def offer(
    connection: Publisher | Consumer, direction: sdp.Direction, *more: sdp.AnyAttribute
) -> str:
    """The connection's local parameters as an SDP."""
    local = connection.local
    audio = sdp.MediaDescription(
        media="audio",
        port=9,
        protocol="UDP/TLS/RTP/SAVPF",
        formats=(str(OPUS_PAYLOAD_TYPE),),
        connection=sdp.Connection(),
        attributes=(
            sdp.Mid("0"),
            direction,
            sdp.Attribute("rtcp-mux"),
            sdp.IceUfrag(local.ice.username_fragment),
            sdp.IcePwd(local.ice.password),
            *(sdp.Fingerprint(item.algorithm, item.value) for item in local.fingerprints),
            sdp.Setup.ACTPASS,
            *(
                sdp.Candidate(
                    c.foundation, c.component, c.protocol, c.priority, c.address, c.port, c.type
                )
                for c in local.candidates
            ),
            sdp.RtpMap(OPUS_PAYLOAD_TYPE, "opus", OPUS_CLOCK_RATE, 2),
            *(sdp.ExtMap(identifier, uri) for identifier, uri in HEADER_EXTENSIONS.items()),
            *more,
        ),
    )
    group = sdp.Group("BUNDLE", ("0",))
    return sdp.build(sdp.SessionDescription(attributes=(group,), media=(audio,)))


def parameters(answer: str) -> TransportParameters:
    """The page's end of the transport. The page's own ICE checks tell its addresses."""
    description = sdp.parse(answer)
    audio = description.media[0]
    ufrag, password = description.ice_ufrag(audio), description.ice_pwd(audio)
    if ufrag is None or password is None:
        raise ValueError("the answer has no ICE credentials")
    active = description.setup(audio) is sdp.Setup.ACTIVE
    return TransportParameters(
        ice=IceParameters(ufrag, password),
        fingerprints=tuple(
            DtlsFingerprint(item.algorithm, item.value) for item in description.fingerprints(audio)
        ),
        role=DtlsRole.CLIENT if active else DtlsRole.SERVER,
    )


def serve_page(page: ServerConnection, request: Request) -> Response | None:
    """Everything but the WebSocket is the page."""
    if request.path == "/ws":
        return None
    headers = Headers({"Content-Type": "text/html; charset=utf-8", "Connection": "close"})
    return Response(HTTPStatus.OK, "OK", headers, PAGE)


async def main(port: int) -> None:
    """Run until interrupted. port: of the page; 0: any that is free."""
    relay = Relay(RelayConfig(media_port=0))
    await relay.start()
    try:
        async with serve(
            lambda page: converse(relay, page),
            HOST,
            port,
            process_request=serve_page,
            open_timeout=2,  # Ctrl-C waits for connections that a browser keeps in reserve
            close_timeout=2,
        ) as server:
            print("Open http://{}:{}".format(*server.sockets[0].getsockname()), flush=True)
            await server.serve_forever()
    finally:
        await relay.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 8081))
