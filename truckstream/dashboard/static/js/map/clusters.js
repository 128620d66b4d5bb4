// Put trucks that are close to each other together. A truck that needs attention always stands by itself.

const CELL = 40; // pixels
const LEAST = 9;
const CLOSEST_SCALE = 2 ** 20;

// Return the trucks to draw by themselves, and the clusters. The cells lie still in the world, and change only when the
// scale has doubled, so that clusters do not jump while the map moves.
export function cluster(trucks, scale, chosen) {
  const singles = [];
  const clusters = [];
  const cells = new Map();
  const size = CELL / 2 ** Math.round(Math.log2(scale));
  for (const truck of trucks) {
    if (truck.health !== 0 || truck === chosen || scale > CLOSEST_SCALE) {
      singles.push(truck);
      continue;
    }
    const key = `${Math.floor(truck.x / size)}/${Math.floor(truck.y / size)}`;
    const cell = cells.get(key);
    if (cell) cell.push(truck);
    else cells.set(key, [truck]);
  }
  for (const [key, members] of cells) {
    if (members.length < LEAST) singles.push(...members);
    else clusters.push({ key, members });
  }
  singles.sort((a, b) => a.health - b.health); // those that need attention are drawn last, above the others
  return { singles, clusters };
}

// The middle of a cluster's trucks where they are shown at present.
export function middleOf(cluster) {
  let x = 0;
  let y = 0;
  for (const truck of cluster.members) {
    x += truck.shownX;
    y += truck.shownY;
  }
  return [x / cluster.members.length, y / cluster.members.length];
}
