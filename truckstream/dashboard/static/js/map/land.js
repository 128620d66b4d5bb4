// The ground of the map: borders, names of countries and the lines of the globe, drawn when the view changes.

import { project } from "../fleet.js";

const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];

export class Land {
  constructor() {
    this.fine = null;
    this.coarse = null;
    this.names = [];
  }

  async load() {
    const borders = await (await fetch("static/vendor/borders.json")).json();
    this.fine = pathOf(borders.fine);
    this.coarse = pathOf(borders.coarse);
    this.names = borders.names.map(([name, longitude, latitude, width]) => ({
      name, width, place: project(latitude, longitude),
    }));
  }

  draw(context, projection, colors) {
    const { width, height, scale } = projection;
    context.fillStyle = colors.land;
    context.fillRect(0, 0, width, height);
    this.drawGrid(context, projection, colors);
    if (!this.fine) return;
    context.save();
    context.translate(width / 2 - projection.x * scale, height / 2 - projection.y * scale);
    context.scale(scale, scale);
    context.strokeStyle = colors.border;
    context.lineWidth = 1.1 / scale;
    context.lineJoin = "round";
    context.stroke(this.coarse);
    context.stroke(this.fine);
    context.restore();
    this.drawNames(context, projection, colors);
  }

  drawGrid(context, projection, colors) {
    const [west, north] = degrees(...projection.toWorld(0, 0));
    const [east, south] = degrees(...projection.toWorld(projection.width, projection.height));
    const step = STEPS.find((each) => (each / 360) * projection.scale < 190) ?? STEPS.at(-1);
    context.beginPath();
    for (let line = Math.ceil(west / step) * step; line <= east; line += step) {
      const [left] = projection.toScreen(...project(0, line));
      context.moveTo(Math.round(left) + 0.5, 0);
      context.lineTo(Math.round(left) + 0.5, projection.height);
    }
    for (let line = Math.ceil(south / step) * step; line <= north; line += step) {
      const [, top] = projection.toScreen(...project(line, 0));
      context.moveTo(0, Math.round(top) + 0.5);
      context.lineTo(projection.width, Math.round(top) + 0.5);
    }
    context.strokeStyle = colors.graticule;
    context.lineWidth = 1;
    context.stroke();
  }

  drawNames(context, projection, colors) {
    context.fillStyle = colors.place;
    context.font = `500 12px ${colors.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { name, place, width } of this.names) {
      if ((width / 360) * projection.scale < name.length * 9 + 16) continue;
      const [left, top] = projection.toScreen(...place);
      if (left < -40 || top < -20 || left > projection.width + 40 || top > projection.height + 20) continue;
      context.fillText(name.toUpperCase().split("").join("\u200a"), left, top);
    }
  }
}

function degrees(x, y) {
  return [x * 360 - 180, (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI];
}

function pathOf({ step, lines }) {
  const path = new Path2D();
  for (const line of lines) {
    let longitude = 0;
    let latitude = 0;
    for (let index = 0; index < line.length; index += 2) {
      longitude += line[index];
      latitude += line[index + 1];
      const bounded = Math.max(-85, Math.min(85, latitude * step));
      const [x, y] = project(bounded, longitude * step);
      if (index) path.lineTo(x, y);
      else path.moveTo(x, y);
    }
  }
  return path;
}
