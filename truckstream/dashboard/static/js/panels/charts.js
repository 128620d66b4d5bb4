// The charts of the last two minutes, by uPlot. A figure that the feed does not know has a sentence in its place.

import { byId, make, setText } from "../dom.js";
import { bytes, clock, number, seconds } from "../text.js";

const WINDOW = 120;
const TIME = 0;

// Columns of a point: time, records, bytes, rejected, throttled, latency, lag.
const CHARTS = [
  { id: "records", title: "Records/s", figure: null, series: [{ column: 1, color: "accent", fill: true }], show: (value) => number(value) },
  { id: "latency", title: "Put to object", figure: "latency", series: [{ column: 5, color: "accent", fill: true }], show: seconds },
  { id: "lag", title: "Behind the stream", figure: "lag", series: [{ column: 6, color: "accent", fill: true }], show: (value, source) => (source.kind === "demo" ? number(value) : seconds(value)) },
  {
    id: "trouble", title: "A second", figure: null, show: (value) => number(value),
    series: [{ column: 4, color: "urgent", name: "throttled", figure: "throttles" }, { column: 3, color: "warning", name: "rejected" }],
  },
];

export class Charts {
  constructor(fleet) {
    this.fleet = fleet;
    this.cards = [];
    addEventListener("themechange", () => this.build());
    new ResizeObserver(() => this.resize()).observe(byId("charts"));
  }

  // Make the charts anew: for another feed, or other colours.
  build() {
    const { source } = this.fleet;
    if (!source) return;
    for (const card of this.cards) card.plot?.destroy();
    byId("charts").replaceChildren();
    this.cards = CHARTS.map((chart) => this.makeCard(chart, source));
    this.resize();
    this.update();
  }

  makeCard(chart, source) {
    const knows = (figure) => !figure || source.known.includes(figure);
    const card = make("div", "card chart");
    const heading = make("h3");
    const value = make("span", "value");
    heading.append(titleOf(chart, source), value);
    card.append(heading);
    byId("charts").append(card);
    const series = chart.series.filter((each) => knows(each.figure));
    if (!knows(chart.figure) || !series.length) {
      card.append(make("p", "unknown", "Not known from this feed."));
      return { chart, value, plot: null };
    }
    const box = make("div", "plot");
    box.setAttribute("aria-hidden", "true");
    card.append(box);
    const entry = { chart, value, box, series, hovered: null };
    entry.plot = new uPlot(options(chart, series, source, entry, () => this.showValue(entry)), [[], ...series.map(() => [])], box);
    return entry;
  }

  resize() {
    for (const { plot, box } of this.cards) {
      if (plot && box.clientWidth) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
    }
  }

  update() {
    const { points } = this.fleet;
    const some = points.slice(-WINDOW - 2);
    const times = some.map((point) => point[TIME]);
    for (const entry of this.cards) {
      if (entry.plot) entry.plot.setData([times, ...entry.series.map(({ column }) => some.map((point) => point[column]))]);
      this.showValue(entry);
    }
  }

  showValue({ chart, value, plot, series, hovered }) {
    if (!plot) {
      setText(value, "");
      return;
    }
    const columns = plot.data.slice(1);
    const index = hovered ?? columns[0].length - 1;
    if (series.length > 1 || series[0].name) {
      const parts = series.map(({ name }, number) => `${name} ${chart.show(columns[number][index] ?? 0, this.fleet.source)}`);
      value.replaceChildren(keys(series, parts));
      return;
    }
    const text = chart.show(columns[0][index], this.fleet.source);
    const size = chart.id === "records" && hovered === null && this.fleet.source.known.includes("bytes") ? ` · ${bytes(this.fleet.points.at(-1)?.[2])}/s` : "";
    setText(value, hovered === null ? text : `${text} at ${clock(plot.data[0][index])}`);
    if (size) {
      const small = make("small", "count", size);
      value.append(small);
    }
  }
}

function keys(series, parts) {
  const line = make("span", "keys count");
  parts.forEach((text, index) => {
    const key = make("span", "", text);
    key.style.setProperty("--key", `var(--${series[index].color})`);
    line.append(key);
  });
  return line;
}

function titleOf(chart, source) {
  if (chart.id === "trouble") return make("span", "", "Each second");
  const meaning = chart.figure === "lag" && source.meanings.lag;
  return make("span", "", meaning ? meaning.charAt(0).toUpperCase() + meaning.slice(1) : chart.title);
}

function options(chart, series, source, entry, onHover) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: color("soft"), font, ticks: { show: false }, grid: { stroke: color("line-soft"), width: 1 } };
  const hover = (plot) => {
    entry.hovered = plot.cursor.idx ?? null;
    onHover();
  };
  return {
    width: 200, height: 84, padding: [8, 8, 0, 0], legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_, __, max) => [max - WINDOW, max] },
      y: { range: (_, __, max) => [0, niceTop(max)] },
    },
    axes: [
      { ...axis, size: 20, gap: 2, incrs: [60], grid: { show: false }, values: (plot, times) => times.map((time) => minute(time, plot)) },
      { ...axis, size: 44, gap: 4, space: 26, values: (_, values) => values.map((value) => (chart.figure === "latency" ? `${number(value, 1)} s` : compact(value))) },
    ],
    series: [
      {},
      ...series.map((each) => ({
        stroke: color(each.color), width: 1.75, points: { show: false },
        fill: each.fill ? `${color(each.color)}1f` : undefined,
      })),
    ],
    hooks: { setCursor: [hover] },
  };
}

// A label at either end would be cut off, or stand below that of the other axis.
function minute(time, { scales: { x } }) {
  return time - x.min < 12 || x.max - time < 8 ? "" : clock(time).slice(0, 5);
}

// The top of an axis: steps of 1, 2 and 5, so that it does not move with each value.
function niceTop(max) {
  if (!(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max * 1.05));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((each) => each * power).find((each) => each >= max * 1.05) ?? 10 * power;
}

function compact(value) {
  return value >= 10_000 ? `${number(value / 1000)}k` : number(value, 1);
}
