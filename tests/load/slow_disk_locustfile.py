"""Chat clients on a slow disk: each fsync lasts longer than a status is from the next."""

import json
import os
from typing import TYPE_CHECKING

from gevent.monkey import get_original
from locust import between

from sealegs.traffic.client.exchange import Call, Planned
from sealegs.traffic.client.prompt import prompt_of
from sealegs.traffic.user import StreamUser

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

FSYNC_S = 1.0
fsync, sleep = os.fsync, get_original("time", "sleep")


def slow_fsync(fd: "FileDescriptorLike") -> None:
    """As the disk's own, but late."""
    sleep(FSYNC_S)
    fsync(fd)


os.fsync = slow_fsync


class SlowDiskUser(StreamUser):
    """Somebody in a chat."""

    wait_time = between(1, 5)

    def call_of(self, planned: Planned, api_key: str) -> Call:
        """The call for one planned request."""
        messages = [{"role": "user", "content": prompt_of(planned).decode()}]
        asked = {"model": "m", "stream": True, "max_tokens": planned.output_tokens, "messages": messages}
        return Call(
            path="/v1/chat/completions",
            headers={"Authorization": f"Bearer {api_key}", "x-request-id": planned.request_id},
            body=json.dumps(asked).encode(),
        )
