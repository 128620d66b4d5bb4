// What part of the world a map shows, and how large. World coordinates are those of fleet.js.

const LEAST_SCALE = 300; // pixels of the whole world
const MOST_SCALE = 2 ** 26;
const MARGIN = 44;
export const EQUATOR_METRES = 40_075_017;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export class Projection {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.x = 0.5;
    this.y = 0.5;
    this.scale = 600;
    this.version = 0;
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
    this.version += 1;
  }

  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2];
  }

  toWorld(left, top) {
    return [(left - this.width / 2) / this.scale + this.x, (top - this.height / 2) / this.scale + this.y];
  }

  pan(left, top) {
    this.center(this.x - left / this.scale, this.y - top / this.scale);
  }

  center(x, y) {
    this.x = clamp(x, 0, 1);
    this.y = clamp(y, 0, 1);
    this.version += 1;
  }

  // Zoom by a factor, and keep the place below a point of the screen.
  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.toWorld(left, top);
    this.scale = clamp(this.scale * factor, LEAST_SCALE, MOST_SCALE);
    this.center(x - (left - this.width / 2) / this.scale, y - (top - this.height / 2) / this.scale);
  }

  // Show nearly all of the points: a few that are far away, such as of a broken sensor, count for nothing.
  fit(points) {
    if (!points.length) return;
    const [west, east] = range(points.map((each) => each.x));
    const [north, south] = range(points.map((each) => each.y));
    const across = (this.width - 2 * MARGIN) / Math.max(east - west, 1e-5);
    const down = (this.height - 2 * MARGIN) / Math.max(south - north, 1e-5);
    this.scale = clamp(Math.min(across, down), LEAST_SCALE, 2 ** 20);
    this.center((west + east) / 2, (north + south) / 2);
  }

  get metresPerPixel() {
    const latitude = Math.atan(Math.sinh(Math.PI * (1 - 2 * this.y)));
    return (EQUATOR_METRES * Math.cos(latitude)) / this.scale;
  }
}

function range(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const left = Math.floor(sorted.length * 0.02);
  const low = sorted[Math.floor(sorted.length * 0.25)];
  const high = sorted[Math.floor(sorted.length * 0.75)];
  const reach = Math.max((high - low) * 3, 1e-4);
  const inner = sorted.filter((value) => value >= low - reach && value <= high + reach);
  return inner.length ? [inner[0], inner.at(-1)] : [sorted[left], sorted.at(-1 - left)];
}
