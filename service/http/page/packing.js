/** The typed texts as one batch: padded to a rectangle, and packed step by step. */

import { byId, element, percent, seriesColour } from "./element.js";
import { attempt } from "./problem.js";
import { tokenize } from "./service.js";

const EXAMPLE = `Superb.
I would watch it again tomorrow, and again the day after.
Dull from the first minute to the last.
Not for me, though the music is lovely and the pictures are lovelier.
Go and see it!`;
const MOST_TEXTS = 32;
const MOST_STEPS = 64;

export function startPacking() {
  byId("packing-text").value = EXAMPLE;
  byId("packing-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.target.querySelector(".main"), pack);
  });
  byId("packing-form").requestSubmit();
}

/** Texts still running at each step, as `PackedSequence.batch_sizes` has it. */
export function batchSizes(lengths) {
  const steps = Math.max(...lengths);
  return Array.from({ length: steps }, (_, step) => lengths.filter((length) => length > step).length);
}

async function pack() {
  const lines = byId("packing-text").value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!lines.length) throw new Error("There is no text to pack.");
  const texts = (await tokenize(lines.slice(0, MOST_TEXTS))).map((tokens, index) =>
    ({ name: String(index), colour: seriesColour(index), tokens: tokens.map(({ text }) => text) }));
  const lengths = texts.map(({ tokens }) => tokens.length);
  const steps = Math.max(...lengths);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const cells = steps * texts.length;
  const sizes = batchSizes(lengths);
  const packed = [...texts].sort((a, b) => b.tokens.length - a.tokens.length);

  byId("packing-facts").replaceChildren(
    fact(String(tokens), "tokens"),
    fact(`${texts.length} × ${steps} = ${cells}`, "cells when padded"),
    fact(String(cells - tokens), "cells of padding"),
    fact(percent(1 - tokens / cells), "of the work saved by packing", "good"),
  );
  grid(byId("packing-padded"), texts, steps, true);
  grid(byId("packing-packed"), packed, steps, false, sizes);
  byId("packing-sizes").textContent = `batch_sizes = [${sizes.join(", ")}]\nsorted_indices = [${packed.map(({ name }) => name).join(", ")}]`;
  const left = lines.length - texts.length;
  byId("packing-status").textContent =
    `${texts.length} texts, ${tokens} tokens, ${percent(1 - tokens / cells)} saved` +
    (left > 0 ? `; the other ${left} lines are left out` : "");
  byId("packing-result").hidden = false;
}

function fact(number, said, more = "") {
  return element("div", { class: `fact ${more}` }, element("b", {}, number), element("span", { class: "muted small" }, said));
}

function grid(place, texts, steps, padded, sizes) {
  const shown = Math.min(steps, MOST_STEPS);
  const cells = [element("span", { class: "name" }, "step")];
  for (let step = 0; step < shown; step += 1) cells.push(cell("step", step, String(step)));
  for (const { name, colour, tokens } of texts) {
    cells.push(element("span", { class: "name" }, `text ${name}`));
    for (let step = 0; step < shown; step += 1) {
      if (step < tokens.length) {
        const made = cell("token", step, tokens[step].replace(/^[Ġ▁]/, " ").replace(/^##/, ""));
        made.style.setProperty("--swatch", colour);
        made.title = `text ${name}, step ${step}: ${tokens[step]}`;
        cells.push(made);
      } else cells.push(cell(padded ? "padding" : "nothing", step, ""));
    }
  }
  if (sizes) {
    cells.push(element("span", { class: "name" }, "batch_sizes"));
    for (let step = 0; step < shown; step += 1) cells.push(cell("size", step, String(sizes[step])));
  }
  place.style.gridTemplateColumns = `auto repeat(${shown}, minmax(1.7rem, max-content))`;
  place.replaceChildren(...cells);
  place.onpointerover = (event) => light(event.target.dataset.step);
  place.onpointerleave = () => light(undefined);
}

const cell = (kind, step, text) => element("span", { class: kind, "data-step": step }, text);

/** The same step in both grids. */
function light(step) {
  for (const each of document.querySelectorAll("#packing-result .grid [data-step]")) {
    each.classList.toggle("lit", each.dataset.step === step && !each.classList.contains("nothing"));
  }
}
