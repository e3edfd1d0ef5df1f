/** One LSTM, NumPy beside PyTorch: every gate and state of three steps, and its arithmetic. */

import { byId, element } from "./element.js";
import { show } from "./problem.js";

const NAMES = { i: "input gate", f: "forget gate", g: "candidate", o: "output gate", c: "cell state", h: "hidden state" };

export async function startAgreement() {
  try {
    const { agreement } = await (await fetch(new URL("principles.json", import.meta.url))).json();
    draw(agreement);
  } catch {
    show(new Error("The numbers of this view can't be loaded."));
  }
}

/** The rows of a step in the order of the equations: four gates, then c, then h. */
const rowsOf = (step) => ({ ...step.gates, c: step.c, h: step.h });

function draw({ steps, tolerance }) {
  const largest = Math.max(...steps.flatMap((step) => Object.values(rowsOf(step)).flatMap(differences)));
  byId("agreement-summary").textContent =
    `Largest difference of all: ${scientific(largest)}. The test that makes these numbers allows ${scientific(tolerance)}.`;
  byId("agreement-steps").replaceChildren(...steps.map((step, number) => card(step, number)));
  document.querySelector("#agreement-steps button").click();
}

function card(step, number) {
  const table = element("table", { class: "agree" },
    element("thead", {}, element("tr", {}, ...["", "NumPy", "PyTorch", "difference"].map((title) => element("th", { scope: "col" }, title)))));
  const body = table.createTBody();
  for (const [name, pair] of Object.entries(rowsOf(step))) {
    for (const unit of pair.numpy.keys()) {
      const row = element("tr", { class: unit ? "" : "group" }, element("th", { scope: "row", title: NAMES[name] }, `${name}[${unit}]`));
      for (const source of ["numpy", "pytorch"]) {
        const open = (event) => explain(event.currentTarget, step, number, name, unit, source);
        const button = element("button", { type: "button", "aria-pressed": "false", onclick: open }, short(pair[source][unit]));
        button.setAttribute("aria-label", `${name}[${unit}] of step ${number + 1} in ${source}: ${short(pair[source][unit])}`);
        row.append(element("td", {}, button));
      }
      row.append(element("td", { class: "muted" }, scientific(differences(pair)[unit])));
      body.append(row);
    }
  }
  return element("section", { class: "card" }, element("h2", { class: "eyebrow" }, `Step ${number + 1}`),
    element("p", { class: "mono small" }, `x = (${step.x.map(short).join(", ")})`),
    element("p", { class: "mono small muted" }, `h = (${step.h_before.map(short).join(", ")})`),
    element("p", { class: "mono small muted" }, `c = (${step.c_before.map(short).join(", ")})`),
    element("div", { class: "scroll" }, table));
}

function explain(button, step, number, name, unit, source) {
  for (const other of document.querySelectorAll("#agreement-steps button")) other.setAttribute("aria-pressed", other === button);
  const { numpy, pytorch } = rowsOf(step)[name];
  const given = (source === "numpy" ? numpy : pytorch)[unit];
  const lines = arithmetic(step, name, unit);
  byId("agreement-arithmetic").replaceChildren(
    element("p", { class: "muted" }, `Step ${number + 1}, ${NAMES[name]}, unit ${unit}, ${source === "numpy" ? "NumPy" : "PyTorch"}`),
    ...lines.map((line) => element("p", {}, line)),
    element("p", { class: "answer" }, `= ${given}`),
    element("p", { class: "muted" }, source === "numpy" ? `PyTorch has ${pytorch[unit]}` : `NumPy has ${numpy[unit]}`));
}

/** The equation, then the same with its numbers, from the operands stored with the answer. */
export function arithmetic(step, name, unit) {
  const of = (gate) => step.gates[gate].numpy[unit];
  if (name === "c") {
    return [`c[${unit}] = f[${unit}] · c_before[${unit}] + i[${unit}] · g[${unit}]`,
      `= ${short(of("f"))} · ${signed(step.c_before[unit])} + ${short(of("i"))} · ${signed(of("g"))}`];
  }
  if (name === "h") {
    return [`h[${unit}] = o[${unit}] · tanh(c[${unit}])`,
      `= ${short(of("o"))} · tanh(${short(step.c.numpy[unit])}) = ${short(of("o"))} · ${signed(Math.tanh(step.c.numpy[unit]))}`];
  }
  const gate = step.gates[name];
  const terms = gate.terms[unit];
  const sign = gate.function === "tanh" ? "tanh" : "σ";
  const named = terms.map((term) => term.operand_name === "1" ? term.weight_name : `${term.weight_name}·${term.operand_name}`);
  const numbers = terms.map((term) => term.operand_name === "1" ? signed(term.weight) : `${signed(term.weight)}·${signed(term.operand)}`);
  const total = terms.reduce((sum, term) => sum + term.weight * term.operand, 0);
  return [`${name}[${unit}] = ${sign}(${named.join(" + ")})`, `= ${sign}(${numbers.join(" + ")})`, `= ${sign}(${short(total)})`];
}

const differences = ({ numpy, pytorch }) => numpy.map((value, unit) => Math.abs(value - pytorch[unit]));
const short = (value) => (Number.isInteger(value) || value === Number(value.toFixed(1)) ? String(value) : value.toFixed(4)).replace("-", "−");
const plain = (value) => (Math.abs(value * 10 - Math.round(value * 10)) < 1e-9 ? String(value) : value.toFixed(4));
const signed = (value) => (value < 0 ? `(${plain(value).replace("-", "−")})` : plain(value));
const scientific = (value) => (value === 0 ? "0" : value.toExponential(1).replace("-", "−"));
