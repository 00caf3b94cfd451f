/** The truth below a prediction: drawn, and moved by hand. */

import { drag } from "d3-drag";
import { select } from "d3-selection";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Frame, fromOrdinal, middle, ordinal } from "./frame";
import { type Ground, nClasses } from "./grounds";
import { barKey } from "./keys";
import type { Truth } from "./maths";
import { raise } from "./state";
import { brief, percent } from "./text";

interface BandProps {
  name: string;
  ground: Ground;
  truth: Truth;
  q: number[];
  frame: Frame;
  bar: number;
  top: number;
  height: number;
  onTruth: (truth: Truth) => void;
}

/** The truth: one block, hanging bars of a distribution, or a pin at a number. */
export function TruthBand({ name, ground, truth, q, frame, bar, top, height, onTruth }: BandProps) {
  const k = nClasses(ground);
  const hit = useRef<SVGRectElement>(null);
  const group = useRef<SVGGElement>(null);
  const [chosen, setChosen] = useState(0);
  const spread = truth.kind === "noisy" || truth.kind === "soft";
  const most = spread ? Math.max(...q) : 1;

  const focusOne = (bin: number) => {
    setChosen(bin);
    const one = group.current?.querySelector<SVGGElement>(spread ? `[data-truth="${bin}"]` : "[data-truth]");
    one?.focus({ preventScroll: true });
  };
  const latest = useRef({ truth, q, frame, ground, k, onTruth, focusOne });
  latest.current = { truth, q, frame, ground, k, onTruth, focusOne };
  useEffect(() => {
    if (!hit.current) return;
    let start = { y: 0, bin: 0, q: [] as number[] };
    const move = (event: { x: number; y: number }) => {
      const { truth, frame, ground, k, onTruth } = latest.current;
      const place = (event.x - frame.left) / frame.step;
      if (truth.kind === "one") onTruth({ kind: "one", at: Math.min(Math.max(Math.floor(place), 0), k - 1) });
      else if (truth.kind === "number") onTruth({ kind: "number", y: Number(fromOrdinal(ground.edges, place).toPrecision(6)) });
      else onTruth({ kind: truth.kind, q: raise(start.q, start.bin, start.q[start.bin] + (event.y - start.y) / 60) });
    };
    const behavior = drag<SVGRectElement, unknown>()
      .container(() => group.current!.ownerSVGElement!)
      .on("start", (event) => {
        const { q, frame, k, focusOne, truth } = latest.current;
        const bin = Math.min(Math.max(Math.floor((event.x - frame.left) / frame.step), 0), k - 1);
        start = { y: event.y, bin, q: [...q] };
        focusOne(bin);
        if (truth.kind === "one" || truth.kind === "number") move(event);
      })
      .on("drag", move);
    select(hit.current).call(behavior);
  }, []);

  const step = (event: KeyboardEvent): number => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -Infinity, End: Infinity }[event.key] ?? 0;
    if (by) event.preventDefault();
    return by;
  };
  const onOneKey = (event: KeyboardEvent) => {
    const by = step(event);
    if (!by) return;
    if (truth.kind === "one") onTruth({ kind: "one", at: Math.min(Math.max(truth.at + by, 0), k - 1) });
    if (truth.kind === "number") {
      const place = Math.min(Math.max(ordinal(ground.edges, truth.y) + by * 0.1, 0), k);
      onTruth({ kind: "number", y: Number(fromOrdinal(ground.edges, place).toPrecision(6)) });
    }
  };
  const onShareKey = (event: KeyboardEvent, bin: number) => {
    const act = barKey(event, q, bin, k);
    if (!act || truth.kind === "one" || truth.kind === "number") return;
    event.preventDefault();
    if (act.p) onTruth({ kind: truth.kind, q: act.p });
    if (act.to !== undefined) focusOne(act.to);
  };

  let marks;
  if (truth.kind === "one" || truth.kind === "number") {
    const x = truth.kind === "one" ? middle(frame, truth.at) : frame.left + ordinal(ground.edges, truth.y) * frame.step;
    const words = truth.kind === "one" ? ground.labels[truth.at] : brief(truth.y);
    marks = (
      <g
        class="truth"
        data-truth="0"
        role="slider"
        tabindex={0}
        aria-label={`${name}, ${truth.kind === "one" ? "true bin" : "true number"}`}
        aria-valuemin={truth.kind === "one" ? 1 : ground.edges[0]}
        aria-valuemax={truth.kind === "one" ? k : ground.edges[k]}
        aria-valuenow={truth.kind === "one" ? truth.at + 1 : truth.y}
        aria-valuetext={words}
        onKeyDown={onOneKey}
      >
        <rect class="focus" x={x - Math.max(bar / 2, 10) - 4} y={top - 4} width={Math.max(bar, 20) + 8} height={height + 8} rx={6} />
        {truth.kind === "one" ? (
          <rect class="block" x={x - bar / 2} y={top} width={bar} height={height - 6} rx={Math.min(4, bar / 4)} />
        ) : (
          <g>
            <path class="block" d={`M${x} ${top - 2}l8 10v12h-16v-12z`} />
            <text class="number" x={x + (x > frame.width - 70 ? -14 : 14)} y={top + 16} style={{ textAnchor: x > frame.width - 70 ? "end" : "start" }}>
              {words}
            </text>
          </g>
        )}
      </g>
    );
  } else {
    marks = q.map((share, bin) => (
      <g
        key={bin}
        class="truth"
        data-truth={bin}
        role="slider"
        tabindex={bin === Math.min(chosen, k - 1) ? 0 : -1}
        aria-label={`${name}, ${truth.kind === "noisy" ? "frequency" : "target mass"} of ${ground.labels[bin]}`}
        aria-orientation="vertical"
        aria-valuemin={0}
        aria-valuemax={1}
        aria-valuenow={Number(share.toFixed(4))}
        aria-valuetext={percent(share)}
        onKeyDown={(event) => onShareKey(event, bin)}
        onFocus={() => setChosen(bin)}
      >
        <rect class="focus" x={frame.left + bin * frame.step} y={top - 4} width={frame.step} height={height + 4} rx={4} />
        <rect class="block" x={middle(frame, bin) - bar / 2} y={top} width={bar} height={Math.max((share / most) * (height - 6), 0.75)} rx={Math.min(2, bar / 4)} />
      </g>
    ));
  }
  return (
    <g ref={group}>
      {marks}
      <rect ref={hit} class="hit" x={frame.left} y={top - 10} width={frame.width - frame.left - frame.right} height={height + 40} />
    </g>
  );
}
