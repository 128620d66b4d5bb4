// Connect the stream of changes with the parts of the page, and the address with the page of a truck.

import { byId, setText } from "./dom.js";
import { Fleet } from "./fleet.js";
import { TruckMap } from "./map/map.js";
import { Announcer, addressOf, showAlerts, showAttention } from "./panels/alerts.js";
import { Charts } from "./panels/charts.js";
import { showRejected } from "./panels/rejected.js";
import { Replay } from "./panels/replay.js";
import { showShards } from "./panels/shards.js";
import { TruckPage } from "./panels/truck.js";
import { clock, label } from "./text.js";

const ATTENTION_EVERY = 500; // milliseconds
const KINDS = { stream: "Live", demo: "Live", store: "Replay" };

const fleet = new Fleet();
const open = (id) => {
  location.hash = addressOf(id);
};
const close = () => {
  if (location.hash) history.pushState(null, "", location.pathname);
  route();
};
const map = new TruckMap(byId("map"), fleet, { open });
const charts = new Charts(fleet);
const truckPage = new TruckPage(fleet, map, { close });
const replay = new Replay();
const announcer = new Announcer();
let attentionTimer = null;

// --- The stream of changes -----------------------------------------------------------------------

function show(message) {
  const isFirst = Boolean(message.source);
  const changed = fleet.apply(message);
  if (isFirst) showSource();
  if (changed.has("points")) {
    charts.update();
    showShards(fleet);
  }
  if (changed.has("rejected") || isFirst) showRejected(fleet);
  if (changed.has("incidents") || isFirst) showAlerts(fleet);
  if (!isFirst) announcer.add(message.incidents ?? []);
  if (isFirst) showFleet();
  else attentionTimer ??= setTimeout(showFleet, ATTENTION_EVERY);
  replay.show(fleet.replay);
  byId("notice").hidden = fleet.notice === null;
  if (fleet.notice !== null) setText(byId("notice"), label(fleet.notice, 200));
}

// The lists and counts of trucks change too often to be written with each message.
function showFleet() {
  clearTimeout(attentionTimer);
  attentionTimer = null;
  showAttention(fleet);
  setText(byId("clock"), fleet.now ? clock(fleet.now) : "");
}

function showSource() {
  setText(byId("source"), label(fleet.source.title, 120));
  document.title = `${label(fleet.source.title, 60)} – truckstream`;
  charts.build();
  showShards(fleet);
  route();
}

function showStatus(state, text) {
  byId("status").dataset.state = state;
  setText(byId("status-text"), text);
}

const events = new EventSource("events");
events.addEventListener("message", (event) => {
  show(JSON.parse(event.data));
  showStatus("live", KINDS[fleet.source?.kind] ?? "Live");
});
events.addEventListener("error", () => showStatus("lost", "Connection lost, trying again"));

// --- Addresses -------------------------------------------------------------------------------------

function route() {
  const found = /^#\/truck\/(.+)$/s.exec(location.hash);
  if (!found) {
    truckPage.close();
    return;
  }
  try {
    truckPage.open(decodeURIComponent(found[1]));
  } catch {
    truckPage.close(); // an address with a broken escape
  }
}

addEventListener("hashchange", route);
addEventListener("popstate", route);

// --- Controls --------------------------------------------------------------------------------------

byId("zoom-in").addEventListener("click", () => map.zoomBy(1.6));
byId("zoom-out").addEventListener("click", () => map.zoomBy(1 / 1.6));
byId("zoom-fit").addEventListener("click", () => map.showAll());

const themeButton = byId("theme");
const showTheme = () => themeButton.setAttribute("aria-pressed", String(document.documentElement.dataset.theme === "dark"));
themeButton.addEventListener("click", () => dispatchEvent(new Event("themetoggle")));
addEventListener("themechange", showTheme);
showTheme();

const MOST_FOUND = 20;

function matches(text) {
  const wanted = text.trim().toLowerCase();
  const all = [...fleet.byId.keys()];
  return all.filter((id) => id.toLowerCase().includes(wanted)).slice(0, MOST_FOUND);
}

byId("find-truck").addEventListener("input", (event) => {
  const options = matches(event.target.value).map((id) => new Option(label(id), id));
  byId("find-list").replaceChildren(...options);
  if (fleet.byId.has(event.target.value)) open(event.target.value);
});
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("find-truck").value;
  const id = fleet.byId.has(text) ? text : matches(text)[0];
  if (text && id !== undefined) open(id);
});

// For tests and measurements.
globalThis.truckstream = { fleet, map };
