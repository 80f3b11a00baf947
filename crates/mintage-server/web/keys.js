// @ts-check
// Keys. Pages register what they do; a key is never taken from a field that is being typed in, from a button that is
// pressed, or behind an open dialog.
import { signal, useLayoutEffect, useRef } from "./lib.js";
import { go, link, route } from "./router.js";
import { runs } from "./store.js";

/** @typedef {Record<string, (event: KeyboardEvent) => void>} Keys */

/** Registered keys, the page's own last. @type {(() => Keys)[]} */
const stack = [];
/** @type {"" | "g"} */
let prefix = "";
export const sheetOpen = signal(false);
/** Single keys can be turned off: speech input and some screen readers type letters. */
export const singleKeys = signal(load());

function load() {
  try {
    return localStorage.getItem("mintage.keys") !== "off";
  } catch {
    return true;
  }
}
/** @param {boolean} on */
export function setSingleKeys(on) {
  singleKeys.value = on;
  try {
    localStorage.setItem("mintage.keys", on ? "on" : "off");
  } catch {
    /* kept for this page */
  }
}

/** What the sheet lists: sections of keys, by the name of their text. */
export const SHEET = [
  ["keys.everywhere", ["?", "g h", "g d", "g t", "g s", "g k", "ctrl+enter", "esc"]],
  ["keys.grid", ["↑ ↓ ← →", "h j k l", "shift+→", "enter", "space", "f", "x", "u", "n"]],
  ["keys.sample", ["r", "l key"]],
];

/** Registers keys while a component is shown; a key that follows quickly meets what was drawn last. @param {Keys} keys */
export function useKeys(keys) {
  const now = useRef(keys);
  now.current = keys;
  useLayoutEffect(() => {
    const one = () => now.current;
    stack.push(one);
    return () => {
      stack.splice(stack.indexOf(one), 1);
    };
  }, []);
}

/** The model that the page is about, or else the newest. */
function presentModel() {
  const { page, id } = route.value;
  if (id && ["run", "sample", "kept", "pad", "game", "report"].includes(page)) return id;
  return (runs.value ?? []).find((run) => run.has_model)?.id ?? "";
}

const isField = (at) =>
  at.isContentEditable ||
  at.tagName === "TEXTAREA" ||
  at.tagName === "SELECT" ||
  (at.tagName === "INPUT" && !["checkbox", "radio", "button", "submit"].includes(at.type));

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const key = event.key === " " ? "space" : event.key.length === 1 ? event.key : event.key.toLowerCase();
  return (event.ctrlKey || event.metaKey ? "ctrl+" : "") + (event.shiftKey && key.length > 1 ? "shift+" : "") + key;
}

document.addEventListener("keydown", (event) => {
  const at = /** @type {HTMLElement} */ (event.target);
  const name = nameOf(event);
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const always = name === "escape" || name === "ctrl+enter";
  // What is being typed counts, although its field has not been left.
  if (name === "ctrl+enter" && isField(at)) at.dispatchEvent(new Event("change", { bubbles: true }));
  if (!always && (isField(at) || name.startsWith("ctrl+"))) return;
  if (!always && name.length === 1 && !singleKeys.value) return;
  // Space and Enter belong to a focused button, link or player, but for the pick of a grid, which plays with space.
  const pressed = at.closest?.("button, a, summary, audio, label, [role=slider]");
  if (pressed && (name === "enter" || (name === "space" && !pressed.classList.contains("pick")))) return;

  if (prefix === "g") {
    prefix = "";
    const model = presentModel();
    const to = {
      h: link("home"),
      d: link("data"),
      t: link("train"),
      s: model && link("sample", model),
      k: model && link("kept", model),
    }[name];
    if (to) {
      event.preventDefault();
      go(to);
    }
    return;
  }
  if (name === "g") {
    prefix = "g";
    setTimeout(() => {
      prefix = "";
    }, 1200);
    return;
  }
  if (name === "?") {
    event.preventDefault();
    sheetOpen.value = true;
    return;
  }
  for (let i = stack.length - 1; i >= 0; i--) {
    const handler = stack[i]()[name];
    if (handler) {
      event.preventDefault();
      handler(event);
      return;
    }
  }
});
