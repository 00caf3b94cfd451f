/** The losses as formulas, in MathML. */

import type { ComponentChildren } from "preact";

// Preact's types know few MathML elements; the browser knows them all.
const h = (name: string) => name as any;
const [Math_, Mrow, Mi, Mo, Mn, Msub, Msup, Munder, Mfrac, Mspace] = [
  "math", "mrow", "mi", "mo", "mn", "msub", "msup", "munder", "mfrac", "mspace",
].map(h);

const v = (name: string) => <Mi>{name}</Mi>;
const o = (sign: string) => <Mo>{sign}</Mo>;
const n = (x: number) => <Mn>{x}</Mn>;
const sub = (name: string, index: string) => <Msub>{v(name)}{v(index)}</Msub>;
const total = (index: string) => <Munder><Mo movablelimits="false">∑</Mo>{v(index)}</Munder>;
const log = <Mi mathvariant="normal">log</Mi>;
const display = (inside: ComponentChildren) => <Math_ display="block"><Mrow>{inside}</Mrow></Math_>;

const FORMULAS: [name: string, words: string, formula: ComponentChildren][] = [
  ["ce", "Cross-entropy: strictly proper, feels no distance.", display(<>{o("−")}{total("j")}{sub("q", "j")}{log}<Mspace width="0.2em" />{sub("p", "j")}</>)],
  ["emd1", "Wasserstein distance to a class y: not proper.", display(<>{total("j")}{sub("p", "j")}{v("d")}{o("(")}{v("j")}{o(",")}{v("y")}{o(")")}</>)],
  [
    "emd2",
    "Squared EMD, the ranked probability score: strictly proper on a line. F and G are the mass up to cut k, predicted and true; w is the gap there.",
    display(<>{total("k")}{sub("w", "k")}<Msup><Mrow>{o("(")}{sub("F", "k")}{o("−")}{sub("G", "k")}{o(")")}</Mrow>{n(2)}</Msup></>),
  ],
  [
    "cce",
    "Cumulative cross-entropy: strictly proper, one cross-entropy per cut.",
    display(<>{o("−")}{total("k")}{sub("w", "k")}{o("[")}{sub("G", "k")}{log}{sub("F", "k")}{o("+")}{o("(")}{n(1)}{o("−")}{sub("G", "k")}{o(")")}{log}{o("(")}{n(1)}{o("−")}{sub("F", "k")}{o(")")}{o("]")}</>),
  ],
  [
    "crps",
    "CRPS of the histogram against a number y: strictly proper.",
    display(<><Mo>∫</Mo><Msup><Mrow>{o("(")}{v("F")}{o("(")}{v("x")}{o(")")}{o("−")}<Msub><Mn>1</Mn><Mrow>{v("y")}{o("≤")}{v("x")}</Mrow></Msub>{o(")")}</Mrow>{n(2)}</Msup><Mspace width="0.2em" />{v("d")}{v("x")}</>),
  ],
  [
    "push",
    "From weights g on the masses to pushes on the logits z: every push is multiplied by the mass of its class.",
    display(<>{o("−")}<Mfrac><Mrow>{o("∂")}{v("ℓ")}</Mrow><Mrow>{o("∂")}{sub("z", "j")}</Mrow></Mfrac>{o("=")}{o("−")}{sub("p", "j")}{o("(")}{sub("g", "j")}{o("−")}{total("i")}{sub("p", "i")}{sub("g", "i")}{o(")")}</>),
  ],
];

export function Formulas() {
  return (
    <details class="formulas">
      <summary>The formulas</summary>
      <dl>
        {FORMULAS.map(([name, words, formula]) => (
          <div key={name}>
            <dt><code>{name}</code> {words}</dt>
            <dd>{formula}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

