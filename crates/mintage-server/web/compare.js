// @ts-check
// Compare: families on the same data with the same seed and budget, side by side.
import { html, useEffect, useState } from "./lib.js";
import { num, span, t, tt } from "./i18n.js";
import { go, link, route, setQuery } from "./router.js";
import { call, get, newSeed, post, url } from "./api.js";
import { isActive, refreshRun, runOf, runs, server, setJob } from "./store.js";
import { Busy, Button, Failure, Field, Select, State, RunProgress, Title, useLoad } from "./ui.js";
import { Loader, Timeline } from "./run.js";
import { Item } from "./media.js";
import { trainBody } from "./train.js";

const DIALS = ["fidelity", "coverage", "novelty", "utility"];

/** The scores of a run's report, where the server gives them as JSON. @param {string} id @param {AbortSignal} signal */
async function scoresOf(id, signal) {
  const answer = await call("GET", url`/api/runs/${id}/report`, undefined, { signal });
  return answer.headers.get("content-type")?.startsWith("application/json") ? answer.json() : null;
}

/** @param {{ ids: string[] }} props */
function Scores({ ids }) {
  const judged = ids.filter((id) => runOf(id)?.has_report);
  const list = useLoad(
    (signal) => Promise.all(judged.map((id) => scoresOf(id, signal).catch(() => null))),
    [judged.join()],
  );
  if (!judged.length) return html`<p class="note">${t("compare.noreports")}</p>`;
  return html`<div class="scroller" tabindex="0" role="region" aria-label=${t("compare.scores")}><table class="values"><thead><tr><th scope="col">${t("run.run")}</th>${DIALS.map((dial) => html`<th scope="col">${tt("dial", dial)}</th>`)}<th scope="col"></th></tr></thead>
    <tbody>${judged.map((id, i) => {
      const dials = list.data?.[i]?.dials ?? {};
      return html`<tr><th scope="row">${runOf(id)?.name ?? id}</th>${DIALS.map((dial) => html`<td class="number">${dials[dial] ? html`<strong>${num(Math.round(dials[dial].score))}</strong> <small>${num(Math.round(dials[dial].low))}–${num(Math.round(dials[dial].high))}</small>` : "–"}</td>`)}
        <td><a href=${link("report", id)}>${t("page.report")}</a></td></tr>`;
    })}</tbody></table></div>`;
}

/** New items of one run, drawn with the common seed. @param {{ id: string, seed: number }} props */
function Samples({ id, seed }) {
  const run = runOf(id);
  const draw = useLoad(
    async (signal) =>
      run?.has_model && !isActive(run)
        ? post(url`/api/models/${id}/sample`, { n: run.kind === "text" || run.kind === "table" ? 4 : 8, seed }, signal)
        : null,
    [id, seed, run?.has_model, run?.state],
  );
  return html`<article class="panel side"><h3><a href=${link("run", id)}>${run?.name ?? id}</a></h3>
    ${run && html`<p class="sub">${run.family} · ${run.size} · ${t("steps", { n: run.step })} · ${span(run.train_secs)} <${State} run=${run} /></p><${RunProgress} run=${run} />`}
    ${
      draw.error
        ? html`<${Failure} error=${draw.error} retry=${draw.reload} />`
        : draw.loading
          ? html`<${Busy} />`
          : !draw.data
            ? html`<p class="note">${t("compare.nomodel")}</p>`
            : draw.data.items[0]?.row
              ? html`<div class="scroller" tabindex="0" role="region" aria-label=${run.name}><table class="grid"><thead><tr>${draw.data.columns.map((one) => html`<th scope="col">${one.name}</th>`)}</tr></thead>
        <tbody>${draw.data.items.map((item) => html`<tr>${item.row.map((cell) => html`<td>${String(cell ?? "–")}</td>`)}</tr>`)}</tbody></table></div>`
              : html`<ul class=${"tiles small " + run.kind}>${draw.data.items.map((item) => html`<li><${Item} item=${item} label=${t("item.name", { n: item.i + 1 })} /></li>`)}</ul>`
    }
  </article>`;
}

