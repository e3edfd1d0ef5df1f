/** The one place where what went wrong is shown. */

import { byId } from "./element.js";

/** Run a view's work with its button held; show what fails, clear what failed before. */
export async function attempt(button, work) {
  clear();
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    show(error);
  } finally {
    button.disabled = false;
  }
}

export function show(error) {
  if (error.status === undefined) console.error(error);
  byId("problem").textContent = error.message;
  byId("problem").hidden = false;
  byId("key").hidden = error.status !== 401;
}

function clear() {
  byId("problem").hidden = true;
  byId("key").hidden = true;
}
