/** The page, as a function of its state. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Cdfs } from "./cdf";
import { Controls, type Change } from "./controls";
import type { Data } from "./data";
import { advance, MOST_STEPS, type Track } from "./descent";
import { domainOf, Figure, frameOf } from "./figure";
import { Formulas } from "./formulas";
import { nClasses, type Ground } from "./grounds";
import { refusal, targetOf } from "./maths";
import { asNumber, Duel, logitsOf, lossOf, Rows, targetUnit } from "./rows";
import { groundOf, toHash, type State, type View } from "./state";
import { STOPS } from "./stops";
import { percent } from "./text";

/** Below this width of the figure there is one column, and names stand above strips. */
const NARROW = 620;

interface Props {
  state: State;
  data: Data | null;
  /** What was wrong with the address or the data. */
  complaint: string | null;
  width: number;
  onState: (state: State) => void;
}

export function App({ state, data, complaint, width, onState }: Props) {
  const ground = groundOf(state.place, data) as Ground;
  const change: Change = (part) => onState({ ...state, steps: 0, ...part });
  const [running, setRunning] = useState(false);
  const tracks = useTracks(state, ground);
  useRun(running, setRunning, state, onState);
  const known = state.stop === 0 ? stateOfData(data!, state.row, state.models) : STOPS[state.stop - 1].state;
  const changed = toHash({ ...state, steps: 0 }, null) !== toHash({ ...known, steps: 0 }, null);
  const go = (stop: number) => {
    setRunning(false);
    const next = stop === 0 ? stateOfData(data!, firstRow(data!)) : STOPS[stop - 1].state;
    onState(next);
    if (globalThis.matchMedia?.("(max-width: 900px)").matches) globalThis.scrollTo?.({ top: 0 });
  };
  return (
    <>
      {complaint && (
        <p class="complaint" role="alert">
          {complaint} Here is the first state instead.
        </p>
      )}
      <div class="columns">
        <Stops stop={state.stop} data={data} state={state} onGo={go} onChange={change} />
        <section class="stage" aria-label="The figure">
          <Stage {...{ state, ground, width, tracks, running }} onChange={change} onRun={setRunning} onState={onState} />
          <p class="changed controls" hidden={!changed}>
            The figure has moved on from the text.{" "}
            <button type="button" onClick={() => go(state.stop)}>
              Take it back
            </button>
          </p>
          <Controls {...{ state, ground, data }} onChange={change} />
        </section>
      </div>
      <Formulas />
    </>
  );
}

interface StopsProps {
  stop: number;
  data: Data | null;
  state: State;
  onGo: (stop: number) => void;
  onChange: Change;
}

function Stops({ stop, data, state, onGo, onChange }: StopsProps) {
  const first = data ? 0 : 1;
  return (
    <nav class="stops" aria-label="Seven stops">
      {data && <Own {...{ data, state, onGo, onChange }} active={stop === 0} />}
      <ol>
        {STOPS.map(({ title, text, advice }, n) => (
          <li key={title} class={stop === n + 1 ? "stop active" : "stop"}>
            <h2>
              <button type="button" aria-expanded={stop === n + 1} onClick={() => onGo(n + 1)}>
                <span class="number">{n + 1}</span>
                {title}
              </button>
            </h2>
            <div class="body">
              {text}
              <p class="advice">{advice}</p>
            </div>
          </li>
        ))}
      </ol>
      <p class="pager">
        <button type="button" disabled={stop <= first} onClick={() => onGo(stop - 1)}>
          ‹ Back
        </button>
        <span>
          {stop ? `${stop} of ${STOPS.length}` : "your data"}
        </span>
        <button type="button" disabled={stop >= STOPS.length} onClick={() => onGo(stop + 1)}>
          Next ›
        </button>
      </p>
    </nav>
  );
}

