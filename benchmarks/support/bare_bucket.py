"""A bare S3 endpoint with a full bucket: it lists objects and returns each with its metadata, and checks no signature.

The objects are those of one shard, in a chain. All have the same records, so that the endpoint takes little memory:
nothing in an object's metadata but its digest of the sequence numbers, which nobody can check, shows that.

python -m support.bare_bucket OBJECTS RECORDS_OF_AN_OBJECT
"""

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import obstore.store
import uvloop
from handlers.events import write_event
from support.bare_server import BareProtocol, serve

from truckstream.batcher import Batcher

PAGE = 1_000
TIME = "2025-01-15T14:30:25.000Z"


class BareBucket(BareProtocol):
    def __init__(self, keys, heads, content):
        super().__init__(0)
        self._keys, self._heads, self._content = keys, heads, content

    def handle_request(self, head):
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        url = urlsplit(target.decode())
        if "list-type=2" in url.query:
            self.respond(self._listing(parse_qs(url.query)))
            return
        self._transport.write(self._heads[unquote(url.path).split("/", 2)[2]])
        if method == b"GET":
            self._transport.write(self._content)

    def _listing(self, query):
        prefix = query.get("prefix", [""])[0]
        after = max(query.get(name, [""])[0] for name in ("start-after", "continuation-token"))
        found = [key for key in self._keys if key.startswith(prefix) and key > after]
        items = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{TIME}</LastModified><ETag>&quot;1&quot;</ETag>"
            f"<Size>{len(self._content)}</Size></Contents>"
            for key in found[:PAGE]
        )
        has_more = len(found) > PAGE
        more = f"<NextContinuationToken>{found[PAGE - 1]}</NextContinuationToken>" if has_more else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
            f"<IsTruncated>{str(has_more).lower()}</IsTruncated>{more}{items}</ListBucketResult>"
        ).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def make_object(records):
    """Return the bytes and the metadata of an object that the batcher has made."""
    store = obstore.store.MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        write_event(path, records)
        event = json.loads(path.read_bytes())
    [receipt] = (await Batcher(store, batch_size=records).process(event["Records"])).objects
    found = store.get(receipt.key)
    return bytes(found.bytes()), {str(name): value for name, value in found.attributes.items()}


def make_heads(objects, body, metadata):
    """Return the heads of the responses by key: each object follows on the one before it."""
    records = int(metadata["records"])
    number, begin = int(metadata["first-sequence-number"]), 1_736_951_425
    heads = {}
    for at in range(objects):
        first = number + at * records
        chain = {"first-sequence-number": first, "last-sequence-number": first + records - 1}
        if at:
            chain["previous-sequence-number"] = first - 1
        fields = "".join(
            f"x-amz-meta-{name}: {value}\r\n" for name, value in (metadata | chain).items() if name != "Content-Type"
        )
        name = "".join(chr(ord("a") + int(digit)) for digit in f"{at:08}")
        key = f"sensor_data/batch_{datetime.fromtimestamp(begin + at, UTC):%Y-%m-%dT%H-%M-%S}_{name}.json"
        heads[key] = (
            'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: Wed, 15 Jan 2025 14:30:25 GMT\r\n'
            f"Content-Type: application/x-ndjson\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        ).encode()
    return heads


async def main(objects, records):
    body, metadata = await make_object(records)
    heads = make_heads(objects, body, metadata)
    await serve(lambda: BareBucket(sorted(heads), heads, body))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
