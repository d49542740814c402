"""Load: the schedule made before a run, the Locust processes that send it, and the client inside them.

The runner's side is ``schedule``, ``order`` and ``load``. ``locustfiles/``, ``client/`` and the rest run in
the child processes.
"""
