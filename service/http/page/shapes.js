/** Shape explorer: what goes in and comes out of RNN, GRU and LSTM, cell by cell. */

import { byId, element, seriesColour, svg } from "./element.js";

export const GATES = { lstm: 4, gru: 3, rnn: 1 };
const CLASSES = { lstm: "nn.LSTM", gru: "nn.GRU", rnn: "nn.RNN" };
const SLIDERS = [
  ["batch", "Batch", 1, 6, 3], ["time", "Length", 1, 10, 5], ["input", "Input size", 1, 8, 4],
  ["hidden", "Hidden size", 1, 8, 3], ["layers", "Layers", 1, 4, 2],
];
const SIDE = 20; // of a cell, in pixels
const DEPTH = 13; // of a sheet behind another

let setting;
let blocks = [];

/** Shapes and parameter counts as PyTorch's documentation states them. */
export function contract({ cell, batch, time, input, hidden, layers, directions, batchFirst }) {
  const leading = batchFirst ? [batch, time] : [time, batch];
  const state = [layers * directions, batch, hidden];
  const perLayer = Array.from({ length: layers }, (_, layer) => {
    const width = layer ? directions * hidden : input;
    return { layer, width, parameters: directions * GATES[cell] * hidden * (width + hidden + 2) };
  });
  const parameters = perLayer.reduce((sum, { parameters: own }) => sum + own, 0);
  return {
    input: [...leading, input],
    output: [...leading, directions * hidden],
    states: cell === "lstm" ? { h: state, c: state } : { h: state },
    perLayer,
    parameters,
    textbookParameters: parameters - layers * directions * GATES[cell] * hidden,
  };
}

export function startShapes() {
  const form = byId("shapes-form");
  for (const [name, title, least, most, value] of SLIDERS) {
    const shown = element("output", { htmlFor: `shape-${name}` }, String(value));
    const range = element("input", { type: "range", id: `shape-${name}`, name, min: least, max: most });
    range.value = value;
    range.addEventListener("input", () => { shown.textContent = range.value; });
    form.append(element("div", {}, element("label", { htmlFor: range.id }, title, shown), range));
  }
  const choice = (cell) => element("label", {},
    element("input", { type: "radio", name: "cell", value: cell, checked: cell === "lstm" }), cell.toUpperCase());
  form.append(element("fieldset", { class: "cells" }, element("legend", {}, "Cell"), ...Object.keys(GATES).map(choice)));
  const flag = (name, title, checked) => element("label", {}, element("input", { type: "checkbox", name, checked }), title);
  form.append(element("fieldset", {}, flag("bidirectional", "bidirectional", true), flag("batchFirst", "batch_first", true)));
  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  draw();
}

function draw() {
  const data = new FormData(byId("shapes-form"));
  setting = Object.fromEntries(SLIDERS.map(([name]) => [name, Number(data.get(name))]));
  setting.cell = data.get("cell");
  setting.directions = data.has("bidirectional") ? 2 : 1;
  setting.batchFirst = data.has("batchFirst");
  const shapes = contract(setting);
  const leading = setting.batchFirst ? ["batch", "time"] : ["time", "batch"];
  blocks = [
    block("input", shapes.input, [...leading, "features"], () => seriesColour(1), "the texts' embeddings"),
    block("output", shapes.output, [...leading, "directions · hidden"], directionOfColumn, "the last layer's h at every step"),
    ...Object.entries(shapes.states).map(([name, shape]) =>
      block(`${name}_n`, shape, ["layers · directions", "batch", "hidden"], directionOfSheet,
        name === "h" ? "each layer's last h" : "each layer's last c, which only LSTM has")),
  ];
  const [input, output, ...state] = blocks.map(({ figure }) => figure);
  for (const figure of [input, output]) figure.className = "card";
  const said = setting.cell === "lstm" ? "state = (h_n, c_n), a tuple of two tensors" : "state = h_n, a single tensor";
  byId("shapes-blocks").replaceChildren(input, output,
    element("section", { class: "card state" }, element("h2", { class: "eyebrow mono" }, said), ...state));
  byId("shapes-code").textContent = code();
  describe();
  showParameters(shapes);
}

