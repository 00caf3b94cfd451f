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
    "brier",
    "Brier score: strictly proper, feels no distance. q is 1 on the true class and 0 elsewhere.",
    display(<>{total("j")}<Msup><Mrow>{o("(")}{sub("p", "j")}{o("−")}{sub("q", "j")}{o(")")}</Mrow>{n(2)}</Msup></>),
  ],
  [
    "cdw-ce",
    "Distance-weighted cross-entropy: not proper, it ends on the classes of least expected distance.",
    display(<>{o("−")}{total("j")}{v("d")}{o("(")}{v("j")}{o(",")}{v("y")}{o(")")}<Mspace width="0.2em" />{log}{o("(")}{n(1)}{o("−")}{sub("p", "j")}{o(")")}</>),
  ],
  [
    "slace",
    "Soft labels, accumulating cross-entropy: not proper, but it ends close to the frequencies. The soft label s falls with the distance, and P is the predicted chance to be no farther off than class i.",
    display(<>{o("−")}{total("i")}{sub("s", "i")}{log}<Mspace width="0.2em" />{sub("P", "i")}</>),
  ],
  [
    "weighted_kappa",
    "Weighted kappa: one number for a whole batch, so no single prediction here has a value. Not proper. q are the shares of the labels in the batch.",
    display(<><Mfrac><Mrow>{total("n")}{total("j")}{sub("p", "nj")}<Msup><Mrow>{v("d")}{o("(")}{v("j")}{o(",")}{sub("y", "n")}{o(")")}</Mrow>{n(2)}</Msup></Mrow><Mrow>{total("n")}{total("j")}{sub("p", "nj")}{total("k")}{sub("q", "k")}<Msup><Mrow>{v("d")}{o("(")}{v("j")}{o(",")}{v("k")}{o(")")}</Mrow>{n(2)}</Msup></Mrow></Mfrac></>),
  ],
  [
    "levels",
    "Levels: K − 1 outputs z that each answer “above class k?”, with a cross-entropy for each (CORAL, OR-CNN). Where they fall from cut to cut, it is cce.",
    display(<>{o("−")}{total("k")}{log}<Mspace width="0.2em" />{v("σ")}{o("(")}{o("±")}{sub("z", "k")}{o(")")}</>),
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

