// @ts-check
// Run: the curves as they grow, previews, stages and the log. One slider moves over the steps of all of them.
import { html, useEffect, useState } from "./lib.js";
import { date, num, span, t, tt } from "./i18n.js";
import { link, route, setQuery } from "./router.js";
import { get, post, url } from "./api.js";
import { follow, listen } from "./events.js";
import { familyWhyOf, isActive, runOf, runs, setJob, refreshRun, jobOf } from "./store.js";
import {
  Busy,
  Button,
  Dialog,
  Failure,
  Field,
  RunHead,
  RunProgress,
  Select,
  fail,
  notify,
  say,
  useLoad,
} from "./ui.js";
import { Player } from "./media.js";

const MAX_POINTS = 1500;

/** The records and previews of a run, kept up to date by its events. @param {string} id */
export function useRun(id) {
  const [state, setState] = useState(
    /** @type {any} */ ({ records: null, previews: [], error: null, eta: null, warnings: [] }),
  );
  const modified = runOf(id)?.state;
  const curves = state.curves;
  useEffect(() => {
    let gone = false;
    const load = async () => {
      try {
        const [metrics, list, module] = await Promise.all([
          get(`${url`/api/runs/${id}/metrics`}?points=${MAX_POINTS}`),
          get(url`/api/runs/${id}/previews`),
          import("./curves.js"),
        ]);
        if (!gone)
          setState((old) => ({
            ...old,
            records: metrics.records,
            previews: list.previews,
            curves: module,
            error: null,
          }));
      } catch (error) {
        if (!gone) setState((old) => ({ ...old, error }));
      }
    };
    load();
    return () => {
      gone = true;
    };
  }, [id, modified]);
  useEffect(() => {
    const unfollow = follow(id);
    const unlisten = listen((name, data) => {
      if (name !== "run" || data.run !== id) return;
      const event = data.event;
      setState((old) => {
        if (!old.records) return old;
        if (event.event === "step" || event.event === "valid") {
          const record = { step: event.step, kind: event.event, ...(curves?.metricsOf(event.metrics) ?? {}) };
          return {
            ...old,
            records: [...old.records, record].slice(-4 * MAX_POINTS),
            eta: event.eta_secs ?? old.eta,
            speed: event.items_per_sec ?? old.speed,
          };
        }
        if (event.event === "stage")
          return {
            ...old,
            stage: event,
            records: [
              ...old.records,
              { step: old.records[old.records.length - 1]?.step ?? 0, kind: "stage", name: event.name },
            ],
          };
        if (event.event === "preview")
          return {
            ...old,
            previews: [
              ...old.previews.filter((one) => one.step !== event.step),
              { step: event.step, url: event.url, type: event.type ?? old.previews[0]?.type ?? "image/png" },
            ],
          };
        if (event.event === "warning") return { ...old, warnings: [...old.warnings, event.message] };
        return old;
      });
      if (event.event === "warning") notify(event.message, { bad: true });
      if (event.event === "preview") say(t("run.newpreview", { step: event.step }));
      if (event.event === "done" && event.advice) say(event.advice.text);
    });
    return () => {
      unfollow();
      unlisten();
    };
  }, [id, curves]);
  return state;
}

/** A preview: a picture, a clip, a sound or texts. @param {{ preview: any, name: string }} props */
export function Preview({ preview, name }) {
  const isText = preview.type === "text/plain";
  const text = useLoad(
    async (signal) => (isText ? (await fetch(preview.url, { signal })).text() : null),
    [preview.url],
  );
  const label = t("run.preview.of", { name, step: preview.step });
  if (isText)
    return text.error
      ? html`<p class="note">${text.error.message}</p>`
      : html`<pre class="previewtext" tabindex="0">${text.data ?? ""}</pre>`;
  if (preview.type === "audio/midi")
    return html`<p><a class="button" href=${preview.url} download>${t("download")}</a></p>`;
  if (preview.type?.startsWith("audio/"))
    return html`<${Player} item=${{ url: preview.url, type: preview.type, thumb: preview.thumb }} label=${label} large />`;
  return html`<img class="pixels previewpicture" src=${preview.url} alt=${label} />`;
}

/** More training, or the first. @param {{ run: any, onClose: () => void, act: any }} props */
function Prolong({ run, onClose, act }) {
  const [time, setTime] = useState("2m");
  return html`<${Dialog} title=${t("run.prolong")} onClose=${onClose}>
    <form onSubmit=${(e) => {
      e.preventDefault();
      act("prolong", /^\d+$/.test(time) ? { steps: Number(time) } : { time });
      onClose();
    }}>
      <p>${t("run.prolong.note", { step: run.step })}</p>
      <${Field} label=${t("train.time")} hint=${t("run.prolong.hint")}>${(ids) => html`<input ...${ids} value=${time} required onInput=${(e) => setTime(e.target.value)} />`}<//>
      <p class="row"><${Button} look="main" type="submit">${t("run.prolong")}<//></p>
    </form>
  <//>`;
}

