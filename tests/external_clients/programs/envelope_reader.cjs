// A reader of envelopes in JavaScript, as truckstream/envelope/README.md tells how. fzstd decompresses.
//
// Reads a JSON list of envelopes in base64 from its standard input, and prints for each its records or the reason why
// it is refused.

const { crc32 } = require("node:zlib");
const { Decompress } = require("fzstd");

const MAGIC = Buffer.from("c1fcd4d2d5c3cbd3", "hex");
const HEADER = 34;
const MOST_RECORDS = 65_536;
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_DATA = 1024 * 1024;
const MOST_WINDOW = 16 * 1024 * 1024;

class Refused extends Error {}

function refuseIf(condition, reason) {
  if (condition) throw new Refused(reason);
}

function read(envelope) {
  refuseIf(!envelope.subarray(0, 8).equals(MAGIC), "no_magic");
  refuseIf(envelope.length < HEADER, "truncated");
  refuseIf(envelope[8] !== 1, "unknown_version");
  const frame = envelope.subarray(HEADER);
  refuseIf(crc32(frame, crc32(envelope.subarray(0, 30))) !== envelope.readUInt32LE(30), "wrong_checksum");
  refuseIf(envelope[9] !== 1, "unknown_codec");
  refuseIf(envelope.readUInt32LE(10) !== 0, "unknown_dictionary");
  const [n, k, h, rawSize] = [14, 18, 22, 26].map((offset) => envelope.readUInt32LE(offset));
  refuseIf(n === 0, "no_records");
  refuseIf(n > MOST_RECORDS || k > n || h > n || rawSize > MOST_BYTES, "too_large");
  const start = rawSize - 4 * (2 * n + k + (h ? n + h : 0));
  refuseIf(start < 0, "wrong_size");
  return split(unpack(frame, rawSize), start, n, k, h);
}

// In pieces, so that a frame that makes more than the header states is refused before it has.
function unpack(frame, rawSize) {
  refuseIf(windowOf(frame) > MOST_WINDOW, "bad_frame");
  const body = Buffer.alloc(rawSize);
  let size = 0;
  const frames = new Decompress((piece) => {
    refuseIf(size + piece.length > rawSize, "wrong_size");
    body.set(piece, size);
    size += piece.length;
  });
  try {
    frames.push(frame, true);
  } catch (error) {
    throw error instanceof Refused ? error : new Refused("bad_frame");
  }
  refuseIf(size !== rawSize, "wrong_size");
  return body;
}

// RFC 8878, "Frame_Header": with a single segment the window is the content.
function windowOf(frame) {
  const isSingleSegment = frame[4] & 0x20;
  if (frame.length < 6 || isSingleSegment) return 0;
  const base = 2 ** (10 + (frame[5] >> 3));
  return base + (base / 8) * (frame[5] & 7);
}

function split(body, start, n, k, h) {
  let at = start;
  const column = (count, read) =>
    Array.from({ length: count }, () => {
      const number = read.call(body, at);
      at += 4;
      return number;
    });
  const unsigned = (count) => column(count, body.readUInt32LE);
  const indices = (count) => {
    let index = 0;
    return column(count, body.readInt32LE).map((difference) => (index += difference));
  };
  const lengths = unsigned(n);
  const keyIndices = indices(n);
  const keyLengths = unsigned(k);
  const hashKeyIndices = h ? indices(n) : [];
  const hashKeyLengths = unsigned(h);
  const total = [...lengths, ...keyLengths, ...hashKeyLengths].reduce((sum, length) => sum + length, 0);
  refuseIf(total !== start, "wrong_size");
  refuseIf(lengths.some((length) => length > MOST_DATA), "too_large");

  let position = 0;
  const take = (length) => body.subarray(position, (position += length));
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (bytes) => {
    try {
      return text.decode(bytes);
    } catch {
      throw new Refused("not_utf8");
    }
  };
  const data = lengths.map(take);
  const keys = keyLengths.map(take).map(decode);
  const hashKeys = [null, ...hashKeyLengths.map(take).map(decode)];
  const from = (table, index) => {
    refuseIf(table[index] === undefined, "index_out_of_range");
    return table[index];
  };
  return data.map((bytes, index) => [
    from(keys, keyIndices[index]),
    h ? from(hashKeys, hashKeyIndices[index]) : null,
    bytes.toString("base64"),
  ]);
}

function recordsOrReason(envelope) {
  try {
    return read(envelope);
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

const envelopes = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(envelopes.map((text) => recordsOrReason(Buffer.from(text, "base64")))));
