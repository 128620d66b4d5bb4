"""The body of a request, which need not be kept while its response is awaited.

A request of 500 truck records has 350 kB, and ten of them may wait for their responses. If they kept their bodies,
these would leave no room in the processor's cache for the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OutgoingBody"]


class OutgoingBody:
    """A body that is encoded when it is needed: usually once, and again if the request is sent again.

    Args:
        encode: returns the body, the same at each call.
    """

    __slots__ = ("_content", "_encode")

    def __init__(self, encode: Callable[[], bytes]) -> None:
        self._encode = encode
        self._content: bytes | None = None

    @property
    def content(self) -> bytes:
        """The body's bytes. Do not keep them."""
        if self._content is None:
            self._content = self._encode()
        return self._content

    def let_go(self) -> None:
        """Note that the bytes are sent."""
        self._content = None
