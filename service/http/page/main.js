/** Starts the views, the tabs and the theme. */

import { startAgreement } from "./agreement.js";
import { byId } from "./element.js";
import { startMany } from "./many.js";
import { startPacking } from "./packing.js";
import { startPredict } from "./predict.js";
import { show } from "./problem.js";
import { info } from "./service.js";
import { startShapes } from "./shapes.js";
import { startTheme } from "./theme.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const once = { predict: startPredict, many: startMany, packing: startPacking, shapes: startShapes, agreement: startAgreement };

function open(name) {
  const tab = byId(`tab-${name}`) ?? tabs[0];
  for (const other of tabs) {
    other.setAttribute("aria-selected", other === tab);
    other.tabIndex = other === tab ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  const view = tab.getAttribute("aria-controls");
  once[view]?.();
  delete once[view];
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (location.hash.slice(1) !== view) history.replaceState(null, "", `#${view}`);
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}
addEventListener("hashchange", () => open(location.hash.slice(1)));

startTheme();

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("api-key", byId("key-value").value);
  byId("key").hidden = byId("problem").hidden = true;
  describe();
});

async function describe() {
  try {
    const { model, workers } = await info();
    const { layers, directions, hidden, vocabulary } = model.sizes;
    const backend = workers.find((worker) => worker)?.backend ?? "starting";
    byId("model").textContent =
      `${model.name} ${model.version} · ${model.cell.toUpperCase()}, ${layers} layers × ${directions} × ${hidden} · ` +
      `${vocabulary.toLocaleString("en")} tokens · ${backend}`;
  } catch (error) {
    show(error);
  }
}

open(location.hash.slice(1));
describe();
