// The state of the fleet in the browser: snapshots and changes from the server applied in order.

export const HEALTH = ["NORMAL", "WARNING", "URGENT"];
const TRAIL_POINTS = 60;
const SERIES_POINTS = 300;
const MOST_INCIDENTS = 200;
const NORTHERNMOST = 85.05;

// Web Mercator, from 0 to 1 in both directions; y grows to the south.
export function project(latitude, longitude) {
  const radians = (latitude * Math.PI) / 180;
  return [(longitude + 180) / 360, (1 - Math.asinh(Math.tan(radians)) / Math.PI) / 2];
}

export class Fleet {
  constructor() {
    this.epoch = 0;
    this.moves = 0; // how often trucks have moved
    this.clear();
  }

  clear() {
    this.epoch += 1;
    this.trucks = new Map();
    this.byId = new Map();
    this.source = null;
    this.now = 0;
    this.counts = {};
    this.points = [];
    this.shards = [];
    this.totals = {};
    this.reasons = [];
    this.rejections = [];
    this.incidents = new Map();
    this.replay = null;
    this.notice = null;
  }

  // Apply a message, and return the names of the parts that changed.
  apply(message) {
    if (message.source) {
      this.clear();
      this.source = message.source;
    }
    this.now = message.now;
    this.counts = message.counts;
    this.moveTrucks(message.trucks);
    if (message.points) this.addFigures(message);
    if (message.rejected) {
      this.reasons = message.rejected.reasons;
      this.rejections = [...message.rejected.latest.toReversed(), ...this.rejections].slice(0, 20);
    }
    for (const incident of message.incidents ?? []) this.addIncident(incident);
    this.replay = message.replay ?? null;
    this.notice = message.notice ?? null;
    return new Set(Object.keys(message));
  }

  moveTrucks({ ids, rows, trail, gone }) {
    const time = performance.now();
    if (rows.length || gone.length) this.moves += 1;
    for (const slot of gone) this.remove(slot);
    for (const [slot, id] of ids) {
      const truck = { slot, id, latitude: 0, longitude: 0, x: 0, y: 0, shownX: 0, shownY: 0, heading: null,
        speed: 0, health: 0, isPlaced: false, isOnMap: false, trail: [], movedAt: time, since: null };
      this.trucks.set(slot, truck);
      this.byId.set(id, truck);
    }
    for (const [slot, latitude, longitude, speed, health] of rows) {
      const truck = this.trucks.get(slot);
      if (truck) move(truck, latitude, longitude, speed, health, time, this.now);
    }
    for (const [slot, latitude, longitude] of trail) {
      const truck = this.trucks.get(slot);
      if (truck) extendTrail(truck, latitude, longitude);
    }
  }

  remove(slot) {
    const truck = this.trucks.get(slot);
    if (!truck) return;
    this.trucks.delete(slot);
    if (this.byId.get(truck.id) === truck) this.byId.delete(truck.id);
  }

  addFigures(message) {
    const last = this.points.at(-1)?.[0] ?? -1;
    for (const point of message.points) if (point[0] > last) this.points.push(point);
    if (this.points.length > SERIES_POINTS) this.points.splice(0, this.points.length - SERIES_POINTS);
    this.shards = message.shards;
    this.totals = message.totals;
  }

  addIncident(incident) {
    this.incidents.delete(incident.id);
    this.incidents.set(incident.id, incident);
    if (this.incidents.size > MOST_INCIDENTS) this.incidents.delete(this.incidents.keys().next().value);
  }
}

// Positions that no map has are kept out of it; their values are valid for the sensor all the same.
function isOnEarth(latitude, longitude) {
  return Math.abs(latitude) <= NORTHERNMOST && Math.abs(longitude) <= 180;
}

function move(truck, latitude, longitude, speed, health, time, now) {
  truck.latitude = latitude;
  truck.longitude = longitude;
  truck.speed = speed;
  if (truck.health !== health || truck.since === null) truck.since = now;
  truck.health = health;
  truck.isOnMap = isOnEarth(latitude, longitude);
  if (!truck.isOnMap) return;
  const [x, y] = project(latitude, longitude);
  const moved = Math.hypot(x - truck.x, y - truck.y);
  if (!truck.isPlaced || moved > 0.0015) {
    truck.shownX = x; // it appears there, and does not fly across the map
    truck.shownY = y;
  } else if (moved > 1e-8) {
    truck.heading = Math.atan2(y - truck.y, x - truck.x);
  }
  truck.isPlaced = true;
  truck.x = x;
  truck.y = y;
  truck.movedAt = time;
}

function extendTrail(truck, latitude, longitude) {
  if (!isOnEarth(latitude, longitude)) return;
  const [x, y] = project(latitude, longitude);
  const points = truck.trail;
  if (points.length && Math.hypot(x - points.at(-2), y - points.at(-1)) > 0.0015) points.length = 0;
  points.push(x, y);
  if (points.length > 2 * TRAIL_POINTS) points.splice(0, points.length - 2 * TRAIL_POINTS);
}
