/** Look up by id, and make elements without ever parsing text as HTML. */

export const byId = (id) => document.getElementById(id);

/** Properties are set as such; `class`, `role`, `data-…`, `aria-…` and SVG's are attributes. */
export function element(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function fill(made, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (key === "swatch") made.style.setProperty("--swatch", value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key === "class" ? "class" : key, value);
  }
  made.append(...children);
  return made;
}

/** The colour of the n-th label, stage or text; they come round again after the fifth. */
export const seriesColour = (index) => `var(--series-${index % 5})`;

export const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)}\u00a0%`;
