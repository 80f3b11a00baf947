// @ts-check
// Kept: the samples that were chosen, and writing them to a database or a file. The exact rows are shown before anything
// is written; a batch that was written can be undone.
import { html, useEffect, useState } from "./lib.js";
import { ago, size, t } from "./i18n.js";
import { link, route, setQuery } from "./router.js";
import { del, get, post, url } from "./api.js";
import { refreshRun, runOf } from "./store.js";
import { useKeys } from "./keys.js";
import { Button, Dialog, Failure, Field, Icon, RunHead, Select, fail, notify, pending, useLoad } from "./ui.js";
import { Cell, Item } from "./media.js";

/** Rows exactly as they are written; media as their kind and size. @param {{ columns: string[], rows: any[][] }} props */
const Exact = ({
  columns,
  rows,
}) => html`<div class="scroller" tabindex="0" role="region" aria-label=${t("kept.exact")}><table class="grid">
  <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
  <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td class=${typeof cell === "number" ? "number" : ""}>${cell && typeof cell === "object" && !cell.url && cell.media !== "text" ? html`<span class="chip">${cell.media} · ${size(cell.bytes ?? 0)}</span>` : html`<${Cell} cell=${cell} />`}</td>`)}</tr>`)}</tbody>
</table></div>`;

/** @param {{ id: string, chosen: string[], targets: any, onDone: () => void, onClose: () => void }} props */
function Write({ id, chosen, targets, onDone, onClose }) {
  const sources = useLoad((signal) => get("/api/sources", signal), []);
  const [form, setForm] = useState(
    /** @type {any} */ ({
      to: targets?.source_id ? "source" : "file",
      source: targets?.source_id ?? "",
      file: "new.csv",
      table: targets?.table ?? "",
      column: targets?.column ?? "",
      label_column: targets?.label_column ?? "",
      if_exists: "append",
    }),
  );
  const [preview, setPreview] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  const set = (changes) => {
    setForm({ ...form, ...changes });
    setPreview(null);
    setError(null);
  };
  const body = (dry) => {
    /** @type {any} */
    const request = { ids: chosen, if_exists: form.if_exists, dry_run: dry };
    request[form.to] = form[form.to];
    for (const key of ["table", "column", "label_column"]) if (form[key]) request[key] = form[key];
    return request;
  };
  const send = async (dry) => {
    setBusy(true);
    setError(null);
    try {
      const answer = await post(url`/api/models/${id}/kept/write`, body(dry));
      if (dry) setPreview(answer);
      else {
        notify(t("kept.written", { n: answer.n, place: answer.place }), {
          action: answer.batch && { label: t("undo"), run: () => undoBatch(id, answer.batch, onDone) },
        });
        onDone();
        onClose();
      }
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  };
  const input = (name) =>
    html`<${Field} label=${t("kept." + name)} error=${error?.field === name ? error.message : undefined}>${(ids) =>
      html`<input ...${ids} value=${form[name]} spellcheck=${false} autocomplete="off" placeholder=${t("auto")} onChange=${(e) => set({ [name]: e.target.value })} />`}<//>`;
  return html`<${Dialog} title=${t("kept.write.title", { n: chosen.length })} onClose=${onClose} wide>
    <form onSubmit=${(e) => {
      e.preventDefault();
      send(!preview);
    }}>
      <fieldset class="row radios"><legend>${t("kept.where")}</legend>
        ${["source", "file"].map((to) => html`<label class="check"><input type="radio" name="to" checked=${form.to === to} onChange=${() => set({ to })} /> ${t("kept.to." + to)}</label>`)}</fieldset>
      <div class="fields">
        ${
          form.to === "source"
            ? html`<${Field} label=${t("train.source")} error=${error?.field === "source" ? error.message : undefined}>${(
                ids,
              ) => html`<${Select} ...${ids} value=${form.source} onPick=${(source) => set({ source })}
          options=${[["", t("train.choose")], ...(sources.data?.sources ?? []).map((one) => [one.id, one.name])]} />`}<//>`
            : input("file")
        }
        ${form.to === "source" && input("table")}${input("column")}${input("label_column")}
        <${Field} label=${t("kept.if_exists")}>${(ids) =>
          html`<${Select} ...${ids} value=${form.if_exists} options=${[
            ["append", t("kept.append")],
            ["fail", t("kept.fail")],
          ]} onPick=${(if_exists) => set({ if_exists })} />`}<//>
      </div>
      ${error && html`<${Failure} error=${error} />`}
      ${
        preview &&
        html`<p class="lead">${t("kept.will", { n: preview.n, place: preview.place })}</p>
        <${Exact} columns=${preview.columns} rows=${preview.rows} />
        ${preview.notes?.map((note) => html`<p class="note">${note}</p>`)}`
      }
      <p class="row"><${Button} look=${preview ? "" : "main"} busy=${busy && !preview} onClick=${() => send(true)}>${t("kept.preview")}<//>
        <${Button} look="main" busy=${busy && Boolean(preview)} disabled=${!preview} onClick=${() => send(false)}>${t("kept.write", { n: chosen.length })}<//>
        ${!preview && html`<span class="note">${t("kept.first")}</span>`}</p>
    </form>
  <//>`;
}

/** @param {string} id @param {string} batch @param {() => void} done */
async function undoBatch(id, batch, done) {
  try {
    const answer = await post(url`/api/models/${id}/kept/undo`, { batch });
    notify(t("kept.undone", { n: answer.removed, place: answer.place }), { hint: answer.notes?.join(" ") });
    done();
  } catch (error) {
    fail(error);
  }
}

