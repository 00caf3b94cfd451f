/** The tree of a hierarchy of classes. */

import { middle, type Frame } from "./frame";
import type { Ground } from "./grounds";

/** No name holds it. */
const STEP = "\u0001";
const LETTER = 6.6;

/** The tree above its leaves, root at the bottom. */
export function Dendrogram({ ground, frame, top, height }: { ground: Ground; frame: Frame; top: number; height: number }) {
  const deepest = Math.max(...ground.paths.map((path) => path.length));
  const level = (depth: number) => top + height * (1 - depth / deepest);
  const placed = new Map<string, number[]>();
  ground.paths.forEach((path, leaf) => {
    for (let depth = 0; depth < path.length; depth++) {
      const key = path.slice(0, depth).join(STEP);
      placed.set(key, [...(placed.get(key) ?? []), middle(frame, leaf)]);
    }
  });
  const mean = (xs: number[]) => xs.reduce((a, x) => a + x, 0) / xs.length;
  const at = (path: string[], leaf: number) =>
    path.length === ground.paths[leaf].length ? middle(frame, leaf) : mean(placed.get(path.join(STEP))!);
  const drawn = new Set<string>();
  const lines = ground.paths.flatMap((path, leaf) =>
    path.map((_, depth) => {
      const [child, parent] = [path.slice(0, depth + 1), path.slice(0, depth)];
      if (drawn.has(child.join(STEP))) return null;
      drawn.add(child.join(STEP));
      const bottom = depth + 1 === path.length ? top : level(depth + 1);
      return <path d={`M${at(child, leaf)} ${bottom}V${level(depth)}H${at(parent, leaf)}`} />;
    }),
  );
  // A name wider than its branch would run into the next.
  const within = (name: string, leaves: number) => {
    const room = Math.floor((leaves * frame.step - 6) / LETTER);
    return name.length <= room ? name : room > 2 ? `${name.slice(0, room - 1)}…` : "";
  };
  const names = [...placed].filter(([key]) => key && !key.includes(STEP));
  return (
    <g class="tree" aria-hidden="true">
      {lines}
      {names.map(([key, xs]) => {
        const name = within(key, xs.length);
        // The last may reach a little into the margin of the page.
        const x = Math.min(mean(xs) + 4, frame.width + 14 - name.length * LETTER);
        return <text x={x} y={level(1) + 14}>{name}</text>;
      })}
    </g>
  );
}
