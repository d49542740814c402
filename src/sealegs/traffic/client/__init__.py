"""The streaming client of a load process: connections, and what comes over them.

From the socket up: ``wire`` with ``kernel_stamp`` and ``pool``, ``reply``, ``events``, ``answer``, and
``outcome``; ``exchange`` is one request's life on them, ``prompt`` and ``retry`` say what is asked, and when
again.
"""
