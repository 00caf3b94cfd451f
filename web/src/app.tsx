/** The page, as a function of its state. */

import { useState } from "preact/hooks";
import { Stops } from "./contents";
import { type Change, Controls } from "./controls";
import type { Data } from "./data";
import { Formulas } from "./formulas";
import type { Ground } from "./grounds";
import { firstRow, stateOfData } from "./own";
import { useRun, useTracks } from "./runs";
import { Stage } from "./stage";
import { groundOf, type State, toHash } from "./state";
import { STOPS } from "./stops";

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
          <Stage {...{ state, ground, width, tracks, running }} note={data?.note ?? ""} onChange={change} onRun={setRunning} onState={onState} />
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