/** What the curve says of more training, and a button where it says how much. @param {{ run: any, act: any }} props */
function Advice({ run, act }) {
  const { text, more } = run.advice;
  const disabled = Boolean(jobOf(run.id));
  const button = (label, budget) =>
    html`<${Button} disabled=${disabled} onClick=${() => act("prolong", budget)}>${label}<//>`;
  return html`<p class="row"><span>${text}</span>
    ${more?.secs && button(t("run.more.time", { time: span(more.secs) }), { time: `${more.secs}s` })}
    ${more?.steps && button(t("run.more.steps", { n: more.steps }), { steps: run.step + more.steps })}</p>`;
}

/** The run, and those laid over it, at one step. @param {{ list: any[], query: URLSearchParams }} props */
export function Timeline({ list, query }) {
  const ready = list.filter((one) => one.records);
  const curves = ready[0]?.curves;
  if (!curves) return html`<${Busy} />`;
  const axis = query.get("axis") ?? "step",
    metric = query.get("metric") ?? "";
  const smooth = Number(query.get("smooth") ?? 0.6),
    log = query.get("log") === "1";
  const names = [...new Set(ready.flatMap((one) => curves.namesIn(one.records)))];
  const last = Math.max(
    1,
    ...ready.map((one) => Math.max(one.run?.step ?? 0, one.records[one.records.length - 1]?.step ?? 0)),
  );
  const step = Math.min(last, Number(query.get("step") ?? last));
  const perStep = (one) => (one.run?.step ? (one.run.train_secs ?? 0) / one.run.step : 0);
  const x = axis === "time" ? step * perStep(ready[0]) : step;
  const pick = (value) => {
    const picked = Math.round(axis === "time" ? value / (perStep(ready[0]) || 1) : value);
    setQuery({ step: picked >= last ? null : Math.max(0, picked) });
  };
  const hasRecords = ready.some((one) => one.records.some((record) => record.kind !== "stage"));
  return html`<section aria-label=${t("run.curves")}>
    ${
      hasRecords
        ? html`<div class="filters">
      <label>${t("run.metric")} <${Select} value=${metric} onPick=${(value) => setQuery({ metric: value })} options=${[["", t("run.main")], ...names]} /></label>
      <label>${t("run.smooth")} <input type="range" min="0" max="0.98" step="0.02" value=${smooth} aria-valuetext=${num(smooth, 2)} onInput=${(e) => setQuery({ smooth: e.target.value })} /></label>
      <label>${t("run.axis")} <${Select} value=${axis} onPick=${(value) => setQuery({ axis: value === "step" ? null : value })} options=${[
        ["step", t("run.axis.step")],
        ["time", t("run.axis.time")],
      ]} /></label>
      <label class="check"><input type="checkbox" checked=${log} onChange=${() => setQuery({ log: !log })} /> ${t("run.log.axis")}</label>
    </div>
    <${curves.Curves} list=${ready.map((one) => ({ id: one.id, name: one.run?.name ?? one.id, records: one.records, run: one.run }))} metric=${metric} axis=${axis} smooth=${smooth} log=${log} at=${x} onPick=${pick} />`
        : html`<p class="note">${t("run.norecords")}</p>`
    }
    <label class="slider"><span>${t("run.step")}</span>
      <input type="range" min="0" max=${last} step="1" value=${step} aria-valuetext=${t("run.at", { step })} onInput=${(e) => pick(axis === "time" ? Number(e.target.value) * perStep(ready[0]) : Number(e.target.value))} />
      <output>${num(step)}</output>
      <${Button} look="small" disabled=${!query.has("step")} onClick=${() => setQuery({ step: null })}>${t("run.newest")}<//>
    </label>
    <div class="scroller" tabindex="0" role="region" aria-label=${t("run.values")}><table class="values"><thead><tr><th scope="col">${t("run.run")}</th><th scope="col">${t("run.train")}</th><th scope="col">${t("run.valid")}</th></tr></thead>
      <tbody>${ready.map((one, i) => {
        const at = axis === "time" ? step * perStep(one) : step;
        return html`<tr><th scope="row"><i class=${`swatch s${(i % 6) + 1}`}></i>${one.run?.name ?? one.id}</th>
          ${curves.seriesOf(one, metric, axis, smooth).map((series) => html`<td class="number">${series.name ? html`<small>${series.name}</small> ${num(curves.valueAt(series, at), 5)}` : "–"}</td>`)}</tr>`;
      })}</tbody></table></div>
    <div class="previews">${ready.map((one) => {
      const shown = one.previews.findLast((preview) => preview.step <= step) ?? one.previews[0];
      return html`<figure><figcaption>${list.length > 1 ? `${one.run?.name ?? one.id} · ` : ""}${shown ? t("run.at", { step: shown.step }) : t("run.nopreview")}</figcaption>
        ${shown && html`<${Preview} preview=${shown} name=${one.run?.name ?? one.id} />`}</figure>`;
    })}</div>
  </section>`;
}

/** One more run in the timeline: a component, since it loads with hooks. @param {{ id: string, onState: (id: string, state: any) => void }} props */
export function Loader({ id, onState }) {
  const state = useRun(id);
  useEffect(() => onState(id, state), [state]);
  return state.error ? html`<${Failure} error=${state.error} />` : null;
}

