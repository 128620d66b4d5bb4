// The load of each shard against its limits: 1,000 Kinesis records and 1 MiB of them a second.

import { byId, make, reconcile, setText } from "../dom.js";
import { bytes, label, number, seconds } from "../text.js";

const RECORDS = 1000;
const BYTES = 1024 * 1024;

export function showShards({ source, shards }) {
  const isKnown = source.known.includes("shards");
  byId("shard-box").hidden = !isKnown || !shards.length;
  const nothing = byId("shards-nothing");
  nothing.hidden = isKnown && shards.length > 0;
  setText(nothing, isKnown ? "No record has come yet." : "Not known from this feed.");
  setText(byId("shard-count"), isKnown && shards.length ? total(shards) : "");
  setText(byId("throttles-of"), source.meanings.throttles ?? "");
  reconcile(byId("shard-rows"), shards, ([id]) => id, makeRow, updateRow);
}

// The shards' load against the limit that they are closer to: with aggregates and envelopes, that of bytes.
function total(shards) {
  const sum = (field) => shards.reduce((all, shard) => all + shard[field], 0);
  const full = [shards.length * RECORDS, shards.length * BYTES];
  const shares = [sum(1) / full[0], sum(2) / full[1]];
  const limit = shares[1] > shares[0] ? `${bytes(full[1])}/s` : `${number(full[0])} records/s`;
  return `${number(shards.length)} open, ${number(100 * Math.max(...shares))} % of ${limit}`;
}

function makeRow() {
  const row = make("tr");
  const name = make("th");
  name.scope = "row";
  row.append(name, gauge("Kinesis records a second"), gauge("bytes a second"), make("td", "number"), make("td", "number"));
  return row;
}

function gauge(name) {
  const cell = make("td");
  const box = make("div", "gauge");
  const bar = make("div", "bar");
  bar.setAttribute("role", "meter");
  bar.setAttribute("aria-label", name);
  bar.setAttribute("aria-valuemin", "0");
  bar.append(make("i"));
  box.append(bar, make("span", "amount"), make("span", "share"));
  cell.append(box);
  return cell;
}

function updateRow(row, [id, records, size, throttled, throttles, lag]) {
  const [name, recordsCell, bytesCell, throttledCell, lagCell] = row.children;
  setText(name, shortName(id));
  name.title = label(id);
  updateGauge(recordsCell, records, RECORDS, number(records));
  updateGauge(bytesCell, size, BYTES, bytes(size));
  setText(throttledCell, throttles > 0 ? `${number(throttled)} (${number(throttles, 1)}/s)` : number(throttled));
  throttledCell.classList.toggle("is-throttled", throttles > 0);
  setText(lagCell, lag === null ? "–" : seconds(lag / 1000));
}

function updateGauge(cell, value, limit, text) {
  const [bar, amount, share] = cell.firstElementChild.children;
  bar.setAttribute("aria-valuemax", String(limit));
  bar.setAttribute("aria-valuenow", String(Math.min(value, limit)));
  bar.setAttribute("aria-valuetext", `${text}, ${number((100 * value) / limit)} percent of the limit`);
  bar.firstElementChild.style.transform = `scaleX(${Math.min(1, value / limit)})`;
  setText(amount, text);
  setText(share, `${number((100 * value) / limit)} %`);
}

function shortName(id) {
  const digits = /^shardId-0*(\d+)$/.exec(id);
  return digits ? `Shard ${digits[1]}` : label(id, 20);
}
