// @ts-check
// Pages by address. All that a page shows is in its address: going back, reloading and sending a link keep it.
import { signal } from "./lib.js";

const PAGES = ["data", "train", "run", "sample", "kept", "pad", "compare", "game", "report", "settings"];

function parse() {
  const [page, ...rest] = location.pathname.split("/").filter(Boolean);
  let id = rest.join("/");
  try { id = decodeURIComponent(id); } catch { /* kept as it is: the server says that it knows no such thing */ }
  return {
    page: page === undefined ? "home" : PAGES.includes(page) ? page : "unknown",
    id,
    path: location.pathname,
    query: new URLSearchParams(location.search),
  };
}

export const route = signal(parse());

/** The address of a page. @param {string} page @param {string} [id] @param {Record<string, any> | URLSearchParams} [query] */
export function link(page, id, query) {
  const path = page === "home" ? "/" : `/${page}${id ? "/" + encodeURIComponent(id) : ""}`;
  const text = (query instanceof URLSearchParams ? query : toQuery(query ?? {})).toString();
  return text ? `${path}?${text}` : path;
}

/** @param {Record<string, any>} values */
export function toQuery(values, query = new URLSearchParams()) {
  for (const [key, value] of Object.entries(values)) {
    query.delete(key);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) query.append(key, one === true ? "1" : String(one));
    }
  }
  return query;
}

/** Goes to an address of the studio. @param {string} url @param {{ replace?: boolean, keep?: boolean }} [how] */
export function go(url, how = {}) {
  if (how.replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  const before = route.value.path;
  route.value = parse();
  if (!how.keep && before !== route.value.path) {
    scrollTo(0, 0);
    // A screen reader goes on reading from the new page's heading.
    setTimeout(() => document.getElementById("main")?.focus({ preventScroll: true }), 0);
  }
}

/** Changes parts of the present address's query; null removes one. @param {Record<string, any>} changes */
export function setQuery(changes, replace = true) {
  const query = toQuery(changes, new URLSearchParams(location.search));
  const text = query.toString();
  go(location.pathname + (text ? "?" + text : ""), { replace, keep: true });
}

addEventListener("popstate", () => { route.value = parse(); });

// Links to pages of the studio change the page in place; all others are the browser's.
document.addEventListener("click", (event) => {
  const anchor = /** @type {Element} */ (event.target).closest?.("a[href]");
  if (!(anchor instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || anchor.target || anchor.hasAttribute("download")) return;
  const url = new URL(anchor.href);
  const first = url.pathname.split("/")[1];
  if (url.origin !== location.origin || (first && !PAGES.includes(first)) || url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
