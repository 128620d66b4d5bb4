"""Tags of a stream by its name (AddTagsToStream ...), and of a stream or a consumer by its ARN (TagResource ...)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from truckstream.local.service.errors import invalid
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount

__all__ = [
    "add_tags_to_stream",
    "check_tags",
    "list_tags_for_resource",
    "list_tags_for_stream",
    "remove_tags_from_stream",
    "tag_resource",
    "untag_resource",
]

#: "White space" is the space alone: tabs and line breaks are rejected [rec].
_TAG_TEXT: Final = re.compile(r"[\w .:/=+\-@%]*")


def check_tags(name: str, account_id: str, tags: dict[str, str], existing: Iterable[str] = ()) -> None:
    """Reject tags that the service would reject."""
    _check_characters(part for tag in tags.items() for part in tag)
    if len(set(existing) | set(tags)) > limits.TAGS:
        raise invalid(
            f"Failed to add tags to stream {name} under account {account_id} because a given stream cannot have more "
            f"than {limits.TAGS} tags associated with it."
        )


def _check_characters(texts: Iterable[str]) -> None:
    if not all(map(_TAG_TEXT.fullmatch, texts)):
        raise invalid(  # [rec], see `errors`
            "Some tags contain invalid characters. Valid characters: "
            "Unicode letters, digits, white space, _ . / = + - % @."
        )


def add_tags_to_stream(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    check_tags(stream.name, account.account_id, request["Tags"], stream.tags)
    stream.tags.update(request["Tags"])
    return None


def remove_tags_from_stream(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.changeable(request, now)
    _check_characters(request["TagKeys"])
    for key in request["TagKeys"]:
        stream.tags.pop(key, None)
    return None


def list_tags_for_stream(account: KinesisAccount, request: Request, now: float) -> Response:
    tags = account.named(request, now).tags
    keys = sorted(key for key in tags if key > request.get("ExclusiveStartTagKey", ""))
    page = keys[: request.get("Limit", limits.TAGS)]
    return {"Tags": _tag_list(tags, page), "HasMoreTags": len(page) < len(keys)}


def tag_resource(account: KinesisAccount, request: Request, now: float) -> Response:
    resource = account.changeable_resource(request["ResourceARN"], now)
    check_tags(resource.name, account.account_id, request["Tags"], resource.tags)
    resource.tags.update(request["Tags"])
    return None


def untag_resource(account: KinesisAccount, request: Request, now: float) -> Response:
    resource = account.changeable_resource(request["ResourceARN"], now)
    _check_characters(request["TagKeys"])
    for key in request["TagKeys"]:
        resource.tags.pop(key, None)
    return None


def list_tags_for_resource(account: KinesisAccount, request: Request, now: float) -> Response:
    tags = account.resource(request["ResourceARN"], now).tags
    return {"Tags": _tag_list(tags, sorted(tags))}


def _tag_list(tags: dict[str, str], keys: list[str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": tags[key]} for key in keys]
