"""How clients speak to the stack: OpenAI's chat completions.

In a run the scenario says what is asked and when. Alone, as in ``locust -f locustfiles/chat.py --host URL``,
each of Locust's users asks, reads the answer, pauses, and asks again.
"""

import json

from locust import between

from sealegs.traffic.client.exchange import Call, Planned
from sealegs.traffic.client.prompt import prompt_of
from sealegs.traffic.user import StreamUser

MODEL = "chatglm3-6b"


class ChatUser(StreamUser):
    """A person in a chat."""

    wait_time = between(1, 5)

    def call_of(self, planned: Planned, api_key: str) -> Call:
        """The call for one planned request."""
        asked = {
            "model": MODEL,
            "stream": planned.stream,
            "max_tokens": planned.output_tokens,
            "ignore_eos": True,
        }
        head = json.dumps(asked)[:-1].encode() + b', "messages": [{"role": "user", "content": "'
        return Call(
            path="/v1/chat/completions",
            headers={
                "Content-Type": "application/json",
                "Accept": "text/event-stream" if planned.stream else "application/json",
                "Authorization": f"Bearer {api_key}",
                "x-request-id": planned.request_id,
                "x-model-type": planned.model_type,
            },
            body=head + prompt_of(planned) + b'"}]}',
        )
