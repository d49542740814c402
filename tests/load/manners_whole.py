"""Ways to give an answer that is whole, however odd its bytes."""

import asyncio
from time import monotonic_ns

from tests.load.speaker import EVENTS, PADDING, SILENCE_S, Speaker, chunk, event_of


async def whole(speaker: Speaker) -> None:
    """As it should be."""
    await speaker.tokens(range(speaker.asked))
    speaker.event(finish="length")
    speaker.done()


async def stops_early(speaker: Speaker) -> None:
    """Whole as well: the model ended by itself."""
    await speaker.tokens(range(speaker.asked - 1))
    speaker.event(finish="stop")
    speaker.done()


async def trickles(speaker: Speaker) -> None:
    """Whole, in pieces that end anywhere: in a chunk's length, a code point, a line's end."""
    speaker.writer.write(EVENTS)
    for index in range(speaker.asked):
        speaker.post.sent_ns.append(monotonic_ns())
        data = chunk(event_of(speaker.text_of(index), note="三").replace(b"\n", b"\r\n"))
        inside = data.index("三".encode()) + 1
        for piece in (data[:1], data[1:inside], data[inside:-5], data[-5:-3], data[-3:-1], data[-1:]):
            speaker.writer.write(piece)
            await asyncio.sleep(0.002)
    speaker.event(finish="length")
    speaker.done()


async def crams(speaker: Speaker) -> None:
    """Whole, all in one chunk."""
    speaker.writer.write(EVENTS + chunk(speaker.everything()))
    speaker.end_body()


async def measures(speaker: Speaker) -> None:
    """Whole, as a body of known length."""
    speaker.say(
        "200 OK", speaker.everything(), "content-type: text/event-stream\r\nx-served-by: test-server\r\n"
    )


async def dresses(speaker: Speaker) -> None:
    """Whole, with everything that the standard allows around data."""
    plain = speaker.everything().replace(b"data: ", b"event: message\nid: 7\ndata:").replace(b"\n", b"\r\n")
    speaker.writer.write(EVENTS + chunk(b"\xef\xbb\xbf: hello\r\n\r\nretry: 9\r\ndata\r\n\r\n" + plain))
    speaker.end_body()


async def pads(speaker: Speaker) -> None:
    """Whole, after an event of a megabyte."""
    speaker.writer.write(EVENTS + chunk(PADDING))
    await speaker.tokens(range(speaker.asked), begin=False)
    speaker.event(finish="length")
    speaker.done()


async def hints(speaker: Speaker) -> None:
    """Whole, after interim replies."""
    speaker.writer.write(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx-served-by: nobody\r\n\r\n"
    )
    await whole(speaker)


async def says_close(speaker: Speaker) -> None:
    """Whole, and the last of its connection, though the server leaves it open."""
    speaker.writer.write(
        EVENTS.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + chunk(speaker.everything())
    )
    speaker.end_body()


async def ends_and_closes(speaker: Speaker) -> None:
    """Whole, and then the server closes, as one does that has waited long enough."""
    await whole(speaker)
    await asyncio.sleep(0.05)
    speaker.ended = False


async def is_old(speaker: Speaker) -> None:
    """Whole, in HTTP/1.0, where the end is the connection's."""
    speaker.writer.write(EVENTS.replace(b"1.1", b"1.0").replace(b"transfer-encoding: chunked\r\n", b""))
    speaker.writer.write(speaker.everything())


async def adds(speaker: Speaker) -> None:
    """Whole, and more than was asked for."""
    speaker.writer.write(EVENTS + chunk(speaker.everything()) + b"0\r\n\r\nHTTP/1.1 200 OK\r\n")
    await asyncio.sleep(SILENCE_S)
