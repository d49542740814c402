"""What follows from a run's evidence, and from nothing else: no clock, no cluster, no file is looked at.

``facts`` are the evidence, parsed, ``fates`` what became of each request, ``stats`` and ``correlation`` the
rule that decides, ``slo``, ``invariants``, ``bounds`` with ``measures/``, ``recovery`` and ``budget`` the
claims, ``validity/`` whether any of it can be believed, and ``verdict`` all of that in one word.
"""