/** The reader's own rows: which one, and which two losses trained the predictions. */
function Own({ data, state, active, onGo, onChange }: Omit<StopsProps, "stop"> & { data: Data; active: boolean }) {
  const row = data.rows[state.row];
  const pick = (part: Partial<State>) => onChange({ ...stateOfData(data, part.row ?? state.row, part.models ?? state.models), losses: state.losses });
  const [a, b] = state.models;
  return (
    <div class={active ? "stop own active" : "stop own"}>
      <h2>
        <button type="button" aria-expanded={active} onClick={() => onGo(0)}>
          <span class="number">★</span>
          Your data: {data.target}
        </button>
      </h2>
      {active && row && (
        <div class="body">
          <p>
            Held-out row {row.number} of {data.name}. The truth is{" "}
            <b>{data.numbers ? row.value : data.ground.labels[row.at]}</b>. Two networks predict it, alike but for the
            loss they were trained with.
          </p>
          <p class="picks">
            <label>
              row
              <select value={state.row} onChange={(event) => pick({ row: Number(event.currentTarget.value) })}>
                {data.rows.map(({ number, why }, n) => (
                  <option key={n} value={n}>
                    {number}: {why}
                  </option>
                ))}
              </select>
            </label>
            {[a, b].map((model, side) =>
              model === undefined ? null : (
                <label key={side}>
                  {side ? "against" : "trained with"}
                  <select
                    value={model}
                    onChange={(event) => {
                      const models = [...state.models];
                      models[side] = event.currentTarget.value;
                      pick({ models });
                    }}
                  >
                    {Object.keys(row.probs).map((name) => (
                      <option key={name}>{name}</option>
                    ))}
                  </select>
                </label>
              ),
            )}
          </p>
          <p class="advice">The bars are yours to drag: see what each loss would have said.</p>
        </div>
      )}
    </div>
  );
}

/** The row to open with: the one on which the losses differ most. */
export const firstRow = (data: Data): number => Math.max(data.rows.findIndex(({ why }) => why === "most disputed"), 0);

/** A row of the data, with two of its predictions side by side. */
export function stateOfData(data: Data, row: number, wanted: string[] = []): State {
  const { at, value, probs } = data.rows[row];
  const there = Object.keys(probs);
  const has = wanted.filter((name) => there.includes(name));
  const last = there.includes("emd2") ? "emd2" : there[there.length - 1];
  const models = has.length ? has : [...new Set([there.includes("ce") ? "ce" : there[0], last])];
  const { edges } = data.ground;
  const inside = data.numbers && value >= edges[0] && value <= edges[edges.length - 1];
  const own = data.losses.filter((name) => inside || !/crps|nll/.test(name));
  const losses = [...new Set([...own, "ce", "emd1", "emd2", inside ? "crps" : "cce"])].slice(0, 6);
  const masses = (name: string) => {
    const raised = probs[name].map((x) => Math.max(x, 1e-30));
    const total = raised.reduce((a, x) => a + x, 0);
    return raised.map((x) => x / total);
  };
  return {
    ...STOPS[0].state,
    stop: 0,
    place: "data",
    row,
    models,
    p: masses(models[0]),
    other: models.length > 1 ? masses(models[1]) : null,
    truth: inside ? { kind: "number", y: value } : { kind: "one", at },
    losses,
  };
}

interface StageProps {
  state: State;
  ground: Ground;
  width: number;
  tracks: Record<string, Track>;
  running: boolean;
  onChange: Change;
  onRun: (running: boolean) => void;
  onState: (state: State) => void;
}

export function namesOf(state: State): [string, string] {
  const [a, b] = state.models;
  if (state.place === "data" && a !== undefined && b !== undefined && a !== b) return [`trained with ${a}`, `trained with ${b}`];
  return ["A", "B"];
}

function Stage({ state, ground, width, tracks, running, onChange, onRun, onState }: StageProps) {
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
      <Cdfs
        ground={ground}
        truth={state.truth}
        width={width}
        predictions={pair ? names.map((name, side) => ({ name, p: side ? state.other! : state.p })) : [{ name: "prediction", p: state.p }]}
      />
    </>
  );
}

const VIEW_NAMES: [View, string][] = [
  ["push", "Pushes"],
  ["weight", "Weights"],
  ["run", "Training"],
  ["noise", "Noise"],
];

const EXPLAINED: Record<View, string> = {
  push: "How training moves each bin’s logit, and through it the mass. Each strip has its own scale.",
  weight: "What the loss adds for mass in each bin: its slope there. Each strip has its own scale.",
  run: "Gradient descent from the prediction above; steps as long as the steepest slope allows. Lines mark the truth.",
  noise: "The loss as the true number moves. Shaded: the noise of the number, and the spread of the loss over 400 draws.",
};

