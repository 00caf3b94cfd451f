/** What the strips show, and the controls of each view. */

import { MOST_STEPS } from "./descent";
import { asNumber, targetUnit } from "./rows";
import type { StageProps } from "./stage";
import type { View } from "./state";
import { percent } from "./text";

const VIEW_NAMES: [View, string][] = [
  ["push", "Pushes"],
  ["weight", "Weights"],
  ["run", "Training"],
  ["noise", "Noise"],
];

/** What the strips show, and what sets it going. */
export function Bar({ state, ground, running, onChange, onRun, onState }: Omit<StageProps, "width" | "note" | "tracks">) {
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
