/** One text: label, confidence, latency by stage, and the words that carried the verdict. */

import { byId, element, percent, seriesColour } from "./element.js";
import { attempt } from "./problem.js";
import { info, predict, predictMany } from "./service.js";

const EXAMPLES = {
  "A warm one": "A small, generous film. The script wanders, but the two leads are wonderful together and I left smiling.",
  "A cold one": "Two hours of noise. The jokes fall flat, the plot makes no sense and nobody seems to care.",
  "A turn": "It starts slowly and I nearly gave up, yet the last act is so good that I would happily see it again.",
};
const STAGES = { tokenize: "tokenise", queue: "queue", transport: "transport", inference: "inference" };
const MOST_UNITS = 320;
let running;

export function startPredict() {
  const text = byId("predict-text");
  for (const [name, example] of Object.entries(EXAMPLES)) {
    const use = () => { text.value = example; byId("predict-form").requestSubmit(); };
    byId("predict-examples").append(element("button", { type: "button", onclick: use }, name));
  }
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("predict-form").requestSubmit();
  });
  byId("predict-form").addEventListener("submit", (event) => {
    event.preventDefault();
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    attempt(event.target.querySelector(".main"), () => answer(text.value, signal));
  });
}

async function answer(text, signal) {
  const { model } = await info();
  const given = await predict([text], signal);
  const scores = given.body[0];
  showVerdict(scores, model.labels);
  showLatency(given);
  byId("predict-result").hidden = false;
  byId("predict-status").textContent = `${scores[0].label}, ${percent(scores[0].score)}`;
  await showWords(text, scores[0], signal);
}

function showVerdict(scores, labels) {
  byId("verdict-label").textContent = scores[0].label;
  byId("verdict-label").style.color = seriesColour(labels.indexOf(scores[0].label));
  byId("verdict-score").textContent = percent(scores[0].score);
  byId("verdict-bars").replaceChildren(
    ...scores.map(({ label, score }) => bar(label, score, seriesColour(labels.indexOf(label)))),
  );
}

/** A label, a bar and a share. */
export function bar(label, share, colour, said = percent(share)) {
  const filled = element("i");
  filled.style.width = `${share * 100}%`;
  filled.style.background = colour;
  return element("div", { class: "bar" }, element("span", {}, label),
    element("span", { class: "track" }, filled), element("span", {}, said));
}

function showLatency({ headers, milliseconds }) {
  const timing = Object.fromEntries(
    (headers.get("server-timing") ?? "").split(",").map((part) => {
      const [name, duration] = part.trim().split(";dur=");
      return [name, Number(duration)];
    }),
  );
  byId("latency-total").textContent = `${timing.total.toFixed(2)} ms`;
  const names = Object.keys(STAGES);
  byId("latency-bar").replaceChildren(...names.map((name, index) => {
    const part = element("i");
    part.style.flexGrow = timing[name];
    part.style.background = seriesColour(index + 1);
    return part;
  }));
  byId("latency-stages").replaceChildren(...names.map((name, index) =>
    element("div", { swatch: seriesColour(index + 1) },
      element("dt", {}, STAGES[name]), element("dd", {}, `${timing[name].toFixed(2)} ms`)),
  ));
  const tokens = Number(headers.get("x-tokens"));
  const cut = headers.get("x-truncated") ? ", cut to fit" : "";
  byId("latency-facts").textContent =
    `${tokens} token${tokens === 1 ? "" : "s"}${cut} · in a micro-batch of ${headers.get("x-batch-size")} · ` +
    `${milliseconds.toFixed(1)} ms there and back in this browser`;
}

const logOdds = (share) => Math.log(Math.max(share, 1e-7) / Math.max(1 - share, 1e-7));

/** The text in at most MOST_UNITS pieces of whole words, each with the space behind it. */
export function pieces(text) {
  const words = text.match(/\s*\S+\s*$|\s*\S+\s+/g) ?? [];
  const size = Math.ceil(words.length / MOST_UNITS);
  const joined = [];
  for (let start = 0; start < words.length; start += size) {
    joined.push(words.slice(start, start + size).join(""));
  }
  return joined;
}

async function showWords(text, verdict, signal) {
  const units = pieces(text);
  byId("words-text").replaceChildren(...units);
  byId("words-table").replaceChildren();
  if (units.length < 2) {
    byId("words-text").append(element("em", { class: "muted" }, " — a single word can't be left out."));
    return;
  }
  const progress = byId("words-progress");
  const shown = setTimeout(() => { progress.hidden = false; }, 300);
  const without = units.map((_, index) => units.toSpliced(index, 1).join(""));
  const shares = [];
  try {
    await predictMany(without, (rows, done) => {
      shares.push(...rows.map((row) => row.find(({ label }) => label === verdict.label).score));
      progress.querySelector("progress").value = done / units.length;
      progress.querySelector("span").textContent = `${done} of ${units.length} words`;
    }, signal);
  } finally {
    clearTimeout(shown);
    progress.hidden = true;
  }
  paint(units, shares, verdict);
}

function paint(units, shares, verdict) {
  const weights = shares.map((share) => logOdds(verdict.score) - logOdds(share));
  const strongest = Math.max(...weights.map(Math.abs), 1e-6);
  byId("words-text").replaceChildren(...units.map((unit, index) => {
    const strength = Math.abs(weights[index]) / strongest;
    const word = element("span", { title: change(verdict, shares[index]) }, unit.trimEnd());
    word.style.background = `rgb(var(--${weights[index] > 0 ? "for" : "against"}) / ${(strength * 0.5).toFixed(3)})`;
    if (strength > 0.5) word.classList.add("strong");
    return word;
  }).flatMap((word) => [word, " "]));
  const order = weights.map((_, index) => index)
    .sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a])).slice(0, 6);
  const head = element("tr", {}, ...["Strongest words", "speaks", `${verdict.label} without it`, "log-odds"]
    .map((title) => element("th", { scope: "col" }, title)));
  const rows = order.map((index) => element("tr", {},
    element("th", { scope: "row" }, units[index].trim()),
    element("td", {}, weights[index] > 0 ? "for it" : "against it"),
    element("td", {}, percent(shares[index])),
    element("td", {}, `${weights[index] > 0 ? "+" : "−"}${Math.abs(weights[index]).toFixed(2)}`)));
  byId("words-table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

const change = (verdict, share) => `${verdict.label} ${percent(verdict.score)}, without it ${percent(share)}`;
