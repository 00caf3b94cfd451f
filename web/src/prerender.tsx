/** The first state as text and SVG: what shows before, and without, the script. */

import { render } from "preact-render-to-string";
import { App } from "./app";
import { FACTS, STOPS } from "./stops";

const page = (width: number): string =>
  render(<App state={STOPS[0].state} data={null} complaint={null} width={width} onState={() => {}} />);

/** The page for a wide screen; its figure alone, again, for a narrow one. */
export function prerendered(): { first: string; facts: Record<string, string> } {
  const [open, close] = ['<section class="stage"', "</section>"];
  const part = (html: string) => html.slice(html.indexOf(open), html.indexOf(close) + close.length);
  const wide = page(760);
  const narrow = part(page(342)).replaceAll("clip-", "clip-narrow-").replace('class="stage"', 'class="stage narrow"');
  return { facts: FACTS, first: wide.replace(part(wide), part(wide).replace('class="stage"', 'class="stage wide"') + narrow) };
}