/** @param {{ id: string }} props */
export default function Run({ id }) {
  const query = route.value.query;
  const others = query.getAll("with").filter((other) => other !== id);
  const own = useRun(id);
  const [states, setStates] = useState(/** @type {any} */ ({}));
  const known = runOf(id);
  const full = useLoad((signal) => get(url`/api/runs/${id}`, signal), [id, known?.state, known?.has_report]);
  const [prolonging, setProlonging] = useState(false);
  const run = known ? { ...full.data, ...known } : full.data;
  if (!run)
    return full.error
      ? html`<${RunHead} id=${id} /><${Failure} error=${full.error} retry=${full.reload} />`
      : html`<${RunHead} id=${id} /><${Busy} />`;
  const act = async (what, body = {}) => {
    try {
      const { job } = await post(url`/api/runs/${id}` + "/" + what, body);
      if (job) setJob(job);
      notify(t(`run.${what}.told`));
      refreshRun(id);
    } catch (error) {
      fail(error);
    }
  };
  const active = isActive(run),
    job = jobOf(id),
    why = familyWhyOf(id);
  const list = [
    { id, run, ...own },
    ...others.map((other) => ({ id: other, run: runOf(other), ...(states[other] ?? {}) })),
  ];
  const addable = (runs.value ?? []).filter(
    (one) => one.id !== id && !others.includes(one.id) && one.kind === run.kind,
  );
  const again = {
    source: run.source_id,
    table: run.table,
    column: run.column,
    label: run.label,
    family: run.family,
    size: run.size,
  };
  return html`<${RunHead} id=${id} run=${run} />
    <${RunProgress} run=${run} />
    <p class="row">
      ${active && html`<${Button} look="danger" onClick=${() => act("stop")}>${t("run.stop")}<//>`}
      ${!active && run.state === "interrupted" && html`<${Button} look="main" onClick=${() => act("resume")}>${t("run.resume")}<//>`}
      ${!active && run.has_model && html`<a class="button main" href=${link("sample", id)}>${t("run.sample")}</a>`}
      ${!active && run.state !== "failed" && html`<${Button} onClick=${() => setProlonging(true)}>${t("run.prolong")}<//>`}
      ${!active && run.has_model && !job && html`<${Button} onClick=${() => act("evaluate")}>${t(run.has_report ? "run.reevaluate" : "run.evaluate")}<//>`}
      ${run.source_id && html`<a class="button" href=${link("train", "", again)}>${t("run.again")}</a>`}
    </p>
    ${!active && run.advice && html`<${Advice} run=${run} act=${act} />`}
    ${run.error && html`<${Failure} error=${{ message: run.error.detail, hint: run.error.hint }} />`}
    ${own.error ? html`<${Failure} error=${own.error} />` : html`<${Timeline} list=${list} query=${query} />`}
    ${others.map((other) => html`<${Loader} key=${other} id=${other} onState=${(name, state) => setStates((old) => ({ ...old, [name]: state }))} />`)}
    <p class="filters">
      ${addable.length > 0 && html`<label>${t("run.with")} <${Select} value="" onPick=${(other) => other && setQuery({ with: [...others, other] })} options=${[["", "…"], ...addable.map((one) => [one.id, one.name])]} /></label>`}
      ${others.map((other) => html`<${Button} look="chip" aria-label=${t("run.without", { name: runOf(other)?.name ?? other })} onClick=${() => setQuery({ with: others.filter((one) => one !== other) })}>${runOf(other)?.name ?? other} ×<//>`)}
    </p>
    <div class="columns">
      <section><h2>${t("run.about")}</h2><dl class="facts">
        ${[
          ["run.data", run.source],
          ["train.table", run.table],
          ["train.column", run.column],
          ["train.label", run.label],
          ["plan.family", why && `${run.family} · ${run.size}`],
          ["data.why", why],
          ["plan.parameters", run.parameters && num(run.parameters)],
          ["run.trained", `${t("steps", { n: run.step })} · ${span(run.train_secs)}`],
          ["run.ended", run.ended && tt("ended", run.ended)],
          ["run.left", active && own.eta ? span(own.eta) : null],
          ["run.speed", active && own.speed ? t("run.speed.value", { n: Math.round(own.speed) }) : null],
          ["run.stage", active && own.stage ? `${own.stage.index}/${own.stage.count}: ${own.stage.name}` : null],
          ["run.created", date(run.created)],
        ]
          .filter(([, value]) => value)
          .map(([key, value]) => html`<div><dt>${t(key)}</dt><dd>${value}</dd></div>`)}
      </dl></section>
      <section>
        ${(own.warnings.length > 0 || run.log?.length > 0) && html`<h2>${t("run.log")}</h2><pre class="log" tabindex="0" aria-label=${t("run.log")}>${[...(run.log ?? []), ...own.warnings].join("\n")}</pre>`}
        ${run.recipe && html`<details><summary>${t("plan.recipe")}</summary><pre tabindex="0">${run.recipe}</pre></details>`}
      </section>
    </div>
    ${prolonging && html`<${Prolong} run=${run} act=${act} onClose=${() => setProlonging(false)} />`}`;
}
