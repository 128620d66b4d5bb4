// Draw the trucks, their trails and the clusters.

import { middleOf } from "./clusters.js";

const TAU = 2 * Math.PI;

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

// Clusters first, so that a truck that needs attention is never below one.
export function drawTrucks(context, projection, { singles, clusters }, sprites) {
  for (const each of clusters) {
    const [left, top] = projection.toScreen(...middleOf(each));
    sprites.drawCluster(context, each, left, top);
  }
  for (const truck of singles) {
    const [left, top] = projection.toScreen(truck.shownX, truck.shownY);
    if (left < -20 || top < -20 || left > projection.width + 20 || top > projection.height + 20) continue;
    sprites.drawTruck(context, truck, left, top);
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
