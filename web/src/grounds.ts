/** How far apart the classes are, and what they are called. */

export interface Ground {
  kind: "line" | "circle" | "tree" | "costs";
  labels: string[];
  /** Distance between every two classes. */
  cost: number[][];
  /** On a line: where the classes lie. */
  positions: number[];
  /** On a line: the edges of the bins. */
  edges: number[];
  /** Ticks stand at the edges of bins, or under the middle of classes. */
  ticks: "edges" | "labels";
  /** On a tree: the names from the root down to each leaf. */
  paths: string[][];
  /** On a tree: its edges, each with the run of leaves below it. */
  branches: Branch[];
  /** Whether the first and the last bin are tails that reach to infinity. */
  tails: [lower: boolean, upper: boolean];
  /** What a distance of 1 counts as in training; cost, positions and edges have it in them. */
  unit: number;
  /** What losses are computed on, where training measured distances otherwise. */
  trained: Trained | null;
}

/** An edge of a tree: the leaves from `start` up to `end` lie below it. */
export interface Branch {
  length: number;
  start: number;
  end: number;
}

/** How the networks of a comparison were trained: on another scale, in another unit. */
export interface Trained {
  ground: Ground;
  /** The name of the scale, as log; none for the target's own. */
  scale: string;
  /** Numbers with their places in `ground`; between two of them lies a straight line. */
  knots: [y: number, place: number][];
}

const PLAIN: Omit<Ground, "kind" | "labels" | "cost"> = {
  positions: [],
  edges: [],
  ticks: "labels",
  paths: [],
  branches: [],
  tails: [false, false],
  unit: 1,
  trained: null,
};

export const nClasses = (ground: Ground): number => ground.labels.length;

export const largest = (ground: Ground): number =>
  Math.max(...ground.cost.map((row) => Math.max(...row)));

const lineCost = (positions: number[]): number[][] =>
  positions.map((a) => positions.map((b) => Math.abs(a - b)));

/** Bins between edges, each at its center. */
export function binned(edges: number[]): Ground {
  const positions = edges.slice(1).map((edge, k) => edges[k] + (edge - edges[k]) / 2);
  return {
    ...PLAIN,
    kind: "line",
    labels: positions.map((_, k) => `${plain(edges[k])} to ${plain(edges[k + 1])}`),
    cost: lineCost(positions),
    positions,
    edges,
    ticks: "edges",
  };
}

/** Classes at positions; edges halfway between them, for numbers. */
export function classes(positions: number[], labels: string[]): Ground {
  const middle = positions.slice(1).map((x, k) => (x + positions[k]) / 2);
  const last = positions.length - 1;
  const edges = [
    positions[0] - (middle[0] - positions[0]),
    ...middle,
    positions[last] + (positions[last] - middle[last - 1]),
  ];
  const cost = lineCost(positions);
  return { ...PLAIN, kind: "line", labels, cost, positions, edges };
}

export function regular(k: number): Ground {
  const positions = Array.from({ length: k }, (_, i) => i + 1);
  return classes(positions, positions.map(String));
}

/** Hours of the day, `n` classes; distance along the shorter way round. */
export function hours(n: number): Ground {
  const at = Array.from({ length: n }, (_, i) => (24 * i) / n);
  return circle(at, 24, at.map((h) => `${plain(h)} h`));
}

/** Classes around a circle, at the arc between them, or the chord through it. */
export function circle(at: number[], period: number, labels: string[], chord = false): Ground {
  const length = (apart: number) => (chord ? (period / Math.PI) * Math.sin((Math.PI * apart) / period) : Math.min(apart, period - apart));
  return { ...PLAIN, kind: "circle", labels, cost: at.map((a) => at.map((b) => length(Math.abs(a - b)))) };
}

/** Leaves of a tree, by their paths; every edge has length 1. */
export function tree(leaves: string[]): Ground {
  const paths = leaves.map((leaf) => leaf.split("/"));
  const shared = (a: string[], b: string[]) => {
    let n = 0;
    while (n < a.length && n < b.length && a[n] === b[n]) n++;
    return n;
  };
  return {
    ...PLAIN,
    kind: "tree",
    labels: paths.map((path) => path[path.length - 1]),
    cost: paths.map((a) => paths.map((b) => a.length + b.length - 2 * shared(a, b))),
    paths,
    branches: paths.flatMap((path, start) =>
      path.flatMap((_, depth) => {
        const below = paths.map((other) => shared(path, other) > depth);
        return below.indexOf(true) === start ? [{ length: 1, start, end: below.lastIndexOf(true) + 1 }] : [];
      }),
    ),
  };
}

/** A tree of the reader's data, its leaves in the order of its branches. */
export const treeOf = (labels: string[], cost: number[][], paths: string[][], branches: Branch[]): Ground => ({ ...PLAIN, kind: "tree", labels, cost, paths, branches });

/** Classes in no order, each two at a distance of their own. */
export const costs = (labels: string[], cost: number[][]): Ground => ({ ...PLAIN, kind: "costs", labels, cost });

export const ANIMALS = [
  "mammal/dog/wolf",
  "mammal/dog/fox",
  "mammal/cat/lion",
  "mammal/cat/lynx",
  "bird/gull",
  "bird/owl",
  "fish/trout",
];

/** What losses are computed on. */
export const judged = (ground: Ground): Ground => ground.trained?.ground ?? ground;

/** The place of a number on the scale of the training. */
export function placeOf(y: number, { knots }: Trained): number {
  let k = 0;
  while (k < knots.length - 2 && knots[k + 1][0] <= y) k++;
  const [[a, from], [b, to]] = [knots[k], knots[k + 1]];
  if (y === b) return to;
  return from + ((y - a) / (b - a)) * (to - from);
}

/** The ground with all its distances times a factor. */
export function scaled(ground: Ground, unit: number): Ground {
  const times = (xs: number[]) => xs.map((x) => x * unit);
  const branches = ground.branches.map((branch) => ({ ...branch, length: branch.length * unit }));
  return { ...ground, cost: ground.cost.map(times), positions: times(ground.positions), edges: times(ground.edges), branches, unit };
}

/** The same bins with other edges; classes stay where they are. */
export function moved(ground: Ground, edges: number[]): Ground {
  if (ground.ticks !== "edges") return { ...ground, edges };
  const { trained, tails, unit } = ground;
  const inTraining = trained && { ...trained, ground: moved(trained.ground, edges.map((edge) => placeOf(edge, trained))) };
  return { ...binned(edges), tails, unit, trained: inTraining };
}

/** Distance across each cut of a line; null on other grounds. */
export function cutsOf(ground: Ground): number[] | null {
  if (ground.kind !== "line") return null;
  return ground.positions.slice(1).map((x, k) => x - ground.positions[k]);
}

/** Bin that holds a number; one beyond the outer edges goes to the end bin. */
export function binOf(edges: number[], y: number): number {
  let k = 0;
  while (k < edges.length - 2 && edges[k + 1] <= y) k++;
  return k;
}

/** A number as a person writes it, with a real minus. */
export const plain = (x: number): string =>
  String(Number(x.toPrecision(6))).replace("-", "\u2212");
