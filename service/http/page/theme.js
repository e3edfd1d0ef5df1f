/** Light or dark: the system's until somebody switches. */

import { byId } from "./element.js";

export function startTheme() {
  const root = document.documentElement;
  const chosen = localStorage.getItem("theme");
  if (chosen) root.dataset.theme = chosen;
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}
