"""The reference inference server: OpenAI's API over a model of continuous batching, with a log of the truth.

It stands where vLLM stands on a GPU: same routes, metric names, and ways to be overloaded, to load slowly and
to shut down. What it writes is known beforehand, token by token, so a client can prove what it got.
"""
