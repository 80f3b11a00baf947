// @ts-check
// The parts that pages are made of.
import { html, signal, useEffect, useRef, useState, useId } from "./lib.js";
import { t, tt, percent, span, ago } from "./i18n.js";
import { link, route } from "./router.js";
import { isActive, jobOf, runOf, runs } from "./store.js";

/** What a screen reader is told next. */
export const spoken = signal("");
export const toasts = signal(/** @type {any[]} */ ([]));
let lastToast = 0;

/** @param {string} text */
export const say = (text) => {
  spoken.value = text;
};

/**
 * Shows a message for some seconds.
 * @param {string} text @param {{ bad?: boolean, hint?: string, action?: { label: string, run: () => void } }} [more]
 */
export function notify(text, more = {}) {
  const id = ++lastToast;
  toasts.value = [...toasts.value.slice(-3), { id, text, ...more }];
  setTimeout(() => dismiss(id), more.bad ? 12000 : more.action ? 9000 : 5000);
  say(text);
}
/** @param {number} id */
export const dismiss = (id) => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
};
/** Shows an error that a user's action met. @param {any} error */
export const fail = (error) => {
  if (error?.name !== "AbortError") notify(error.message, { bad: true, hint: error.hint });
};

/** @param {{ name: keyof typeof PATHS }} props */
export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h3.500v14H7zM13.500 5H17v14h-3.500z",
  stop: "M6 6h12v12H6z",
  dice: "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zm3 3.300a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400zm8 8a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400zm-4-4a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400z",
  lock: "M7 10V7a5 5 0 0 1 10 0v3h1.500v11h-13V10zm2.200 0h5.600V7a2.800 2.800 0 0 0-5.600 0z",
  unlock: "M7 10V7a5 5 0 0 1 9.600-2l-2 .9A2.800 2.800 0 0 0 9.200 7v3h9.300v11h-13V10z",
  keep: "M12 2.500l2.900 6 6.600.9-4.800 4.600 1.200 6.500-5.900-3.200-5.900 3.200 1.200-6.500L2.500 9.400l6.600-.9z",
  out: "M6.400 5L12 10.600 17.600 5 19 6.400 13.400 12l5.600 5.600-1.400 1.400-5.600-5.600L6.400 19 5 17.600l5.600-5.600L5 6.400z",
  send: "M4 4l17 8-17 8 3-8zm4.500 7h6.500v2H8.500z",
  code: "M8.500 6L2.500 12l6 6 1.500-1.500L5.500 12 10 7.500zm7 0l6 6-6 6-1.500-1.500 4.500-4.500L14 7.500z",
};

/** A button. `busy` shows that its work is under way. @param {any} props */
export const Button = ({ look = "", busy = false, children, ...rest }) =>
  html`<button type="button" class=${"button " + look} aria-busy=${busy ? "true" : undefined} disabled=${busy || rest.disabled} ...${rest}>${children}</button>`;

/** A field with its label. The child gets `id` and `aria-describedby`. @param {any} props */
export function Field({ label, hint, error, children, wide = false }) {
  const id = useId();
  const note = error || hint;
  return html`<div class=${"field" + (wide ? " wide" : "") + (error ? " bad" : "")}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": note ? id + "-note" : undefined, "aria-invalid": error ? "true" : undefined })}
    ${note && html`<p class="note" id=${id + "-note"}>${note}</p>`}
  </div>`;
}

/** @param {any} props */
export const Select = ({
  options,
  value,
  onPick,
  ...rest
}) => html`<select ...${rest} value=${value} onChange=${(e) => onPick(e.target.value)}>
  ${options.map((one) => {
    const [key, text] = Array.isArray(one) ? one : [one, one];
    return html`<option value=${key} selected=${key === value}>${text}</option>`;
  })}
</select>`;

/** @param {{ value?: number | null, label: string }} props */
export const Progress = ({
  value,
  label,
}) => html`<div class="progress" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${value === null || value === undefined ? undefined : Math.round(value * 100)} aria-valuetext=${value === null || value === undefined ? label : percent(value)}>
  <div class=${value === null || value === undefined ? "any" : ""} style=${{ width: percentCss(value ?? 1) }}></div>
</div>`;
/** @param {number} share */
export const percentCss = (share) => `${Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10}%`;

