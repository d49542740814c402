"""Customers of our own stack: completions in our own template, and the key in a header of its own."""

import json

from locust import between

from sealegs.traffic.client.exchange import Call, Planned
from sealegs.traffic.client.prompt import prompt_of
from sealegs.traffic.user import StreamUser


class CustomerUser(StreamUser):
    """Somebody who asks our support."""

    wait_time = between(1, 5)

    def call_of(self, planned: Planned, api_key: str) -> Call:
        """The call for one planned request."""
        prompt = f"### Customer:\n{prompt_of(planned).decode()}\n### Support:\n"
        asked = {"model": "support-7b", "stream": True, "max_tokens": planned.output_tokens, "prompt": prompt}
        return Call(
            path="/v1/completions",
            headers={"Content-Type": "application/json", "x-api-key": api_key},
            body=json.dumps(asked).encode(),
        )
