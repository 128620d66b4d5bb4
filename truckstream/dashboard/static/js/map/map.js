// The map: two canvases below one, a loop that draws only when something has moved, and the ways to move it.

import { byId, setText } from "../dom.js";
import { HEALTH } from "../fleet.js";
import { label, number } from "../text.js";
import { cluster, middleOf } from "./clusters.js";
import { Land } from "./land.js";
import { Projection } from "./projection.js";
import { Sprites, radiusOf } from "./sprites.js";
import { drawChosen, drawTrails, drawTrucks } from "./trucks.js";

const FRAME = 1000 / 34; // at least 30 frames a second, and no more work than that needs
const GROUPING = 500; // between two looks at which trucks are close
const TRAILS = 400;
const MOST_TRAILS = 400;
const GLIDE = 110; // milliseconds in which a truck covers most of the way to where it was reported
const REACH = 14; // pixels around a truck that belong to it
const STEP = 60;

export class TruckMap {
  constructor(canvas, fleet, { open }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false }); // the ground covers it
    this.fleet = fleet;
    this.open = open;
    this.projection = new Projection();
    this.land = new Land();
    this.ground = document.createElement("canvas");
    this.trails = document.createElement("canvas");
    this.groups = { singles: [], clusters: [] };
    this.chosen = null;
    this.follows = false;
    this.isTouched = false;
    this.drawn = {};
    this.frames = 0; // a test counts them
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)");
    this.readColors();
    addEventListener("themechange", () => this.readColors());
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
    this.land.load().then(() => this.invalidate());
    this.last = 0;
    requestAnimationFrame((time) => this.loop(time));
  }

  readColors() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colors = {
      land: color("land"), border: color("border"), graticule: color("graticule"), place: color("place"),
      accent: color("accent"), font: getComputedStyle(document.body).fontFamily,
      health: HEALTH.map((name) => color(name.toLowerCase())),
    };
    this.invalidate();
  }

  invalidate() {
    this.drawn = {};
    this.sprites = new Sprites(this.colors, ratioOfPixels());
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = ratioOfPixels();
    for (const each of [this.canvas, this.ground, this.trails]) {
      each.width = width * ratio;
      each.height = height * ratio;
      each.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.projection.resize(width, height);
    if (!this.isTouched) this.fit();
    this.invalidate();
  }

  // --- Drawing ------------------------------------------------------------------------------------

  loop(time) {
    requestAnimationFrame((next) => this.loop(next));
    if (time - this.last < FRAME - 4) return;
    const passed = time - this.last;
    this.last = time;
    this.showAllAtFirst();
    const moved = this.glide(passed);
    if (this.follows && this.chosen) this.projection.center(this.chosen.shownX, this.chosen.shownY);
    const version = this.projection.version;
    if (!moved && this.drawn.version === version && this.drawn.chosen === this.chosen) return;
    this.draw(time);
    this.frames += 1;
  }

  // The first trucks decide what is shown, as long as the user has not moved the map.
  showAllAtFirst() {
    if (this.drawn.epoch !== this.fleet.epoch) {
      this.drawn.epoch = this.fleet.epoch;
      this.fitted = 0;
    }
    const count = this.fleet.trucks.size;
    if (!this.isTouched && count > this.fitted * 1.5) {
      this.fitted = count;
      this.fit();
    }
  }

  // Move each truck towards its reported place, and return whether any moved by a visible distance.
  glide(passed) {
    const share = this.reduced.matches ? 1 : 1 - Math.exp(-passed / GLIDE);
    const visible = 0.05 / this.projection.scale;
    let moved = false;
    for (const truck of this.fleet.trucks.values()) {
      const x = truck.x - truck.shownX;
      const y = truck.y - truck.shownY;
      if (x === 0 && y === 0) continue;
      if (Math.abs(x) < visible && Math.abs(y) < visible) {
        truck.shownX = truck.x;
        truck.shownY = truck.y;
      } else {
        truck.shownX += x * share;
        truck.shownY += y * share;
        moved = true;
      }
    }
    const changed = this.fleet.moves !== this.drawn.moves;
    this.drawn.moves = this.fleet.moves;
    return moved || changed;
  }

  draw(time) {
    const { context, projection, drawn } = this;
    const hasNewView = drawn.version !== projection.version;
    if (hasNewView) {
      this.land.draw(this.ground.getContext("2d"), projection, this.colors);
      this.showScale();
    }
    if (hasNewView || time - (drawn.trailsAt ?? 0) > TRAILS) this.drawTrails(time);
    if (hasNewView || time - (drawn.groupedAt ?? 0) > GROUPING || drawn.chosen !== this.chosen) this.group(time);
    drawn.version = projection.version;
    drawn.chosen = this.chosen;
    context.drawImage(this.ground, 0, 0, projection.width, projection.height);
    context.drawImage(this.trails, 0, 0, projection.width, projection.height);
    drawTrucks(context, projection, this.groups, this.sprites);
    if (this.chosen?.isOnMap) drawChosen(context, projection, this.chosen, this.colors);
  }

  drawTrails(time) {
    this.drawn.trailsAt = time;
    const { projection } = this;
    const context = this.trails.getContext("2d");
    context.clearRect(0, 0, projection.width, projection.height);
    const visible = this.visibleTrucks();
    const shown = visible.length <= MOST_TRAILS ? visible : visible.filter((each) => each.health || each === this.chosen);
    drawTrails(context, projection, shown, this.colors);
  }

  group(time) {
    this.drawn.groupedAt = time;
    this.groups = cluster(this.visibleTrucks(), this.projection.scale, this.chosen);
  }

  visibleTrucks() {
    const { projection } = this;
    const [west, north] = projection.toWorld(-60, -60);
    const [east, south] = projection.toWorld(projection.width + 60, projection.height + 60);
    const visible = [];
    for (const truck of this.fleet.trucks.values()) {
      if (truck.isOnMap && truck.x > west && truck.x < east && truck.y > north && truck.y < south) visible.push(truck);
    }
    return visible;
  }

  showScale() {
    const metres = this.projection.metresPerPixel * 90;
    const step = 10 ** Math.floor(Math.log10(metres));
    const length = [5, 2, 1].map((each) => each * step).find((each) => each <= metres) ?? step;
    byId("scale").style.width = `${Math.round(length / this.projection.metresPerPixel)}px`;
    setText(byId("scale-text"), length >= 1000 ? `${number(length / 1000)} km` : `${number(length, 2)} m`);
  }

  // --- Moving -------------------------------------------------------------------------------------

  fit() {
    this.projection.fit([...this.fleet.trucks.values()].filter((truck) => truck.isOnMap));
  }

  choose(truck) {
    this.chosen = truck;
    this.follows = false;
    if (!truck?.isOnMap) return;
    const [left, top] = this.projection.toScreen(truck.x, truck.y);
    const { width, height } = this.projection;
    if (left < 20 || top < 20 || left > width - 20 || top > height - 20) this.projection.center(truck.x, truck.y);
  }

  follow(follows) {
    this.follows = follows;
    if (!follows || !this.chosen?.isOnMap) return;
    this.isTouched = true;
    this.projection.scale = Math.max(this.projection.scale, 120_000);
    this.projection.center(this.chosen.x, this.chosen.y);
  }

  touch() {
    this.isTouched = true;
    this.follows = false;
  }

  zoomBy(factor, left, top) {
    this.isTouched = true;
    this.projection.zoom(factor, left, top);
  }

  showAll() {
    this.isTouched = false;
    this.follows = false;
    this.fit();
  }

  // Return the truck or the cluster at a place of the screen.
  at(left, top) {
    let found = null;
    let nearest = REACH;
    for (const truck of this.groups.singles) {
      const [x, y] = this.projection.toScreen(truck.shownX, truck.shownY);
      const distance = Math.hypot(x - left, y - top) - truck.health; // of two, the one that needs attention
      if (distance < nearest) {
        nearest = distance;
        found = { truck };
      }
    }
    if (found) return found;
    const group = this.groups.clusters.find((each) => {
      const [x, y] = this.projection.toScreen(...middleOf(each));
      return Math.hypot(x - left, y - top) <= radiusOf(each) + 2;
    });
    return group ? { group } : null;
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    let travelled = 0;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
      travelled = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) {
        this.hover(event);
        return;
      }
      pointers.set(event.pointerId, event);
      travelled += Math.hypot(event.offsetX - before.offsetX, event.offsetY - before.offsetY);
      this.drag(before, event, [...pointers.values()]);
    });
    const release = (event) => {
      pointers.delete(event.pointerId);
      canvas.classList.remove("dragging");
      if (event.type === "pointerup" && travelled < 5 && !pointers.size) this.click(event);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => this.hideTip());
    canvas.addEventListener("dblclick", (event) => this.zoomBy(2, event.offsetX, event.offsetY));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  drag(before, event, pointers) {
    if (pointers.length === 2) {
      const other = pointers.find((each) => each.pointerId !== event.pointerId);
      const gap = (each) => Math.hypot(each.offsetX - other.offsetX, each.offsetY - other.offsetY);
      this.zoomBy(gap(event) / Math.max(1, gap(before)), other.offsetX, other.offsetY);
      return;
    }
    this.touch();
    this.hideTip();
    this.canvas.classList.add("dragging");
    this.projection.pan(event.offsetX - before.offsetX, event.offsetY - before.offsetY);
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode ? event.deltaY * 16 : event.deltaY;
    this.zoomBy(Math.exp(-Math.max(-200, Math.min(200, lines)) * 0.0022), event.offsetX, event.offsetY);
  }

  click(event) {
    const found = this.at(event.offsetX, event.offsetY);
    if (found?.truck) this.open(found.truck.id);
    else if (found?.group) this.zoomBy(2.2, event.offsetX, event.offsetY);
  }

  key(event) {
    const steps = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (steps[event.key]) {
      this.touch();
      this.projection.pan(...steps[event.key]);
    } else if (event.key === "+" || event.key === "=") this.zoomBy(1.5);
    else if (event.key === "-") this.zoomBy(1 / 1.5);
    else if (event.key === "0") this.showAll();
    else if (event.key === "n" || event.key === "p") this.chooseNext(event.key === "n" ? 1 : -1);
    else if (event.key === "Enter" && this.chosen) this.open(this.chosen.id);
    else return;
    event.preventDefault();
  }

  // Go through the trucks that need attention; through all trucks if none does.
  chooseNext(step) {
    const all = [...this.fleet.trucks.values()].filter((truck) => truck.isOnMap);
    const some = all.filter((truck) => truck.health > 0);
    const list = (some.length ? some : all).toSorted((a, b) => b.health - a.health || a.slot - b.slot);
    if (!list.length) return;
    const index = list.indexOf(this.chosen);
    this.choose(list[(index + step + list.length) % list.length]);
    setText(byId("alert-live"), describe(this.chosen));
  }

  hover(event) {
    const found = this.at(event.offsetX, event.offsetY);
    this.canvas.classList.toggle("over", Boolean(found));
    if (!found) {
      this.hideTip();
      return;
    }
    const tip = byId("tip");
    tip.hidden = false;
    setText(tip, found.truck ? describe(found.truck) : `${found.group.members.length} trucks`);
    const left = Math.min(event.offsetX + 14, this.projection.width - tip.offsetWidth - 8);
    const top = event.offsetY > 40 ? event.offsetY - 34 : event.offsetY + 18;
    tip.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
  }

  hideTip() {
    byId("tip").hidden = true;
  }
}

function ratioOfPixels() {
  return Math.min(2, devicePixelRatio || 1);
}

function describe(truck) {
  return `${label(truck.id, 40)}, ${HEALTH[truck.health].toLowerCase()}, ${number(truck.speed)} mph`;
}
