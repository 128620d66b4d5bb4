// The page of one truck: its 22 values, the rules that they break, and its signals over the last two minutes.

import { byId, make, reconcile, setText } from "../dom.js";
import { HEALTH } from "../fleet.js";
import { fieldName, label, number, seconds } from "../text.js";
import { sentenceOf } from "./rejected.js";

const EVERY = 1000;
const STALE = 60; // seconds after which a rejected report is not shown any more
const TEXTS = new Set(["truck_id", "timestamp", "health_status"]);
const DIGITS = { latitude: 5, longitude: 5, battery_voltage: 2, vibration_level: 2 };

export class TruckPage {
  constructor(fleet, map, { close }) {
    this.fleet = fleet;
    this.map = map;
    this.id = null;
    this.sparks = new Map();
    this.opener = null;
    byId("truck-close").addEventListener("click", close);
    byId("truck-follow").addEventListener("click", () => this.follow(!this.map.follows));
    addEventListener("themechange", () => this.clearSparks());
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.id !== null) close();
    });
  }

  open(id) {
    if (id === this.id) return;
    if (this.id === null) this.opener = document.activeElement;
    this.id = id;
    this.clearSparks();
    byId("truck-signals").replaceChildren();
    byId("truck-broken").replaceChildren();
    byId("truck-strip").replaceChildren();
    byId("drawer").hidden = false;
    byId("drawer").scrollTop = 0;
    setText(byId("truck-title"), label(id, 60));
    setText(byId("truck-report"), "Loading");
    byId("truck-health").hidden = true;
    byId("truck-title").focus({ preventScroll: true });
    this.map.choose(this.fleet.byId.get(id) ?? null);
    this.follow(false);
    this.refresh();
  }

  close() {
    if (this.id === null) return;
    this.id = null;
    this.clearSparks();
    byId("drawer").hidden = true;
    this.map.choose(null);
    if (this.opener?.isConnected) this.opener.focus({ preventScroll: true });
    this.opener = null;
  }

  follow(follows) {
    this.map.follow(follows);
    byId("truck-follow").setAttribute("aria-pressed", String(follows));
  }

  clearSparks() {
    for (const { plot } of this.sparks.values()) plot.destroy();
    this.sparks.clear();
  }

  async refresh() {
    const { id } = this;
    clearTimeout(this.timer);
    try {
      const answer = await fetch(`truck?id=${encodeURIComponent(id)}`);
      const page = await answer.json();
      if (id === this.id) this.show(page);
    } catch {
      // The heading shows that the connection is lost; the next round may find it again.
    }
    if (id === this.id) this.timer = setTimeout(() => this.refresh(), EVERY);
  }

  show(page) {
    if (this.map.chosen === null) this.map.choose(this.fleet.byId.get(this.id) ?? null);
    byId("truck-follow").setAttribute("aria-pressed", String(this.map.follows));
    if (page === null) {
      setText(byId("truck-report"), "No truck of this name has reported here.");
      return;
    }
    const status = page.values.health_status;
    const badge = byId("truck-health");
    badge.hidden = false;
    badge.dataset.health = status;
    setText(badge, status.charAt(0) + status.slice(1).toLowerCase());
    const age = Math.max(0, this.fleet.now - page.reported_at);
    setText(byId("truck-report"), `Reported ${age < 2 ? "just now" : `${seconds(age)} ago`}: ${label(page.values.timestamp, 40)}`);
    const broken = brokenRules(page, this.fleet.now);
    showBroken(broken);
    showStrip(page.health);
    this.showSignals(page, new Map(broken.map((each) => [each.field, each.level])));
  }

  showSignals(page, levels) {
    const fields = page.fields.filter((field) => !["truck_id", "timestamp"].includes(field.name));
    const rows = [...page.fields.filter((field) => field.name === "truck_id" || field.name === "timestamp"), ...fields];
    reconcile(byId("truck-signals"), rows, (field) => field.name, makeRow, (row, field) => {
      row.dataset.level = levels.get(field.name) ?? "";
      setText(row.firstElementChild, fieldName(field.name));
      if (TEXTS.has(field.name)) {
        setText(row.lastElementChild, label(page.values[field.name], 60));
        row.lastElementChild.title = label(page.values[field.name], 256);
        return;
      }
      showValue(row.lastElementChild, page.values[field.name], field);
      this.showSpark(row.children[1].firstElementChild, field, page.times, page.signals[field.name]);
    });
  }

  showSpark(box, field, times, values) {
    let spark = this.sparks.get(field.name);
    if (!spark) {
      spark = makeSpark(box, field);
      this.sparks.set(field.name, spark);
    }
    spark.plot.setData([times, values]);
  }
}

