"""The key ``shuffle``: the order of the examples in each epoch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from cifar_linear.config.section import Section


class BlockShuffle(Section):
    """Blocks of rows in random order, and the rows of each block in random order: for maps larger than memory."""

    block: int = Field(ge=1, examples=[32768], description="rows of a block, which are read in one go")


def _kind_of_shuffle(value: object) -> str | None:
    return "block" if isinstance(value, (dict, BlockShuffle)) else "all" if isinstance(value, bool) else None


Shuffle = Annotated[
    Annotated[bool, Tag("all")] | Annotated[BlockShuffle, Tag("block")],
    Discriminator(
        _kind_of_shuffle,
        custom_error_type="no_shuffle",
        custom_error_message="Input should be true, false or {block: n}",
    ),
]
"""Whether all examples are in a new order in every epoch, or how large the blocks are that are."""
