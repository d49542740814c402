"""What is done to a cluster on purpose: a module a fault, each with inject, landed, undo and gone.

`inject` writes its undo to disk before its first change; `landed` and `gone` ask somebody whom inject did
not tell: what the recorder saw.
"""
