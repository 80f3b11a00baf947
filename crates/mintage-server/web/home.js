// @ts-check
// Home: the runs, newest first, and the sources.
import { html, useState } from "./lib.js";
import { ago, num, t, tt } from "./i18n.js";
import { link, route, setQuery } from "./router.js";
import { del, get, url } from "./api.js";
import { forgetRun, isActive, runs, server } from "./store.js";
import { Busy, Button, Dialog, Failure, RunProgress, Select, State, Title, notify, useLoad } from "./ui.js";
import { OpenFile } from "./drop.js";

/** @param {{ run: any, onDelete: () => void }} props */
function Card({ run, onDelete }) {
  const label = t("home.sample", { name: run.name });
  return html`<li class="card">
    <a class="preview" href=${link(run.has_model && !isActive(run) ? "sample" : "run", run.id)} tabindex="-1" aria-hidden="true">
      ${run.preview ? html`<img class="pixels" src=${run.preview} alt=${label} loading="lazy" />` : run.preview_text ? html`<span class="excerpt">${run.preview_text}</span>` : html`<span class="glyph">${tt("kind", run.kind)}</span>`}
    </a>
    <div class="body">
      <h2><a href=${link("run", run.id)}>${run.name}</a></h2>
      <p class="sub">${tt("kind", run.kind)} · ${run.family} · ${run.size}</p>
      <p class="sub"><${State} run=${run} /> <span title=${num(run.step)}>${t("steps", { n: run.step })}</span> · ${ago(run.modified ?? run.created)}</p>
      ${run.error && html`<p class="sub bad">${run.error.detail}</p>`}
      <${RunProgress} run=${run} />
      <p class="acts">
        ${run.has_model && html`<a class="button small" href=${link("sample", run.id)}>${t("page.sample")}</a>`}
        ${run.kept > 0 && html`<a class="button small" href=${link("kept", run.id)}>${t("home.kept", { n: run.kept })}</a>`}
        ${run.has_report && html`<a class="button small" href=${link("report", run.id)}>${t("page.report")}</a>`}
        ${!isActive(run) && html`<${Button} look="small quiet" onClick=${onDelete} aria-label=${t("home.delete.of", { name: run.name })}>${t("delete")}<//>`}
      </p>
    </div>
  </li>`;
}

function Newcomer() {
  return html`<section class="empty">
    <h2>${t("home.empty")}</h2>
    <ol>
      <li>${t("home.empty.open")} <a class="button main" href=${link("data")}>${t("data.open")}</a></li>
      <li>${t("home.empty.demo")} <code>mintage demo</code></li>
    </ol>
    <p class="note">${t("home.empty.note")}</p>
  </section>`;
}

export default function Home() {
  const query = route.value.query;
  const sources = useLoad((signal) => get("/api/sources", signal), []);
  const [doomed, setDoomed] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const list = runs.value;
  const kind = query.get("kind") ?? "",
    words = (query.get("q") ?? "").toLowerCase();
  const shown = (list ?? []).filter(
    (run) => (!kind || run.kind === kind) && (!words || run.name.toLowerCase().includes(words)),
  );
  const kinds = [...new Set((list ?? []).map((run) => run.kind))];
  const remove = async () => {
    try {
      await del(url`/api/runs/${doomed.id}`);
      forgetRun(doomed.id);
      notify(t("home.deleted", { name: doomed.name }));
      setDoomed(null);
    } catch (reason) {
      setError(reason);
    }
  };
  return html`<${Title} text=${t("home.title")}>
      <span class="grow"></span><a class="button main" href=${link("train")}>${t("home.train")}</a><${OpenFile} />
    <//>
    ${
      list === null
        ? html`<${Busy} />`
        : !list.length
          ? html`<${Newcomer} />`
          : html`
      ${
        list.length > 5 &&
        html`<div class="filters">
        <input type="search" aria-label=${t("home.search")} placeholder=${t("home.search")} value=${query.get("q") ?? ""} onInput=${(e) => setQuery({ q: e.target.value })} />
        <${Select} aria-label=${t("train.kind")} value=${kind} onPick=${(value) => setQuery({ kind: value })} options=${[["", t("home.all")], ...kinds.map((one) => [one, tt("kind", one)])]} />
      </div>`
      }
      <ul class="cards">${shown.map(
        (run) =>
          html`<${Card} key=${run.id} run=${run} onDelete=${() => {
            setError(null);
            setDoomed(run);
          }} />`,
      )}</ul>
      ${!shown.length && html`<p class="note">${t("home.none")}</p>`}`
    }
    <section>
      <h2>${t("home.sources")}</h2>
      ${
        sources.error
          ? html`<${Failure} error=${sources.error} retry=${sources.reload} />`
          : html`<ul class="sources">
        ${(sources.data?.sources ?? []).map(
          (
            one,
          ) => html`<li><a href=${link("data", one.id)}>${one.name}</a> <span class="chip">${tt("source", one.kind)}</span>
          ${one.in_use?.length > 0 && html`<small>${t("home.used", { n: one.in_use.length })}</small>`}</li>`,
        )}
        <li><a href=${link("data")}>${t("data.open")}</a></li>
      </ul>`
      }
    </section>
    <p class="note">${t("home.drop")}${server.value ? ` · ${t("home.folder", { name: server.value.runs })}` : ""}</p>
    ${
      doomed &&
      html`<${Dialog} title=${t("home.delete")} onClose=${() => setDoomed(null)}>
      <p>${t("home.delete.sure", { name: doomed.name })}${doomed.kept ? " " + t("home.delete.kept", { n: doomed.kept }) : ""}</p>
      ${error && html`<${Failure} error=${error} />`}
      <p class="row"><${Button} look="danger" onClick=${remove}>${t("delete")}<//><${Button} onClick=${() => setDoomed(null)}>${t("cancel")}<//></p>
    <//>`
    }`;
}