function brokenRules({ unhealthy, rejection, values }, now) {
  const rules = unhealthy.map(({ field, status, meaning, limit, upper }) => ({
    field, level: status, title: `${status.charAt(0)}${status.slice(1).toLowerCase()}: ${meaning}`,
    detail: `${fieldName(field)} is ${number(values[field], 2)}, ${upper ? "over" : "under"} ${number(limit, 2)}.`,
  }));
  if (rejection && now - rejection.time < STALE) {
    rules.unshift({
      field: rejection.field ?? "", level: "rejected", title: `Rejected ${seconds(Math.max(0, now - rejection.time))} ago`,
      detail: `${sentenceOf(rejection)}.`,
    });
  }
  return rules;
}

function showBroken(rules) {
  const create = () => {
    const line = make("li");
    line.append(make("b"), make("br"), make("span"));
    return line;
  };
  reconcile(byId("truck-broken"), rules, (rule) => `${rule.level}/${rule.field}`, create, (line, rule) => {
    line.dataset.level = rule.level;
    setText(line.firstElementChild, rule.title);
    setText(line.lastElementChild, rule.detail);
  });
}

function showStrip(health) {
  const strip = byId("truck-strip");
  const parts = health.map((code, key) => ({ code, key }));
  reconcile(strip, parts, (part) => part.key, () => make("i"), (part, { code }) => {
    part.dataset.health = String(code);
  });
  const bad = health.filter((code) => code > 0).length;
  strip.setAttribute("aria-label", `Health over the last two minutes: ${HEALTH[health.at(-1) ?? 0].toLowerCase()} now, not normal for ${bad} of ${health.length} samples`);
}

function makeRow({ name }) {
  const row = make("tr");
  const heading = make("th");
  heading.scope = "row";
  row.append(heading);
  if (TEXTS.has(name)) {
    const cell = make("td", "wide");
    cell.colSpan = 2;
    row.append(cell);
    return row;
  }
  const cell = make("td");
  const box = make("div", "spark");
  box.setAttribute("aria-hidden", "true");
  cell.append(box);
  row.append(cell, make("td"));
  return row;
}

function showValue(cell, value, field) {
  const digits = DIGITS[field.name] ?? 1;
  if (!cell.firstChild) cell.append("", make("small"));
  const text = number(value, digits);
  if (cell.firstChild.textContent !== text) cell.firstChild.textContent = text;
  setText(cell.lastElementChild, field.unit ? ` ${field.unit}` : "");
  cell.title = limitsOf(field);
}

function limitsOf({ minimum, maximum, warning, urgent }) {
  const parts = [];
  if (minimum !== null || maximum !== null) parts.push(`valid from ${number(minimum)} to ${number(maximum)}`);
  if (warning !== null) parts.push(`warning at ${number(warning, 1)}, urgent at ${number(urgent, 1)}`);
  return parts.join("; ");
}

function makeSpark(box, field) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const limits = [[field.warning, color("warning")], [field.urgent, color("urgent")]].filter(([limit]) => limit !== null);
  const drawLimits = (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = 1;
    ctx.setLineDash([3, 3]);
    for (const [limit, stroke] of limits) {
      const top = Math.round(plot.valToPos(limit, "y", true)) + 0.5;
      if (top < bbox.top || top > bbox.top + bbox.height) continue;
      ctx.strokeStyle = stroke;
      ctx.beginPath();
      ctx.moveTo(bbox.left, top);
      ctx.lineTo(bbox.left + bbox.width, top);
      ctx.stroke();
    }
    ctx.restore();
  };
  const plot = new uPlot(
    {
      width: box.clientWidth || 150, height: 28, padding: [3, 2, 3, 0], legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, range: (_, min, max) => [Math.min(min, max - 20), max] }, y: { range: (_, low, high) => sparkRange(low, high) } },
      axes: [{ show: false }, { show: false }],
      series: [{}, { stroke: color("accent"), width: 1.5, points: { show: false } }],
      hooks: { draw: [drawLimits] },
    },
    [[], []],
    box,
  );
  return { plot };
}

// A signal that hardly moves is a line in the middle, and not noise from top to bottom.
function sparkRange(low, high) {
  if (low === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const least = Math.max(Math.abs(high) * 0.02, 1e-6);
  const margin = Math.max((high - low) * 0.1, (least - (high - low)) / 2);
  return [low - margin, high + margin];
}
