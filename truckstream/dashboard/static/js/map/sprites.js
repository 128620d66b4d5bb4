// Pictures of trucks and clusters, each drawn once. To copy a small picture takes a fraction of the time of filling and
// stroking its path, which a browser without a GPU would do for each truck in each frame.

const TAU = 2 * Math.PI;
const SIZE = 4.2; // radius of a truck's circle
const HALO = 1.2; // width of the line around it, in the colour of the land
const HALF = 11; // half the side of a truck's picture: its longest shape with the line around it
const DIRECTIONS = 64; // as many as differ by a visible part of a pixel at the tip
const MOST_CLUSTERS = 300; // pictures of clusters, one for each number of trucks

export function radiusOf(cluster) {
  return 9 + 2.4 * Math.log2(cluster.members.length);
}

export class Sprites {
  constructor(colors, ratio) {
    this.colors = colors;
    this.ratio = ratio;
    this.trucks = [];
    this.clusters = new Map();
  }

  drawTruck(context, truck, left, top) {
    const look = lookOf(truck);
    const picture = (this.trucks[look] ??= this.picture(HALF, (brush) => this.paintTruck(brush, look)));
    context.drawImage(picture, this.snap(left - HALF), this.snap(top - HALF), 2 * HALF, 2 * HALF);
  }

  drawCluster(context, cluster, left, top) {
    const count = cluster.members.length;
    const half = Math.ceil(radiusOf(cluster)) + 2;
    let picture = this.clusters.get(count);
    if (!picture) {
      if (this.clusters.size >= MOST_CLUSTERS) this.clusters.clear();
      picture = this.picture(half, (brush) => this.paintCluster(brush, radiusOf(cluster), count));
      this.clusters.set(count, picture);
    }
    context.drawImage(picture, this.snap(left - half), this.snap(top - half), 2 * half, 2 * half);
  }

  // The nearest place that a picture can be copied to without being computed anew for it.
  snap(place) {
    return Math.round(place * this.ratio) / this.ratio;
  }

  // A picture of a square around 0, 0.
  picture(half, paint) {
    const side = Math.ceil(2 * half * this.ratio);
    const canvas = new OffscreenCanvas(side, side);
    const brush = canvas.getContext("2d");
    brush.setTransform(side / (2 * half), 0, 0, side / (2 * half), side / 2, side / 2);
    paint(brush);
    return canvas.transferToImageBitmap();
  }

  paintTruck(brush, look) {
    brush.beginPath();
    trace(brush, look);
    brush.lineWidth = 2 * HALO;
    brush.strokeStyle = this.colors.land;
    brush.stroke();
    brush.fillStyle = this.colors.health[look < 2 ? 2 - look : 0];
    brush.fill();
  }

  paintCluster(brush, radius, count) {
    brush.beginPath();
    brush.arc(0, 0, radius, 0, TAU);
    brush.fillStyle = this.colors.health[0];
    brush.globalAlpha = 0.92;
    brush.fill();
    brush.globalAlpha = 1;
    brush.lineWidth = 2;
    brush.strokeStyle = this.colors.land;
    brush.stroke();
    brush.font = `600 11px ${this.colors.font}`;
    brush.textAlign = "center";
    brush.textBaseline = "middle";
    brush.fillStyle = this.colors.land;
    brush.fillText(String(count), 0, 0.5);
  }
}

// The number of a truck's picture: 0 is urgent, 1 warns, 2 stands, and the others drive in a direction.
function lookOf({ health, heading, speed }) {
  if (health) return 2 - health;
  if (heading === null || speed <= 1) return 2;
  return 3 + ((Math.round((heading / TAU) * DIRECTIONS) + DIRECTIONS) % DIRECTIONS);
}

function trace(brush, look) {
  if (look === 0) polygon(brush, 0, 7.5, 4, 0);
  else if (look === 1) polygon(brush, -0.6, 7, 3, -TAU / 4);
  else if (look === 2) brush.arc(0, 0, SIZE, 0, TAU);
  else drop(brush, ((look - 3) / DIRECTIONS) * TAU);
}

// A circle with a point in the direction of travel.
function drop(brush, heading) {
  const tip = SIZE * 2;
  brush.moveTo(tip * Math.cos(heading), tip * Math.sin(heading));
  brush.arc(0, 0, SIZE, heading + TAU / 6, heading + TAU - TAU / 6);
  brush.closePath();
}

function polygon(brush, top, size, corners, turn) {
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = turn + (corner * TAU) / corners;
    brush.lineTo(size * Math.cos(angle), top + size * Math.sin(angle));
  }
  brush.closePath();
}
