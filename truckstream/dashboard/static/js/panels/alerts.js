// The alerts, those that last first, and the trucks that need attention.

import { byId, make, reconcile, setText, shape } from "../dom.js";
import { HEALTH } from "../fleet.js";
import { clock, label, number, seconds } from "../text.js";

const SHAPES = { critical: "diamond", warning: "triangle", info: "circle" };
const ORDER = ["critical", "warning", "info"];
const MOST_LISTED = 60;
const ANNOUNCE_EVERY = 4000; // milliseconds between two sentences for screen readers

export function addressOf(truckId) {
  return `#/truck/${encodeURIComponent(truckId)}`;
}

export function showAlerts({ incidents }) {
  const all = [...incidents.values()];
  const open = all.filter((each) => each.state === "begun");
  open.sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || b.began.localeCompare(a.began));
  const ended = all.filter((each) => each.state === "ended").reverse();
  setText(byId("alert-count"), all.length ? `${number(open.length)} open, ${number(ended.length)} ended` : "");
  byId("alerts-nothing").hidden = all.length > 0;
  reconcile(byId("alerts"), [...open, ...ended].slice(0, MOST_LISTED), (each) => each.id, makeLine, updateAlert);
}

function makeLine() {
  const line = make("li");
  const link = make("a");
  link.append(make("span"), make("span", "who"), make("span", "when"), make("span", "what"));
  line.append(link);
  return line;
}

function updateAlert(line, incident) {
  const link = line.firstElementChild;
  const [sign, who, when, what] = link.children;
  line.dataset.severity = incident.severity;
  line.classList.toggle("ended", incident.state === "ended");
  if (sign.dataset.shape !== incident.severity) {
    sign.dataset.shape = incident.severity;
    sign.replaceChildren(shape(SHAPES[incident.severity]));
  }
  if (incident.truck_id === null) link.removeAttribute("href");
  else link.href = addressOf(incident.truck_id);
  setText(who, nameOf(incident));
  setText(when, times(incident));
  const text = label(incident.message, 160);
  setText(what, text);
  what.title = text;
}

function nameOf({ truck_id: truckId, rule }) {
  return truckId === null ? label(rule, 60) : label(truckId, 40);
}

function times({ began, ended }) {
  const start = Date.parse(began) / 1000;
  if (!Number.isFinite(start)) return "";
  return ended ? `${clock(start)}, ended` : `since ${clock(start)}`;
}

export function showAttention({ trucks, counts, now, totals }) {
  const some = [...trucks.values()].filter((truck) => truck.health > 0);
  some.sort((a, b) => b.health - a.health || a.since - b.since || a.slot - b.slot);
  const listed = some.slice(0, MOST_LISTED);
  setText(byId("attention-count"), some.length ? `${number(some.length)} of ${number(trucks.size)}` : "");
  byId("attention-nothing").hidden = some.length > 0 || trucks.size === 0;
  reconcile(byId("attention"), listed, (each) => each.slot, makeLine, (line, truck) => updateTruck(line, truck, now));
  for (const name of HEALTH) setText(byId(`count-${name}`), number(counts[name] ?? 0));
  byId("map-empty").hidden = trucks.size > 0;
  setText(byId("map-note"), notesOf(trucks, totals.trucks_left_out ?? 0).join(" "));
}

// The trucks that the map does not show.
function notesOf(trucks, leftOut) {
  let offMap = 0;
  for (const truck of trucks.values()) if (!truck.isOnMap) offMap += 1;
  const notes = [];
  if (offMap) notes.push(`${number(offMap)} ${offMap > 1 ? "trucks report" : "truck reports"} no place on Earth.`);
  if (leftOut) notes.push(`Of many trucks, the last ${number(trucks.size)} are kept.`);
  return notes;
}

function updateTruck(line, truck, now) {
  const link = line.firstElementChild;
  const [sign, who, when, what] = link.children;
  const health = HEALTH[truck.health];
  line.dataset.health = health;
  if (sign.dataset.shape !== health) {
    sign.dataset.shape = health;
    sign.replaceChildren(shape(truck.health === 2 ? "diamond" : "triangle"));
  }
  link.href = addressOf(truck.id);
  setText(who, label(truck.id, 40));
  setText(when, `${health.toLowerCase()} for ${seconds(Math.max(0, now - truck.since))}`);
  what.hidden = true;
}

// Sentences about new alerts for screen readers: not many in a row, and none twice.
export class Announcer {
  constructor() {
    this.waiting = [];
    this.timer = null;
    this.said = -ANNOUNCE_EVERY;
  }

  add(incidents) {
    this.waiting.push(...incidents.filter((each) => each.state === "begun"));
    if (!this.waiting.length || this.timer !== null) return;
    this.timer = setTimeout(() => this.tell(), Math.max(0, this.said + ANNOUNCE_EVERY - performance.now()));
  }

  tell() {
    const count = this.waiting.length;
    const last = this.waiting.at(-1);
    this.waiting = [];
    this.timer = null;
    this.said = performance.now();
    const others = count > 1 ? ` And ${count - 1} more alerts.` : "";
    setText(byId("alert-live"), `Alert: ${nameOf(last)}: ${label(last.message, 120)}.${others}`);
  }
}
