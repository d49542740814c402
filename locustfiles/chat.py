"""How a person in a chat speaks to the stack: one question, one streamed answer.

How many there are and when they come is the scenario's; see `sealegs.traffic.replay` for what runs it.
"""

import json

from locust import User, task

from sealegs.traffic.exchange import Call, Planned
from sealegs.traffic.replay import replay

MODEL = "chatglm3-6b"
# Words of one length: a prompt of any number of words is then a slice of one constant text, as cheap when
# long.
VOCABULARY = b"drain token cache batch queue shard probe route scale model "
WORD_BYTES = 6
WORDS = VOCABULARY * 8_000


def call_of(planned: Planned, api_key: str) -> Call:
    """The call for one planned request: a word of prompt for each token, the first is the request's id."""
    start = int(planned.request_id[1:]) % 10 * WORD_BYTES
    words = WORDS[start : start + (planned.prompt_tokens - 1) * WORD_BYTES].rstrip()
    asked = {"model": MODEL, "stream": True, "max_tokens": planned.output_tokens, "ignore_eos": True}
    head = json.dumps(asked)[:-1].encode() + b', "messages": [{"role": "user", "content": "'
    return Call(
        path="/v1/chat/completions",
        headers={
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Authorization": f"Bearer {api_key}",
            "x-request-id": planned.request_id,
            "x-model-type": planned.model_type,
        },
        body=head + planned.request_id.encode() + b" " + words + b'"}]}',
    )


class ChatUser(User):
    """Stands for all users of one load process."""

    fixed_count = 1

    @task
    def chat(self) -> None:
        """Send the schedule, once."""
        replay(self.environment, name="chat", call_of=call_of)
