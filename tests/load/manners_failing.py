"""Ways to fail a request."""

import asyncio
import gzip

from tests.load.speaker import EVENTS, PADDING, SILENCE_S, Speaker, chunk

from sealegs.traffic.client.outcome import token_text


async def closes(_: Speaker) -> None:
    """Close before a word."""


async def resets(speaker: Speaker) -> None:
    """Reset before a word."""
    speaker.reset()


async def mute(_: Speaker) -> None:
    """Never a header."""
    await asyncio.sleep(SILENCE_S)


async def drips(speaker: Speaker) -> None:
    """Headers a byte at a time, for ever."""
    speaker.writer.write(b"HTTP/1.1 200 OK\r\nx-much: ")
    while True:
        speaker.writer.write(b"x")
        await speaker.writer.drain()
        await asyncio.sleep(0.05)


async def boasts(speaker: Speaker) -> None:
    """Headers without bound."""
    speaker.writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        speaker.writer.write(b"x-much: " + b"x" * 10_000 + b"\r\n")
        await speaker.writer.drain()


async def silent(speaker: Speaker) -> None:
    """Headers and a role, never a token."""
    speaker.writer.write(EVENTS)
    speaker.event(text="")
    await asyncio.sleep(SILENCE_S)


async def stalls(speaker: Speaker) -> None:
    """Two tokens, then nothing."""
    await speaker.tokens(range(2))
    await asyncio.sleep(SILENCE_S)


async def endless(speaker: Speaker) -> None:
    """Slow, and longer than anybody waits."""
    await speaker.tokens(range(speaker.asked), gap_s=0.1)


async def cut_fin(speaker: Speaker) -> None:
    """Close in the middle."""
    await speaker.tokens(range(3))


async def cut_rst(speaker: Speaker) -> None:
    """Reset in the middle."""
    await speaker.tokens(range(3))
    await asyncio.sleep(0.05)
    speaker.reset()


async def no_finish(speaker: Speaker) -> None:
    """End as HTTP should, and not as an answer should."""
    await speaker.tokens(range(3))
    speaker.end_body()


async def no_done(speaker: Speaker) -> None:
    """Everything but [DONE]."""
    await speaker.tokens(range(speaker.asked))
    speaker.event(finish="length")
    speaker.end_body()


async def bad_chunk(speaker: Speaker) -> None:
    """Leave HTTP in the middle."""
    await speaker.tokens(range(3))
    speaker.writer.write(b"no length\r\n")
    await asyncio.sleep(SILENCE_S)


async def overflows(speaker: Speaker) -> None:
    """An answer without bound, as fast as it is taken."""
    await speaker.tokens(range(1))
    while True:
        speaker.writer.write(chunk(PADDING))
        await speaker.writer.drain()


async def one_event(speaker: Speaker) -> None:
    """An event without bound."""
    await speaker.tokens(range(3))
    while True:
        speaker.writer.write(chunk(PADDING.rstrip()))
        await speaker.writer.drain()


async def aborts(speaker: Speaker) -> None:
    """The engine gave up, and says so."""
    await speaker.tokens(range(3))
    speaker.event(finish="abort")
    speaker.done()


async def error_event(speaker: Speaker) -> None:
    """An error inside a success."""
    await speaker.tokens(range(3))
    speaker.writer.write(chunk(b'data: {"error": {"message": "engine died", "code": 500}}\n\n'))
    speaker.done()


async def odd_event(speaker: Speaker) -> None:
    """JSON of another kind."""
    await speaker.tokens(range(3))
    speaker.writer.write(chunk(b'data: {"choices": {"0": {"delta": []}}}\n\n'))
    speaker.done()


async def foreign(speaker: Speaker) -> None:
    """A token of another request."""
    await speaker.tokens(range(2))
    speaker.event(text=token_text("r999999", 2))
    await speaker.tokens(range(3, speaker.asked), begin=False)
    speaker.event(finish="length")
    speaker.done()


async def missing(speaker: Speaker) -> None:
    """A token left out."""
    await speaker.tokens([*range(2), *range(3, speaker.asked)])
    speaker.event(finish="length")
    speaker.done()


async def repeated(speaker: Speaker) -> None:
    """A token twice."""
    await speaker.tokens([0, 1, 1, *range(2, speaker.asked)])
    speaker.event(finish="length")
    speaker.done()


async def short(speaker: Speaker) -> None:
    """Says that it is whole, and is not."""
    await speaker.tokens(range(speaker.asked - 1))
    speaker.event(finish="length")
    speaker.done()


async def busy(speaker: Speaker) -> None:
    """Too many requests."""
    speaker.say("429 Too Many Requests", b"sorry", "retry-after: 7\r\n")


async def fails(speaker: Speaker) -> None:
    """An error of the server."""
    speaker.say("500 Internal Server Error", b"sorry")


async def unknown(speaker: Speaker) -> None:
    """An error of the client."""
    speaker.say("404 Not Found", b"sorry")


async def page(speaker: Speaker) -> None:
    """A success that is no stream."""
    speaker.say("200 OK", b"sorry", "content-type: text/html\r\n")


async def untyped(speaker: Speaker) -> None:
    """A success that does not say what it is."""
    speaker.say("200 OK", speaker.everything())


async def zipped(speaker: Speaker) -> None:
    """A success in a coding that was not asked for."""
    headers = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n"
    speaker.say("200 OK", gzip.compress(speaker.everything()), headers)


async def gibberish(speaker: Speaker) -> None:
    """No HTTP."""
    speaker.writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")


async def unheard(speaker: Speaker) -> None:
    """An answer to a request that is not read to its end, and never will be."""
    speaker.say("413 Content Too Large", b"sorry")
    await asyncio.sleep(SILENCE_S)
