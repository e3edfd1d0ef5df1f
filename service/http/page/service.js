/** The service's own HTTP interface, and what can go wrong with it. */

export class ServiceError extends Error {
  constructor(message, status, retryMs = 0) {
    super(message);
    this.status = status;
    this.retryMs = retryMs;
  }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let known;

/** What is served and its limits; asked once. */
export function info() {
  known ??= call("GET", "/info").then((answer) => answer.body);
  known.catch(() => { known = undefined; });
  return known;
}

/** A row of `{label, score}` for each text, highest first, with the answer's headers. */
export async function predict(texts, signal) {
  const started = performance.now();
  const answer = await call("POST", "/predict", { inputs: texts, truncate: true }, signal);
  return { ...answer, milliseconds: performance.now() - started };
}

/** The tokens of each text. */
export async function tokenize(texts) {
  return (await call("POST", "/tokenize", { inputs: texts })).body;
}

/**
 * Predict any number of texts, a client batch at a time. A refusal is waited out as the service
 * asks, at most five times in a row. `onPart(rows, done)` is told of each batch.
 */
export async function predictMany(texts, onPart, signal, onWait = () => {}) {
  const limits = (await info()).limits;
  const size = Math.min(limits.max_texts, 64);
  let refusals = 0;
  for (let start = 0; start < texts.length; ) {
    try {
      const part = texts.slice(start, start + size);
      const answer = await predict(part, signal);
      start += part.length;
      refusals = 0;
      onPart(answer.body, start);
    } catch (error) {
      if (error.status !== 429 || (refusals += 1) > 5) throw error;
      onWait(error.retryMs);
      await wait(error.retryMs);
    }
  }
}

/**
 * The bare response to a request, with the API key if one was given. The path is taken relative to
 * the page, since a proxy may have put all of the service below a path of its own.
 */
export function ask(method, path, body, signal) {
  const headers = { "content-type": "application/json" };
  const key = sessionStorage.getItem("api-key");
  if (key) headers.authorization = `Bearer ${key}`;
  return fetch(path.replace(/^\/*/, "./"), { method, headers, signal, body });
}

/** Body and headers of a good answer; a ServiceError for any other. */
export async function call(method, path, body, signal) {
  let response;
  let answer;
  try {
    response = await ask(method, path, body && JSON.stringify(body), signal);
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError("The service can't be reached. Is it still running?", 0);
  }
  if (!response.ok) {
    const retryMs = Number(response.headers.get("retry-after-ms")) || 1000;
    throw new ServiceError(sentence(response.status, answer.error, retryMs), response.status, retryMs);
  }
  return { body: answer, headers: response.headers };
}

function sentence(status, error, retryMs) {
  const said = error ? ` It says: ${error}.` : "";
  if (status === 429) return `The service has too much to do; try again in ${(retryMs / 1000).toFixed(1)} s.${said}`;
  if (status === 503) return `The service is not ready.${said}`;
  if (status === 504) return `The answer did not come in time.${said}`;
  if (status === 401) return `The service asks for an API key.${said}`;
  if (status >= 500) return `The service failed (${status}).${said}`;
  return `The service refused this.${said}`;
}
