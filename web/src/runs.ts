/** Gradient descent from the prediction on the page, step by step. */

import { useEffect, useRef } from "preact/hooks";
import { advance, MOST_STEPS, type Track } from "./descent";
import type { Ground } from "./grounds";
import { refusal, targetOf } from "./maths";
import { logitsOf, lossOf } from "./rows";
import type { State } from "./state";

/** The runs of all losses, brought to the step the state is at. */
export function useTracks(state: State, ground: Ground): Record<string, Track> {
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
export function useRun(running: boolean, setRunning: (on: boolean) => void, state: State, onState: (state: State) => void) {
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
