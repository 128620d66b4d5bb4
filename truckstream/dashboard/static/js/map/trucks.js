// Draw the trucks, their trails and the clusters. All trucks of one health are one path, so that a thousand of them cost
// a few milliseconds.

import { middleOf, radiusOf } from "./clusters.js";

const TAU = 2 * Math.PI;
const SIZE = 4.2;

export function drawTrails(context, projection, trucks, colors) {
  context.lineJoin = "round";
  context.lineCap = "round";
  for (const health of [0, 1, 2]) {
    const some = trucks.filter((truck) => truck.health === health && truck.trail.length > 2);
    context.strokeStyle = colors.health[health];
    context.lineWidth = health ? 2.2 : 1.6;
    // Three parts, the oldest one the faintest.
    for (const part of [0, 1, 2]) {
      context.globalAlpha = [0.16, 0.32, 0.55][part] * (health ? 1.5 : 1);
      context.beginPath();
      for (const { trail } of some) tracePart(context, projection, trail, part);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function tracePart(context, projection, trail, part) {
  const count = trail.length / 2;
  const start = Math.floor((count * part) / 3);
  const end = Math.min(count - 1, Math.floor((count * (part + 1)) / 3));
  for (let index = start; index <= end; index += 1) {
    const [left, top] = projection.toScreen(trail[2 * index], trail[2 * index + 1]);
    if (index === start) context.moveTo(left, top);
    else context.lineTo(left, top);
  }
}

export function drawTrucks(context, projection, { singles, clusters }, colors) {
  drawClusters(context, projection, clusters, colors);
  for (const health of [0, 1, 2]) {
    context.beginPath();
    for (const truck of singles) if (truck.health === health) trace(context, projection, truck);
    context.lineWidth = 2.4;
    context.strokeStyle = colors.land;
    context.stroke();
    context.fillStyle = colors.health[health];
    context.fill();
  }
}

function trace(context, projection, truck) {
  const [left, top] = projection.toScreen(truck.shownX, truck.shownY);
  if (left < -20 || top < -20 || left > projection.width + 20 || top > projection.height + 20) return;
  if (truck.health === 1) {
    polygon(context, left, top - 0.6, 7, 3, -TAU / 4);
  } else if (truck.health === 2) {
    polygon(context, left, top, 7.5, 4, 0);
  } else if (truck.heading !== null && truck.speed > 1) {
    drop(context, left, top, truck.heading);
  } else {
    context.moveTo(left + SIZE, top);
    context.arc(left, top, SIZE, 0, TAU);
  }
}

// A circle with a point in the direction of travel.
function drop(context, left, top, heading) {
  const tip = SIZE * 2;
  context.moveTo(left + tip * Math.cos(heading), top + tip * Math.sin(heading));
  context.arc(left, top, SIZE, heading + TAU / 6, heading + TAU - TAU / 6);
  context.closePath();
}

function polygon(context, left, top, size, corners, turn) {
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = turn + (corner * TAU) / corners;
    const x = left + size * Math.cos(angle);
    const y = top + size * Math.sin(angle);
    if (corner) context.lineTo(x, y);
    else context.moveTo(x, y);
  }
  context.closePath();
}

function drawClusters(context, projection, clusters, colors) {
  context.font = `600 11px ${colors.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const each of clusters) {
    const [left, top] = projection.toScreen(...middleOf(each));
    const radius = radiusOf(each);
    context.beginPath();
    context.arc(left, top, radius, 0, TAU);
    context.fillStyle = colors.health[0];
    context.globalAlpha = 0.92;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = colors.land;
    context.stroke();
    context.fillStyle = colors.land;
    context.fillText(String(each.members.length), left, top + 0.5);
  }
}

export function drawChosen(context, projection, truck, colors) {
  const [left, top] = projection.toScreen(truck.shownX, truck.shownY);
  context.beginPath();
  context.arc(left, top, 13, 0, TAU);
  context.lineWidth = 2.5;
  context.strokeStyle = colors.accent;
  context.stroke();
}