const directionOfColumn = (at) => seriesColour(at[2] < setting.hidden ? 2 : 3);
const directionOfSheet = (at) => seriesColour(setting.directions === 2 && at[0] % 2 ? 3 : 2);

function code() {
  const { cell, input, hidden, layers, directions, batchFirst } = setting;
  const name = cell;
  const state = cell === "lstm" ? "(h_n, c_n)" : "h_n";
  return `${name} = ${CLASSES[cell]}(${input}, ${hidden}, num_layers=${layers}, bidirectional=${directions === 2 ? "True" : "False"}, ` +
    `batch_first=${batchFirst ? "True" : "False"})\noutput, ${state} = ${name}(input)`;
}

/** A tensor of three axes: sheets behind one another, rows, columns. */
function block(name, shape, axes, colour, said) {
  const [sheets, rows, columns] = shape;
  const place = ([i, j, k]) => [34 + i * DEPTH + k * SIDE, 18 + (sheets - 1 - i) * DEPTH + j * SIDE];
  const width = Math.max(34 + columns * SIDE + sheets * DEPTH, 34 + (sheets - 1) * DEPTH + 150, 190);
  const height = 18 + rows * SIDE + sheets * DEPTH + 24;
  const label = `${name}, shape ${shape.join(" by ")}: ${axes.join(", ")}. Arrow keys move the slice.`;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, tabindex: 0, role: "group", "aria-label": label, "data-name": name });
  for (let i = sheets - 1; i >= 0; i -= 1) {
    for (let j = 0; j < rows; j += 1) {
      for (let k = 0; k < columns; k += 1) drawing.append(cellAt([i, j, k], place, colour([i, j, k])));
    }
  }
  const lit = svg("g", { class: "lit", "pointer-events": "none" });
  const bottom = 18 + (sheets - 1) * DEPTH + rows * SIDE;
  drawing.append(lit,
    svg("text", { x: 34, y: bottom + 15 }, `${axes[2]} ${columns} →`),
    svg("text", { x: 0, y: 0, transform: `translate(20 ${18 + (sheets - 1) * DEPTH}) rotate(90)` }, `${axes[1]} ${rows} →`),
    svg("text", { x: 34 + (sheets - 1) * DEPTH, y: 12 }, `↗ ${axes[0]} ${sheets}`));
  const point = (event) => {
    const at = event.target.dataset.at?.split(",").map(Number);
    if (at) light(name, at);
  };
  drawing.addEventListener("pointermove", point);
  drawing.addEventListener("pointerdown", point);
  // Focus may scroll the pointer out of a drawing; what the keyboard chose stays lit.
  drawing.addEventListener("pointerleave", () => { if (!document.activeElement.dataset.name) describe(); });
  drawing.addEventListener("focus", () => { if (drawing.matches(":focus-visible")) light(name, [0, 0]); });
  drawing.addEventListener("blur", describe);
  drawing.addEventListener("keydown", (event) => step(event, name, shape));
  const figure = element("figure", {},
    element("figcaption", {}, element("b", { class: "mono" }, name), element("span", { class: "mono" }, `(${shape.join(", ")})`),
      element("span", { class: "muted small" }, said)), drawing);
  return { name, shape, place, lit, figure };
}

const cellAt = (at, place, colour) => {
  const [x, y] = place(at);
  const made = svg("rect", { x, y, width: SIDE - 1, height: SIDE - 1, rx: 2, "data-at": at.join(",") });
  made.style.fill = `color-mix(in srgb, ${colour} 55%, var(--surface))`;
  return made;
};

let chosen = { name: "", at: [0, 0, 0] };

function step(event, name, shape) {
  const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  if (!move) return;
  event.preventDefault();
  const from = chosen.name === name ? chosen.at : [0, 0, 0];
  light(name, [0, 1].map((axis) => (from[axis] + move[axis] + shape[axis]) % shape[axis]));
}

