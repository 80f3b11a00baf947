// @ts-check
// Pages by address. All that a page shows is in its address: going back, reloading and sending a link keep it.
import { signal } from "./lib.js";

const PAGES = ["data", "train", "run", "sample", "kept", "pad", "compare", "game", "report", "settings"];

/** Milliseconds that small changes of an address wait for the next one: browsers ignore hundreds in a few seconds. */
const SETTLE_MS = 200;

function parse(address = location.pathname + location.search) {
  const { pathname, searchParams } = new URL(address, location.origin);
  const [page, ...rest] = pathname.split("/").filter(Boolean);
  let id = rest.join("/");
  try {
    id = decodeURIComponent(id);
  } catch {
    /* kept as it is: the server says that it knows no such thing */
  }
  const known = page === undefined ? "home" : PAGES.includes(page) ? page : "unknown";
  return { page: known, id, path: pathname, query: searchParams };
}

// Language and theme of an address are saved by theme.js; they would win over the settings if they stayed in it.
const first = new URLSearchParams(location.search);
if (["lang", "theme", "token"].some((key) => first.has(key))) {
  for (const key of ["lang", "theme", "token"]) first.delete(key);
  history.replaceState(null, "", location.pathname + (first.size ? "?" + first : ""));
}

export const route = signal(parse());
/** An address that is shown, but not yet in the address bar. */
let unsettled = "";
let timer = 0;

function settle() {
  clearTimeout(timer);
  if (unsettled) history.replaceState(null, "", unsettled);
  unsettled = "";
}
addEventListener("pagehide", settle);

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
      if (one !== null && one !== undefined && one !== "" && one !== false)
        query.append(key, one === true ? "1" : String(one));
    }
  }
  return query;
}

/** Goes to an address of the studio. @param {string} url @param {{ replace?: boolean, keep?: boolean }} [how] */
export function go(url, how = {}) {
  const before = route.value.path;
  if (how.replace) {
    unsettled = url;
    clearTimeout(timer);
    timer = setTimeout(settle, SETTLE_MS);
  } else {
    settle();
    history.pushState(null, "", url);
  }
  route.value = parse(url);
  if (!how.keep && before !== route.value.path) {
    scrollTo(0, 0);
    // A screen reader goes on reading from the new page's heading.
    setTimeout(() => document.getElementById("main")?.focus({ preventScroll: true }), 0);
  }
}

/** Changes parts of the present address's query; null removes one. @param {Record<string, any>} changes */
export function setQuery(changes, replace = true) {
  const query = toQuery(changes, new URLSearchParams(route.value.query));
  const text = query.toString();
  go(route.value.path + (text ? "?" + text : ""), { replace, keep: true });
}

addEventListener("popstate", () => {
  clearTimeout(timer);
  unsettled = "";
  route.value = parse();
});

// Links to pages of the studio change the page in place; all others are the browser's.
document.addEventListener("click", (event) => {
  const anchor = /** @type {Element} */ (event.target).closest?.("a[href]");
  if (!(anchor instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0) return;
  if (
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey ||
    anchor.target ||
    anchor.hasAttribute("download")
  )
    return;
  const url = new URL(anchor.href);
  const first = url.pathname.split("/")[1];
  if (url.origin !== location.origin || (first && !PAGES.includes(first)) || url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
