/** Build the page: one HTML file with its style, its script and its first state.
 *
 *     node build.mjs [OUT]
 */

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const read = (path) => readFileSync(here(path), "utf8");
const out = process.argv[2] ?? here("../src/offby/explain/page.html");

async function bundled(entry, settings) {
  const found = await build({
    entryPoints: [here(entry)],
    bundle: true,
    write: false,
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    ...settings,
  });
  return found.outputFiles[0].text;
}

const node = await bundled("src/prerender.tsx", { format: "esm", platform: "node" });
const folder = mkdtempSync(join(tmpdir(), "offby-"));
writeFileSync(join(folder, "prerender.mjs"), node);
const { prerendered } = await import(pathToFileURL(join(folder, "prerender.mjs")));
rmSync(folder, { recursive: true });
const { first, facts } = prerendered();

const define = { __FACTS__: JSON.stringify(facts) };
const script = (await bundled("src/main.tsx", { minify: true, format: "iife", target: "es2022", define }))
  .trim()
  .replaceAll("</script", "<\\/script");
const style = (await build({ entryPoints: [here("src/style.css")], minify: true, write: false })).outputFiles[0].text.trim();

// What only works with the script hides before the first paint, not after it.
const early = 'document.documentElement.className="live"';
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const parts = {
  "{{script-hashes}}": `${hash(early)} ${hash(script)}`,
  "{{style}}": style,
  "{{early}}": early,
  "{{first}}": first,
  "{{script}}": script,
};
const page = read("src/template.html").replace(/\{\{[a-z-]+\}\}/g, (name) => parts[name]);
writeFileSync(out, page);
