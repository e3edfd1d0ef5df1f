/** The API as OpenAPI describes it: every operation with its examples, to be tried at once. */

import { byId, element } from "./element.js";
import { attempt, show } from "./problem.js";
import { ask, call } from "./service.js";
import { startTheme } from "./theme.js";

let schema;

async function start() {
  try {
    schema = (await call("GET", "/openapi.json")).body;
  } catch (error) {
    show(error);
    return;
  }
  byId("version").textContent = `${schema.info.title} ${schema.info.version}, OpenAPI ${schema.openapi}`;
  byId("description").replaceChildren(...prose(schema.info.description));
  const operations = Object.entries(schema.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));
  byId("operations").replaceChildren(...operations.map(card));
}

function card({ path, method, operation }) {
  const parts = [element("p", { class: "prose" }, ...prose(operation.description ?? ""))];
  if (operation.parameters?.length) parts.push(parameters(operation.parameters));
  parts.push(trial(path, method, operation), answers(operation.responses));
  return element("details", { class: "card", open: path === "/predict" },
    element("summary", {}, element("b", { class: `method ${method}` }, method), element("span", { class: "mono" }, path)),
    ...parts);
}

function parameters(list) {
  return element("dl", { class: "parameters" }, ...list.flatMap(({ name, in: place, description, schema: kind }) => [
    element("dt", { class: "mono" }, name),
    element("dd", {}, `${place}, ${kind.type ?? "string"}. `, ...prose(description ?? ""))]));
}

/** The example to edit, a button that sends it, and what came back. */
function trial(path, method, { requestBody: body, parameters = [] }) {
  const concrete = parameters.filter((each) => each.in === "path")
    .reduce((address, { name, example }) => address.replace(`{${name}}`, example), path);
  const examples = Object.entries(body?.content["application/json"].examples ?? {});
  const text = element("textarea", { rows: 4, class: "mono", value: json(examples[0]?.[1].value ?? {}), "aria-label": `Body of ${method} ${path}` });
  const address = element("input", { type: "search", class: "mono", value: concrete, "aria-label": `Address of ${path}` });
  const outcome = element("pre", { class: "mono", role: "status", hidden: true, tabIndex: 0 });
  const button = element("button", { type: "button", class: "main" }, "Send");
  button.addEventListener("click", () => attempt(button, async () => {
    const response = await ask(method, address.value, body ? text.value : undefined);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const answer = await response.text();
    outcome.textContent = `${response.status} ${response.statusText}\n${headers}\n\n${pretty(answer)}`;
    outcome.hidden = false;
  }));
  const chips = examples.map(([name, { value }]) =>
    element("button", { type: "button", onclick: () => { text.value = json(value); } }, name));
  const shown = [...(path.includes("{") ? [address] : []), ...(body ? [text] : [])];
  return element("div", {}, ...shown,
    element("div", { class: "actions" }, button, element("span", { class: "chips", role: "group", "aria-label": "Examples" }, ...chips)), outcome);
}

function answers(responses) {
  return element("div", {}, element("h2", { class: "eyebrow" }, "Answers"),
    ...Object.entries(responses).map(([status, { description, content, headers }]) => {
      const media = Object.values(content ?? {})[0] ?? {};
      const example = media.example ?? Object.values(media.examples ?? {})[0]?.value;
      const names = Object.keys(headers ?? {}).join(", ");
      return element("details", { class: "answer-code" },
        element("summary", {}, element("b", { class: "mono" }, status), ` ${description}`),
        ...(names ? [element("p", { class: "muted small" }, `Headers: ${names}`)] : []),
        ...(example === undefined ? [] : [element("pre", { class: "mono", tabIndex: 0 }, typeof example === "string" ? example : json(example))]));
    }));
}

const json = (value) => JSON.stringify(value, null, 2);

function pretty(answer) {
  try {
    return json(JSON.parse(answer));
  } catch {
    return answer;
  }
}

/** Text in which `backticks` are code and an empty line parts paragraphs. */
function prose(text) {
  return text.trim().replace(/([^\n])\n(?!\n)/g, "$1 ").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("api-key", byId("key-value").value);
  byId("key").hidden = byId("problem").hidden = true;
  start();
});
startTheme();
start();