/** Light what belongs to one place: the same text and step, or the same state, everywhere. */
function light(name, at) {
  chosen = { name, at };
  const found = name.endsWith("_n") ? ofState(name, at) : ofStep(name, at);
  for (const { name: other, shape, place, lit } of blocks) {
    const wanted = found.lit[other] ?? (() => false);
    lit.replaceChildren();
    for (let i = shape[0] - 1; i >= 0; i -= 1) {
      for (let j = 0; j < shape[1]; j += 1) {
        for (let k = 0; k < shape[2]; k += 1) {
          if (!wanted(i, j, k)) continue;
          const [x, y] = place([i, j, k]);
          lit.append(svg("rect", { x, y, width: SIDE - 1, height: SIDE - 1, rx: 2 }));
        }
      }
    }
  }
  byId("shapes-caption").textContent = found.said;
}

function ofStep(name, [i, j]) {
  const { batchFirst, hidden, directions, input } = setting;
  const [text, time] = batchFirst ? [i, j] : [j, i];
  const same = (a, b) => a === i && b === j;
  const state = (s, b) => b === text;
  const width = name === "input" ? input : directions * hidden;
  const split = directions === 2 && name === "output" ? `: ${hidden} forward, then ${hidden} backward` : "";
  return {
    lit: { input: same, output: same, h_n: state, c_n: state },
    said: `${name}[${i}, ${j}] is text ${text} at step ${time}, ${width} number${width === 1 ? "" : "s"}${split}. ` +
      `What is left of text ${text} at the end stands in h_n[:, ${text}].`,
  };
}

function ofState(name, [s, text]) {
  const { batchFirst, hidden, directions, layers, time } = setting;
  const layer = Math.floor(s / directions);
  const backward = directions === 2 && s % 2 === 1;
  const last = backward ? 0 : time - 1;
  const top = layer === layers - 1 && name === "h_n";
  const [i, j] = batchFirst ? [text, last] : [last, text];
  const columns = backward ? `${hidden}:` : `:${hidden}`;
  const same = (a, b) => a === s && b === text;
  return {
    lit: {
      input: (a, b) => (batchFirst ? a : b) === text,
      output: (a, b, k) => top && a === i && b === j && (k < hidden) !== backward,
      h_n: same, c_n: same,
    },
    said: `${name}[${s}, ${text}] is layer ${layer}, ${backward ? "backward" : "forward"}, after it has read all of text ${text}` +
      (top ? `. The same numbers stand in output[${i}, ${j}, ${columns}].` : "."),
  };
}

function describe() {
  for (const { lit } of blocks) lit.replaceChildren();
  const { cell, directions, layers } = setting;
  const state = cell === "lstm" ? "a tuple of two, h_n and c_n" : "one tensor, h_n";
  byId("shapes-caption").textContent =
    `The state of ${cell.toUpperCase()} is ${state}, with ${layers * directions} sheet${layers * directions === 1 ? "" : "s"}: ` +
    `${layers} layer${layers === 1 ? "" : "s"} × ${directions} direction${directions === 1 ? "" : "s"}; batch_first does not move its batch. Point at a cell.`;
}

function showParameters({ perLayer, parameters, textbookParameters }) {
  const { cell, hidden, directions } = setting;
  const number = (value) => value.toLocaleString("en");
  byId("shapes-parameters").textContent = number(parameters);
  const head = ["Layer", "directions × gates × hidden × (input + hidden + 2)", "parameters"];
  byId("shapes-layers").replaceChildren(
    element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, ...perLayer.map(({ layer, width, parameters: own }) => element("tr", {},
      element("th", { scope: "row" }, String(layer)),
      element("td", {}, `${directions} × ${GATES[cell]} × ${hidden} × (${width} + ${hidden} + 2)`),
      element("td", {}, number(own))))));
  byId("shapes-bias").textContent =
    `PyTorch keeps two bias vectors for each gate (the “+ 2”); a textbook counts one: ${number(textbookParameters)}.`;
}