/** What the strips show, and what sets it going. */
function Bar({ state, ground, running, onChange, onRun, onState }: Omit<StageProps, "width" | "tracks">) {
  const y = asNumber(state.truth, ground);
  return (
    <div class="bar-of-views controls">
      <fieldset class="views">
        <legend class="quiet">The strips show</legend>
        {VIEW_NAMES.map(([view, words]) => (
          <label key={view}>
            <input
              type="radio"
              name="view"
              value={view}
              checked={state.view === view}
              onChange={() => {
                onRun(false);
                onState({ ...state, view });
              }}
            />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
      {(state.view === "push" || state.view === "weight") && (
        <p class="runs">
          <button type="button" onClick={() => onState({ ...state, view: "run", steps: 1 })}>Step</button>
          <button type="button" class="main" onClick={() => { onState({ ...state, view: "run", steps: 0 }); onRun(true); }}>Run</button>
        </p>
      )}
      {state.view === "run" && (
        <p class="runs">
          <output>
            {state.steps.toLocaleString("en")} step{state.steps === 1 ? "" : "s"}
          </output>
          <button type="button" disabled={running || state.steps >= MOST_STEPS} onClick={() => onState({ ...state, steps: state.steps + 1 })}>
            Step
          </button>
          <button
            type="button"
            class="main"
            onClick={() => {
              if (!running && state.steps >= MOST_STEPS) onState({ ...state, steps: 0 });
              onRun(!running);
            }}
          >
            {running ? "Stop" : "Run"}
          </button>
          <button type="button" disabled={state.steps === 0} onClick={() => { onRun(false); onState({ ...state, steps: 0 }); }}>
            Restart
          </button>
        </p>
      )}
      {state.view === "noise" && y && (
        <p class="shakes">
          <Shake name="Noise of the edges" value={state.edgeNoise} most={0.5} words={`${percent(state.edgeNoise)} of a bin`} onValue={(edgeNoise) => onChange({ edgeNoise })} />
          <Shake
            name="Noise of the number"
            value={state.targetNoise}
            most={3}
            words={`± ${Number((state.targetNoise * targetUnit(ground, (y as { y: number }).y)).toPrecision(2))}`}
            onValue={(targetNoise) => onChange({ targetNoise })}
          />
        </p>
      )}
    </div>
  );
}

function Shake({ name, value, most, words, onValue }: { name: string; value: number; most: number; words: string; onValue: (x: number) => void }) {
  return (
    <label class="shake">
      <span>
        {name} <output>{words}</output>
      </span>
      <input type="range" min={0} max={most} step={most / 50} value={value} onInput={(event) => onValue(Number(event.currentTarget.value))} />
    </label>
  );
}

/** The runs of all losses, brought to the step the state is at. */
function useTracks(state: State, ground: Ground): Record<string, Track> {
  const kept = useRef<{ key: string; tracks: Record<string, Track> }>({ key: "", tracks: {} });
  if (state.view !== "run") return {};
  const key = JSON.stringify([state.place, state.p, state.truth]);
  if (kept.current.key !== key) kept.current = { key, tracks: {} };
  const q = targetOf(state.truth, ground);
  const at = q.includes(1) ? q.indexOf(1) : null;
  for (const name of state.losses) {
    let track = kept.current.tracks[name];
    if (!track || track.steps > state.steps) track = { loss: lossOf(name), logits: logitsOf(state.p), steps: 0, arrived: null };
    kept.current.tracks[name] = runnable(name, state, ground) ? advance(track, at, state.truth, ground, state.steps) : track;
  }
  return { ...kept.current.tracks };
}

const runnable = (name: string, state: State, ground: Ground): boolean =>
  refusal(lossOf(name), state.truth, ground) === null;

/** Ever more steps a frame: early ones are seen one by one, the end comes in seconds. */
function useRun(running: boolean, setRunning: (on: boolean) => void, state: State, onState: (state: State) => void) {
  const latest = useRef(state);
  latest.current = state;
  useEffect(() => {
    if (!running) return;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      onState({ ...latest.current, steps: MOST_STEPS });
      setRunning(false);
      return;
    }
    let frame = requestAnimationFrame(function tick() {
      const { steps } = latest.current;
      const next = Math.min(Math.ceil(steps * 1.035) + 1, MOST_STEPS);
      onState({ ...latest.current, steps: next });
      if (next >= MOST_STEPS) setRunning(false);
      else frame = requestAnimationFrame(tick);
    });
    return () => cancelAnimationFrame(frame);
  }, [running]);
}