/** What failed and what to do, brought into sight. @param {{ error: any, retry?: () => void }} props */
export function Failure({ error, retry }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => ref.current?.scrollIntoView({ block: "nearest" }), [error]);
  return html`<div class="failure" role="alert" ref=${ref}>
    <p><strong>${error.message}</strong></p>
    ${error.hint && html`<p>${error.hint}</p>`}
    ${retry && html`<${Button} onClick=${retry}>${t("retry")}<//>`}
  </div>`;
}

export const Busy = ({ label = "" }) =>
  html`<p class="busy" role="status"><span class="spin" aria-hidden="true"></span>${label || t("loading")}</p>`;

/** A dialog above the page; Escape closes it. @param {any} props */
export function Dialog({ title, onClose, children, wide = false }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    if (ref.current && !ref.current.open) ref.current.showModal();
  }, []);
  return html`<dialog ref=${ref} class=${wide ? "wide" : ""} aria-labelledby=${id} onClose=${onClose}
      onClick=${(e) => {
        if (e.target === ref.current) ref.current?.close();
      }}>
    <div class="sheet">
      <header><h2 id=${id}>${title}</h2><${Button} look="quiet" aria-label=${t("close")} onClick=${() => ref.current?.close()}><${Icon} name="out" /><//></header>
      ${children}
    </div>
  </dialog>`;
}

/**
 * Loads something for a component, and again when `deps` change; a slower earlier answer is dropped.
 * @template T @param {(signal: AbortSignal) => Promise<T>} load @param {any[]} deps
 * @returns {{ data: T | null, error: any, loading: boolean, reload: () => void, set: (data: T | null) => void }}
 */
export function useLoad(load, deps) {
  const [state, setState] = useState(/** @type {any} */ ({ data: null, error: null, loading: true }));
  const [again, setAgain] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    setState((old) => ({ data: old.data, error: null, loading: true }));
    load(control.signal).then(
      (data) => {
        if (!control.signal.aborted) setState({ data, error: null, loading: false });
      },
      (error) => {
        if (!control.signal.aborted) setState({ data: null, error, loading: false });
      },
    );
    return () => control.abort();
  }, [...deps, again]);
  return {
    ...state,
    reload: () => setAgain((n) => n + 1),
    set: (data) => setState({ data, error: null, loading: false }),
  };
}

/** What a loaded page shows while there is nothing to show. @param {any} state */
export const pending = (state) =>
  state.error ? html`<${Failure} error=${state.error} retry=${state.reload} />` : state.data ? null : html`<${Busy} />`;

/** The title of a page, also that of the document. @param {any} props */
export function Title({ text, children }) {
  useEffect(() => {
    document.title = text === "Mintage" ? text : `${text} · Mintage`;
  }, [text]);
  return html`<div class="title"><h1>${text}</h1>${children}</div>`;
}

/** @param {{ run: any }} props */
export function State({ run }) {
  const job = jobOf(run.id);
  const state = isActive(run) ? (job?.state === "queued" ? "queued" : "training") : run.state;
  return html`<span class=${"state " + state}>${tt("state", state)}</span>`;
}

/** How far a run's job is. @param {{ run: any }} props */
export function RunProgress({ run }) {
  const job = jobOf(run.id);
  if (!job && !isActive(run)) return null;
  const what = tt("job", job?.what ?? "train");
  return html`<div class="runprogress"><${Progress} value=${job?.progress} label=${`${what}: ${run.name}`} />
    <span>${what}${job?.progress !== undefined && job?.progress !== null ? ` ${percent(job.progress)}` : ""}${job?.eta_secs ? ` · ${t("left", { time: span(job.eta_secs) })}` : ""}</span></div>`;
}

/** The head of every page about one run: its name, what it is, and the pages about it. @param {{ id: string, run?: any }} props */
export function RunHead({ id, run = runOf(id) }) {
  const page = route.value.page;
  // On a small screen the tabs scroll: the present one is brought into sight.
  const tabs = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const here = /** @type {HTMLElement | null} */ (tabs.current?.querySelector("[aria-current]"));
    if (here && tabs.current) tabs.current.scrollLeft = here.offsetLeft - 40;
  }, [page]);
  const pages = ["run", "sample", "pad", "kept", "game", "report"].filter((name) => {
    if (name === page) return true;
    if (!run) return runs.value === null;
    if (name === "run") return true;
    if (name === "report") return run.has_report;
    if (name === "pad")
      return run.has_model && !["table", "text"].includes(run.kind) && ["vae", "gan", "flow"].includes(run.family);
    return run.has_model;
  });
  return html`<${Title} text=${run?.name ?? id}>
      ${run && html`<span class="chips"><span class="chip">${tt("kind", run.kind)}</span><span class="chip">${run.family}</span><span class="chip">${run.size}</span><${State} run=${run} /></span>`}
    <//>
    <nav class="tabs" ref=${tabs} aria-label=${t("pages.run")}>
      ${pages.map((name) => html`<a href=${link(name, id)} aria-current=${name === page ? "page" : undefined}>${t("page." + name)}${name === "kept" && run?.kept ? html` <span class="count">${run.kept}</span>` : ""}</a>`)}
    </nav>`;
}

/** The name, kind and age of a run in one line. @param {any} run */
export const runLine = (run) => `${tt("kind", run.kind)} · ${run.family} · ${run.size} · ${ago(run.created)}`;

/** Weights as bars, the largest first. @param {{ rows: { name: any, weight: number, words?: string }[] }} props */
export const Weights = ({ rows }) => html`<ul class="weights">
  ${[...rows]
    .sort((a, b) => b.weight - a.weight)
    .slice(0, 8)
    .map(
      (row) => html`<li>
    <span class="name">${row.name}</span><span class="bar" aria-hidden="true"><i style=${{ width: percentCss(Math.max(0, row.weight)) }}></i></span>
    <span class="value">${percent(Math.max(0, row.weight))}</span>${row.words && html`<small>${row.words}</small>`}</li>`,
    )}
</ul>`;
