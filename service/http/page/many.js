/** Many texts: lines or a CSV's column; a table that sorts, filters and downloads. */

import * as csv from "./csv.js";
import { byId, element, percent, seriesColour } from "./element.js";
import { bar } from "./predict.js";
import { attempt, show } from "./problem.js";
import { info, predictMany } from "./service.js";

const EXAMPLE = `I have seen it three times and it gets better.
The worst two hours of my year.
Nothing special, but pleasant enough for a rainy afternoon.
Bring a friend, bring two, bring everyone.
I want my money back.`;
const LIKELY_COLUMN = /^(text|review|sentence|comment|inputs?|body|message)$/i;
const PAGE_ROWS = 200;

let table; // of the CSV file, header first
let results = [];
let labels = [];
let order = { key: "number", direction: 1 };
let shownRows = PAGE_ROWS;
let running;

export function startMany() {
  byId("many-text").value = EXAMPLE;
  const form = byId("many-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form.querySelector(".main"), classify);
  });
  byId("many-choose").addEventListener("click", () => byId("many-file").click());
  byId("many-file").addEventListener("change", (event) => read(event.target.files[0]));
  byId("many-forget").addEventListener("click", forget);
  byId("many-stop").addEventListener("click", () => running?.abort());
  form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("dropping"); });
  form.addEventListener("dragleave", () => form.classList.remove("dropping"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("dropping");
    read(event.dataTransfer.files[0]);
  });
  for (const button of document.querySelectorAll("#many-table th button")) {
    button.addEventListener("click", () => sortBy(button.dataset.key));
  }
  for (const id of ["many-filter", "many-label"]) {
    byId(id).addEventListener("input", () => { shownRows = PAGE_ROWS; draw(); });
  }
  byId("many-more").addEventListener("click", () => { shownRows += PAGE_ROWS; draw(); });
  byId("many-download").addEventListener("click", download);
}

async function read(file) {
  if (!file) return;
  const rows = csv.parse(await file.text());
  byId("many-file").value = "";
  if (rows.length < 2) {
    show(new Error(`${file.name} has no row beneath a header.`));
    return;
  }
  table = rows;
  const header = rows[0];
  const likely = header.findIndex((name) => LIKELY_COLUMN.test(name.trim()));
  const lengths = header.map((_, column) => rows.slice(1, 50).reduce((sum, row) => sum + (row[column] ?? "").length, 0));
  const chosen = likely >= 0 ? likely : lengths.indexOf(Math.max(...lengths));
  byId("many-column").replaceChildren(...header.map((name, column) =>
    element("option", { value: column, selected: column === chosen }, name || `column ${column + 1}`)));
  byId("many-file-name").textContent = `${file.name}, ${rows.length - 1} rows`;
  byId("many-columns").hidden = false;
  byId("many-text").hidden = true;
}

function forget() {
  table = undefined;
  byId("many-columns").hidden = true;
  byId("many-text").hidden = false;
}

function texts() {
  const column = Number(byId("many-column").value);
  const found = table ? table.slice(1).map((row) => row[column] ?? "") : byId("many-text").value.split("\n");
  return found.map((text) => text.trim()).filter((text) => text !== "");
}

async function classify() {
  const asked = texts();
  if (!asked.length) throw new Error("There is no text to classify.");
  const status = byId("many-status");
  const progress = byId("many-progress");
  labels = (await info()).model.labels;
  results = [];
  running = new AbortController();
  byId("many-label").replaceChildren(element("option", { value: "" }, "All labels"),
    ...labels.map((label) => element("option", { value: label }, label)));
  byId("many-result").hidden = false;
  byId("many-stop").hidden = progress.hidden = false;
  const started = performance.now();
  try {
    await predictMany(asked, (rows, done) => {
      for (const [best] of rows) {
        const number = results.length + 1;
        results.push({ number, text: asked[number - 1], label: best.label, score: best.score });
      }
      progress.querySelector("progress").value = done / asked.length;
      status.textContent = `${done} of ${asked.length}`;
      draw();
    }, running.signal, (ms) => { status.textContent = `The service is busy; going on in ${(ms / 1000).toFixed(1)} s`; });
    const seconds = (performance.now() - started) / 1000;
    status.textContent = `${asked.length} texts in ${seconds.toFixed(2)} s, ${Math.round(asked.length / seconds)} per second`;
  } finally {
    byId("many-stop").hidden = progress.hidden = true;
  }
}

function sortBy(key) {
  order = { key, direction: order.key === key ? -order.direction : key === "score" ? -1 : 1 };
  for (const button of document.querySelectorAll("#many-table th button")) {
    const sorted = button.dataset.key === key;
    const way = order.direction > 0 ? "ascending" : "descending";
    button.parentElement.setAttribute("aria-sort", sorted ? way : "none");
  }
  draw();
}

function visible() {
  const words = byId("many-filter").value.toLowerCase();
  const label = byId("many-label").value;
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));
  return results
    .filter((row) => (!label || row.label === label) && row.text.toLowerCase().includes(words))
    .sort((a, b) => order.direction * compare(a[order.key], b[order.key]));
}

function draw() {
  const rows = visible();
  const mix = labels.map((label) => results.filter((row) => row.label === label).length);
  byId("many-mix").replaceChildren(...labels.map((label, index) =>
    bar(label, mix[index] / results.length, seriesColour(index), String(mix[index]))));
  byId("many-count").textContent = `${rows.length} of ${results.length}`;
  byId("many-table").tBodies[0].replaceChildren(...rows.slice(0, shownRows).map((row) =>
    element("tr", {}, element("td", {}, String(row.number)), element("td", {}, row.text),
      element("td", {}, element("span", { class: "tag", swatch: seriesColour(labels.indexOf(row.label)) }, row.label)),
      element("td", {}, percent(row.score)))));
  byId("many-more").hidden = rows.length <= shownRows;
}

function download() {
  const rows = [["number", "text", "label", "score"], ...visible().map((row) => [row.number, row.text, row.label, row.score])];
  const url = URL.createObjectURL(new Blob([csv.write(rows)], { type: "text/csv" }));
  element("a", { href: url, download: "predictions.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
