"""The site of `examples/instance` as ASGI, with a WebSocket that echoes."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs

HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text().strip()


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await answer(scope, receive, send)
    else:
        raise ValueError(scope["type"])  # no lifespan


async def answer(scope, receive, send):
    received, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["path"] == "/slow":
        query = parse_qs(scope["query_string"].decode())
        await asyncio.sleep(int(query.get("ms", ["300"])[0]) / 1000)
    status = 500 if scope["path"] == "/health" and not HEALTHY else 200
    text = f"ok {VERSION}\n" if scope["path"] == "/health" else f"{VERSION}\n"
    headers = {
        "content-type": "text/plain",
        "content-length": str(len(text)),
        "x-release": HERE.name,
        "x-received": str(received),
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": text.encode()})


async def echo(receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"{VERSION} {message.get('text')}"})
        else:
            return


HEALTHY = True
