// The theme of a notebook, whoever made it: read off the page on which the widget stands.

import { rgba } from "./colours.js";

const OPAQUE = 250; // of 255
const MARKS = ["class", "style", "theme", "data-theme", "data-jp-theme-name", "data-jp-theme-light", "data-vscode-theme-kind"];

/** Give `frame` the page's background, text colour and font at `host`, and the app's colours for light or dark. */
export function blend(frame, host) {
  const [background, style] = [ground(host), getComputedStyle(host)];
  const dark = background ? isDark(background) : matchMedia("(prefers-color-scheme: dark)").matches;
  const legible = background && isDark(style.color) !== dark;
  frame.className = `frame ${dark ? "dark" : "light"}`;
  set(frame, "background-color", background);
  set(frame, "text-color", legible ? style.color : null);
  set(frame, "font", style.fontFamily);
}

function set(frame, name, value) {
  if (value) frame.style.setProperty(`--st-${name}`, value);
  else frame.style.removeProperty(`--st-${name}`);
}

/** The colour that an element stands on; null where nothing around it has one. */
function ground(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour && rgba(colour)[3] >= OPAQUE) return colour;
  }
  return null;
}

function isDark(colour) {
  const [red, green, blue] = rgba(colour);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
}

/** Calls `changed` when the theme may have changed or the element comes into the page; gives what ends that. */
export function watchSurroundings(element, changed) {
  const marks = new MutationObserver(changed);
  for (const root of [document.documentElement, document.body]) marks.observe(root, { attributeFilter: MARKS });
  const size = new ResizeObserver(changed);
  size.observe(element);
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => {
    marks.disconnect();
    size.disconnect();
    system.removeEventListener("change", changed);
  };
}
