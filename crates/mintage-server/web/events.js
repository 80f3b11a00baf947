// @ts-check
// One stream of events a browser. HTTP/1.1 allows six connections a host, and a stream in every tab would use them up: the
// tab that holds a lock reads the stream and relays it to the others. Without locks every tab has a stream of its own.
import { get, offline, refused } from "./api.js";
import { forgetRun, jobs, loadAll, refreshRun, runs, setJob } from "./store.js";

const NAMES = ["snapshot", "job", "run", "runs"];
const me = Math.random().toString(36).slice(2);
/** What each tab wants to hear of, by the tab's name. @type {Map<string, string[]>} */
const wanted = new Map();
/** @type {Set<(event: string, data: any) => void>} */
const listeners = new Set();
/** @type {Map<string, number>} */
const mine = new Map();
/** @type {EventSource | null} */
let source = null;
let topics = "";
let leads = false;
const channel = "BroadcastChannel" in self ? new BroadcastChannel("mintage-events") : null;

/** Calls back for every event until the function it returns is called. @param {(event: string, data: any) => void} listener */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Asks for the events of a run, until the function that it returns is called. @param {string} run */
export function follow(run) {
  mine.set(run, (mine.get(run) ?? 0) + 1);
  tell();
  return () => {
    const left = (mine.get(run) ?? 1) - 1;
    if (left > 0) mine.set(run, left);
    else mine.delete(run);
    tell();
  };
}

function tell() {
  const list = [...mine.keys()];
  channel?.postMessage({ tab: me, wants: list });
  wanted.set(me, list);
  if (leads) open();
}

function open() {
  const list = ["jobs", "runs", ...new Set([...wanted.values()].flat().map((run) => `run:${run}`))];
  const next = list.map(encodeURIComponent).join(",");
  if (source && topics === next && source.readyState !== EventSource.CLOSED) return;
  source?.close();
  topics = next;
  source = new EventSource(`/api/events?topics=${next}`);
  source.onopen = () => {
    offline.value = false;
  };
  // The browser connects again by itself, unless the server refused; a call then tells why.
  source.onerror = () => {
    get("/health").catch(() => {});
  };
  for (const name of NAMES) {
    source.addEventListener(name, (message) => {
      const data = JSON.parse(/** @type {MessageEvent} */ (message).data);
      channel?.postMessage({ event: name, data });
      take(name, data);
    });
  }
}

/** @param {string} event @param {any} data */
function take(event, data) {
  if (event === "snapshot") {
    runs.value = data.runs;
    jobs.value = data.jobs;
  } else if (event === "job") {
    setJob(data);
    if (data.run && data.state !== "running") refreshRun(data.run);
  } else if (event === "runs") {
    if (data.change === "gone") forgetRun(data.run);
    else refreshRun(data.run);
  }
  for (const listener of listeners) listener(event, data);
}

export function startEvents() {
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data.ask) channel.postMessage({ tab: me, wants: [...mine.keys()] });
      else if (data.tab) {
        wanted.set(data.tab, data.wants);
        if (data.gone) wanted.delete(data.tab);
        if (leads) open();
      } else take(data.event, data.data);
    };
    addEventListener("pagehide", () => channel.postMessage({ tab: me, wants: [], gone: true }));
  }
  const lead = () => {
    leads = true;
    channel?.postMessage({ ask: true });
    open();
  };
  if (!channel || !navigator.locks) lead();
  else {
    navigator.locks
      .request("mintage-events", () => {
        lead();
        // The lock is held until the tab goes; the next tab then leads.
        return new Promise(() => {});
      })
      .catch(lead);
  }
  // The server came back: what happened meanwhile is fetched.
  let timer = 0;
  offline.subscribe((gone) => {
    clearInterval(timer);
    if (gone) timer = self.setInterval(retry, 3000);
  });
}

/** Looks whether the server is there again, and fetches what happened meanwhile. */
export async function retry() {
  try {
    await get("/health");
    refused.value = false;
    await loadAll();
    if (leads) open();
  } catch {
    /* the banner stays */
  }
}