/** @param {{ id: string }} props */
export default function Kept({ id }) {
  const query = route.value.query;
  const run = runOf(id);
  const list = useLoad((signal) => get(url`/api/models/${id}/kept`, signal), [id]);
  const schema = useLoad((signal) => get(url`/api/models/${id}/schema`, signal), [id]);
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [last, setLast] = useState(-1);
  const only = query.get("only") ?? "";
  const all = list.data?.items ?? [];
  const items = all.filter((item) => !only || Boolean(item.written) === (only === "written"));
  useEffect(() => {
    setChosen(new Set(all.filter((item) => !item.written).map((item) => item.id)));
  }, [list.data]);
  const pick = (index, extend) => {
    const next = new Set(chosen);
    const on = !chosen.has(items[index].id);
    const range = extend && last >= 0 ? items.slice(Math.min(last, index), Math.max(last, index) + 1) : [items[index]];
    for (const item of range)
      if (on) next.add(item.id);
      else next.delete(item.id);
    setChosen(next);
    setLast(index);
  };
  const reload = () => {
    list.reload();
    refreshRun(id);
  };
  const discard = async () => {
    const ids = [...chosen];
    if (!ids.length) return;
    try {
      const { removed } = await del(url`/api/models/${id}/kept`, { ids });
      notify(t("kept.removed", { n: removed }));
      reload();
    } catch (error) {
      fail(error);
    }
  };
  const batches = Object.entries(
    Object.groupBy
      ? Object.groupBy(
          all.filter((one) => one.written?.batch),
          (one) => one.written.batch,
        )
      : {},
  );
  useKeys({
    u: () => {
      const newest = batches.sort((a, b) => (b[1]?.[0].written.at ?? 0) - (a[1]?.[0].written.at ?? 0))[0];
      if (newest) undoBatch(id, newest[0], reload);
    },
  });
  const writing = query.get("write") === "1";
  const wait = pending(list);
  const isTable = Boolean(items[0]?.row);
  const box = (item, index) =>
    html`<input type="checkbox" checked=${chosen.has(item.id)} aria-label=${t("kept.choose", { n: index + 1 })} onClick=${(e) => pick(index, e.shiftKey)} />`;
  const about = (item) =>
    html`<small>${t("seed")} ${item.seed} · ${ago(item.made)}${item.written ? html` · <span class="state done">${t("kept.iswritten")}</span>` : ""}</small>`;
  return html`<${RunHead} id=${id} run=${run} />
    ${
      wait ??
      (!all.length
        ? html`<section class="empty"><h2>${t("kept.empty")}</h2><p>${t("kept.empty.note")}</p><a class="button main" href=${link("sample", id)}>${t("page.sample")}</a></section>`
        : html`
      <div class="bar">
        <${Button} look="main" disabled=${!chosen.size} onClick=${() => setQuery({ write: "1" })}>${t("kept.write", { n: chosen.size })}<//>
        <${Button} disabled=${!chosen.size} onClick=${discard}><${Icon} name="out" />${t("kept.discard", { n: chosen.size })}<//>
        <${Button} onClick=${() => setChosen(chosen.size === items.length ? new Set() : new Set(items.map((one) => one.id)))}>${t(chosen.size === items.length ? "kept.none" : "kept.all")}<//>
        <${Select} aria-label=${t("kept.show")} value=${only} onPick=${(value) => setQuery({ only: value })} options=${[
          ["", t("kept.show.all")],
          ["new", t("kept.show.new")],
          ["written", t("kept.show.written")],
        ]} />
      </div>
      ${
        isTable
          ? html`<div class="scroller" tabindex="0" role="region" aria-label=${t("page.kept")}><table class="grid results"><thead><tr><th scope="col"><span class="hidden">${t("kept.all")}</span></th>${(list.data.columns ?? []).map((one) => html`<th scope="col">${one.name ?? one}</th>`)}<th scope="col">${t("kept.about")}</th></tr></thead>
        <tbody>${items.map((item, index) => html`<tr key=${item.id} class=${chosen.has(item.id) ? "picked" : ""}><td>${box(item, index)}</td>${item.row.map((cell) => html`<td class=${typeof cell === "number" ? "number" : ""}><${Cell} cell=${cell} /></td>`)}<td>${about(item)}</td></tr>`)}</tbody></table></div>`
          : html`<ul class=${"tiles " + (items[0]?.kind ?? run?.kind ?? "")}>${items.map(
              (item, index) => html`<li key=${item.id} class=${chosen.has(item.id) ? "picked" : ""}>
          <${Item} item=${item} label=${t("kept.choose", { n: index + 1 })} /><span class="under">${box(item, index)}${about(item)}</span></li>`,
            )}</ul>`
      }
      ${
        batches.length > 0 &&
        html`<section><h2>${t("kept.batches")}</h2><ul class="sources">${batches.map(
          ([
            batch,
            members,
          ]) => html`<li>${t("kept.batch", { n: /** @type {any[]} */ (members).length, place: /** @type {any[]} */ (members)[0].written.place })} · ${ago(/** @type {any[]} */ (members)[0].written.at)}
        <${Button} look="small" onClick=${() => undoBatch(id, batch, reload)}>${t("kept.undo")}<//></li>`,
        )}</ul></section>`
      }`)
    }
    ${writing && !wait && (schema.data || schema.error) && html`<${Write} id=${id} chosen=${[...chosen]} targets=${schema.data?.targets} onDone=${reload} onClose=${() => setQuery({ write: null })} />`}`;
}
