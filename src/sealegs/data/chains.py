"""What a trace of hashed prompt blocks says about conversations and shared beginnings of prompts.

A prompt is the list of its full blocks; equal ids are equal text, and the text before them is equal too.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Blocks: TypeAlias = Sequence[Sequence[int]]
Ints: TypeAlias = npt.NDArray[np.int64]


def chains_of(prompts: Blocks) -> Ints:
    """The conversation of each request, in the order of time: the number of its first request.

    A request continues the latest earlier one of two blocks or more that all lead its own. Of two that
    continue the same request, the second begins a conversation.
    """
    chain = np.arange(len(prompts))
    ends: dict[int, int] = {}
    continued = set()
    for number, blocks in enumerate(prompts):
        earlier = next((ends[block] for block in reversed(blocks) if block in ends), None)
        if earlier is not None and earlier not in continued:
            chain[number] = chain[earlier]
            continued.add(earlier)
        # One block alone is what every prompt may begin with.
        if len(blocks) > 1:
            ends[blocks[-1]] = number
    return chain


def prefixes_of(prompts: Blocks) -> tuple[Ints, Ints]:
    """A prefix id for each request in the order of time, and how many blocks of it lead its prompt.

    The trace's prompts are a tree; a request may name one path of it only. It names the path that it shares
    most blocks with, unless its own remaining blocks will be asked for more often than that saves: then it
    begins a path. Path 0 is what all prompts have in common.
    """
    later = Counter(block for blocks in prompts for block in blocks)
    head = [ids[0] for ids in zip(*prompts, strict=False) if len(set(ids)) == 1]
    paths: list[Sequence[int]] = [head]
    path_of = dict.fromkeys(head, 0)
    ids, depths = np.zeros(len(prompts), np.int64), np.zeros(len(prompts), np.int64)
    for number, blocks in enumerate(prompts):
        later.subtract(blocks)
        depth = next((at for at, block in enumerate(blocks) if block not in path_of), len(blocks))
        path = path_of[blocks[depth - 1]] if depth else 0
        if path and depth == len(paths[path]):
            paths[path] = blocks
        elif sum(later[block] for block in blocks[depth:]) > depth:
            path = len(paths)
            paths.append(blocks)
        else:
            ids[number], depths[number] = path, depth
            continue
        path_of.update(dict.fromkeys(blocks[depth:], path))
        ids[number], depths[number] = path, len(blocks)
    return ids, depths
