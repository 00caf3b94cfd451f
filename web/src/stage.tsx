/** The figure with all that belongs to it: one prediction, or two side by side. */

import { useState } from "preact/hooks";
import { Cdfs } from "./cdf";
import type { Change } from "./controls";
import type { Track } from "./descent";
import { Figure } from "./figure";
import { domainOf, frameOf } from "./frame";
import { type Ground, nClasses } from "./grounds";
import { Duel, Rows } from "./rows";
import { type State, type View } from "./state";
import { Bar } from "./views";

/** Below this width of the figure there is one column, and names stand above strips. */
const NARROW = 620;

export interface StageProps {
  state: State;
  ground: Ground;
  width: number;
  /** What to know of the reader's data. */
  note: string;
  tracks: Record<string, Track>;
  running: boolean;
  onChange: Change;
  onRun: (running: boolean) => void;
  onState: (state: State) => void;
}

function namesOf(state: State): [string, string] {
  const [a, b] = state.models;
  if (state.place === "data" && a !== undefined && b !== undefined && a !== b) return [`trained with ${a}`, `trained with ${b}`];
  return ["A", "B"];
}

export function Stage({ state, ground, width, note, tracks, running, onChange, onRun, onState }: StageProps) {
  const k = nClasses(ground);
  const pair = state.other !== null;
  const names = namesOf(state);
  const [held, setHeld] = useState<number | null>(null);
  const domain = held ?? domainOf([...state.p, ...(state.other ?? [])]);
  const narrow = width < NARROW;
  const half = (width - 32) / 2;
  const frame = frameOf(pair ? half : width, k, !narrow && !pair);
  const onHold = (on: boolean) => setHeld(on ? domain : null);
  const one = { domain, onHold, ground, truth: state.truth, frame, compact: pair || narrow, onTruth: (truth: State["truth"]) => onChange({ truth }) };
  return (
    <>
      {pair ? (
        <div class="pair">
          {[state.p, state.other!].map((p, side) => (
            <div key={side}>
              <h3>
                {side === 0 && names[0] === "A" ? "Prediction A" : side && names[1] === "B" ? "Prediction B" : names[side]}
              </h3>
              <Figure {...one} name={names[side]} p={p} onMasses={(next) => onChange(side ? { other: next } : { p: next })} />
            </div>
          ))}
        </div>
      ) : (
        <Figure {...one} name="prediction" p={state.p} onMasses={(p) => onChange({ p })} />
      )}
      <p class="hint controls">
        <span class="drags">Drag a bar up or down, or its mass sideways. Drag the truth, below.</span>
        <span class="keys">← → choose a bin, ↑ ↓ change its mass, Shift ← → carry mass, T make it the truth</span>
      </p>
      {pair ? (
        <Duel state={state} ground={ground} names={names} short={names[0] === "A" ? names : [`${state.models[0]}’s`, `${state.models[1]}’s`]} />
      ) : (
        <>
          <Bar {...{ state, ground, running }} onChange={onChange} onRun={onRun} onState={onState} />
          <p class="explains">{EXPLAINED[state.view]}</p>
          <Rows state={state} ground={ground} frame={frame} tracks={tracks} />
        </>
      )}
      {ground.kind === "circle" && <p class="explains">The dashed ends are one place: on a circle, the mass takes the shorter way round.</p>}
      {ground.kind === "costs" && <p class="explains">These classes have no order: they stand as they do in the data. The numbers under them are their distances from the true one.</p>}
      {state.place === "data" && note && <p class="explains">{note}</p>}
      <Cdfs
        ground={ground}
        truth={state.truth}
        width={width}
        predictions={pair ? names.map((name, side) => ({ name, p: side ? state.other! : state.p })) : [{ name: "prediction", p: state.p }]}
      />
    </>
  );
}

const EXPLAINED: Record<View, string> = {
  push: "How training moves each bin’s logit, and through it the mass. Each strip has its own scale.",
  weight: "What the loss adds for mass in each bin: its slope there. Each strip has its own scale.",
  run: "Gradient descent from the prediction above; steps as long as the steepest slope allows. Lines mark the truth.",
  noise: "The loss as the true number moves. Shaded: the noise of the number, and the spread of the loss over 400 draws.",
};