/** @param {{ query: URLSearchParams }} props */
function Start({ query }) {
  const source = query.get("source") ?? "",
    table = query.get("table") ?? "";
  const sources = useLoad((signal) => get("/api/sources", signal), []);
  const found = useLoad(
    async (signal) => (source ? post("/api/inspect", { source, ...(table && { table }) }, signal) : null),
    [source, table],
  );
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const tables = found.data?.tables ?? [];
  const columns = (tables.find((one) => !table || one.name === table)?.columns ?? []).map((one) => one.name);
  const kind = query.get("kind") || found.data?.read_as || "";
  const families = server.value?.families?.[kind] ?? [];
  const picked = query.getAll("family");
  const start = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    /** @type {string[]} */
    const started = [];
    const seed = query.get("seed") || String(newSeed());
    try {
      for (const family of picked) {
        const one = new URLSearchParams([...query].filter(([key]) => key !== "family" && key !== "runs"));
        one.set("family", family);
        one.set("seed", seed);
        const answer = await post("/api/runs", trainBody(one, columns));
        setJob(answer.job);
        started.push(answer.run);
        refreshRun(answer.run);
      }
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
    if (started.length) go(link("compare", "", { runs: started }));
  };
  const select = (name, options, /** @type {any} */ also = {}) =>
    html`<${Field} label=${t("train." + name)}>${(ids) => html`<${Select} ...${ids} options=${options} value=${query.get(name) ?? ""} onPick=${(value) => setQuery({ [name]: value, ...also })} />`}<//>`;
  const auto = ["", t("auto")];
  return html`<section class="panel"><h2>${t("compare.new")}</h2><form onSubmit=${start}><div class="fields">
      ${select("source", [["", t("train.choose")], ...(sources.data?.sources ?? []).map((one) => [one.id, one.name])], { table: null, label: null, family: null })}
      ${tables.length > 0 && select("table", [auto, ...tables.map((one) => one.name)], { label: null })}
      ${columns.length > 0 && select("label", [auto, ["none", t("train.nolabel")], ...columns])}
      ${select("size", [auto, ...(server.value?.sizes ?? [])])}
      <${Field} label=${t("compare.time")} hint=${t("train.time.hint")}>${(ids) => html`<input ...${ids} placeholder="2m" value=${query.get("time") ?? ""} onChange=${(e) => setQuery({ time: e.target.value })} />`}<//>
      <${Field} label=${t("seed")}>${(ids) => html`<input ...${ids} type="number" min="0" placeholder=${t("auto")} value=${query.get("seed") ?? ""} onChange=${(e) => setQuery({ seed: e.target.value })} />`}<//>
    </div>
    ${found.loading && source && html`<${Busy} label=${t("data.looking")} />`}
    ${found.error && html`<${Failure} error=${found.error} />`}
    ${
      families.length > 0 &&
      html`<fieldset class="row"><legend>${t("compare.families")}</legend>${families.map(
        (family) => html`<label class="check"><input type="checkbox" checked=${picked.includes(family)}
      onChange=${() => setQuery({ family: picked.includes(family) ? picked.filter((one) => one !== family) : [...picked, family] })} /> ${family} <small>${t("family." + family)}</small></label>`,
      )}</fieldset>`
    }
    ${error && html`<${Failure} error=${error} />`}
    <p class="row"><${Button} look="main" type="submit" busy=${busy} disabled=${picked.length < 2}>${t("compare.start", { n: picked.length })}<//><span class="note">${t("compare.note")}</span></p>
  </form></section>`;
}

export default function Compare() {
  const query = route.value.query;
  const ids = query.getAll("runs");
  const seed = Number(query.get("drawseed") ?? 1);
  const [states, setStates] = useState(/** @type {any} */ ({}));
  const addable = (runs.value ?? []).filter(
    (run) => !ids.includes(run.id) && (!ids.length || run.kind === runOf(ids[0])?.kind),
  );
  useEffect(() => {
    for (const id of ids) if (runs.value && !runOf(id)) refreshRun(id);
  }, [ids.join()]);
  const list = ids.map((id) => ({ id, run: runOf(id), ...(states[id] ?? {}) }));
  return html`<${Title} text=${t("page.compare")} />
    <p class="lead">${t("compare.lead")}</p>
    <p class="filters">
      ${ids.map((id) => html`<${Button} look="chip" aria-label=${t("run.without", { name: runOf(id)?.name ?? id })} onClick=${() => setQuery({ runs: ids.filter((one) => one !== id) })}>${runOf(id)?.name ?? id} ×<//>`)}
      ${addable.length > 0 && html`<label>${t("compare.add")} <${Select} value="" onPick=${(id) => id && setQuery({ runs: [...ids, id] })} options=${[["", "…"], ...addable.map((run) => [run.id, `${run.name} (${tt("kind", run.kind)})`])]} /></label>`}
    </p>
    ${ids.length === 0 && html`<${Start} query=${query} />`}
    ${ids.map((id) => html`<${Loader} key=${id} id=${id} onState=${(name, state) => setStates((old) => ({ ...old, [name]: state }))} />`)}
    ${
      ids.length > 0 &&
      html`<${Timeline} list=${list} query=${query} />
      <h2>${t("compare.samples")}</h2>
      <p class="row"><span>${t("seed")} <code>${seed}</code></span><${Button} look="small" onClick=${() => setQuery({ drawseed: newSeed() })}>${t("sample.again")}<//></p>
      <div class="sides">${ids.map((id) => html`<${Samples} key=${id} id=${id} seed=${seed} />`)}</div>
      <h2>${t("compare.scores")}</h2><${Scores} ids=${ids} />`
    }`;
}
