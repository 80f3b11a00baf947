// @ts-check
// Data: what a source holds. Alerts first, then its tables as a grid with histograms in the heads; a column's kind is
// corrected in place and goes into the training.
import { html, useState } from "./lib.js";
import { num, t, tt } from "./i18n.js";
import { go, link, route, setQuery } from "./router.js";
import { get, post, url } from "./api.js";
import { Busy, Button, Dialog, Failure, Field, Select, Title, useLoad, pending } from "./ui.js";
import { Histogram, RangeField, histWords } from "./histogram.js";
import { Cell, zoomed } from "./media.js";

const PAGE = 50;
export const KINDS = ["integer", "number", "category", "text", "datetime", "boolean", "id"];
/** Parts of the query that say how columns are corrected. */
export const CORRECTION = /^(kinds\.|drop$)/;

/** The form that opens a source by its path. */
export function OpenSource({ onOpen }) {
  const [at, setAt] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const open = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      onOpen(await post("/api/sources", { at: at.trim() }));
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  };
  return html`<form class="open" onSubmit=${open}>
    <${Field} label=${t("data.path")} hint=${t("data.path.hint")} wide>${(ids) => html`<input ...${ids} type="text" value=${at} required spellcheck=${false} autocomplete="off" placeholder="shop.db" onInput=${(e) => setAt(e.target.value)} />`}<//>
    <${Button} look="main" type="submit" busy=${busy}>${t("open")}<//>
    ${error && html`<${Failure} error=${error} />`}
  </form>`;
}

function Picker() {
  const list = useLoad((signal) => get("/api/sources", signal), []);
  return html`<${Title} text=${t("page.data")} />
    <p class="lead">${t("data.lead")}</p>
    <${OpenSource} onOpen=${(source) => go(link("data", source.id))} />
    <h2>${t("home.sources")}</h2>
    ${
      pending(list) ??
      (list.data.sources.length
        ? html`<ul class="sources">${list.data.sources.map(
            (one) =>
              html`<li><a href=${link("data", one.id)}>${one.name}</a> <span class="chip">${tt("source", one.kind)}</span></li>`,
          )}</ul>`
        : html`<p class="note">${t("data.none")}</p>`)
    }`;
}

/** @param {{ found: any }} props */
function Alerts({ found }) {
  const alerts = found.alerts ?? [];
  if (!alerts.length) return null;
  return html`<section class="alerts" aria-label=${t("data.alerts")}><h2>${t("data.alerts")} <span class="count">${alerts.length}</span></h2>
    <ul>${alerts.map((one) => html`<li><strong>${one.message}</strong>${one.hint && html`<span>${one.hint}</span>`}</li>`)}</ul></section>`;
}

/** What the source is read as: so many pictures of such a size, texts, tunes. @param {{ found: any }} props */
function ReadAs({ found }) {
  const media = ["images", "texts", "tunes", "sounds", "clips"].map((name) => found[name]).find(Boolean);
  const shape = media?.shape;
  const facts = media
    ? [
        media.count !== undefined && t("data.count", { n: media.count }),
        shape && `${shape.width}×${shape.height}`,
        media.classes?.length ? t("data.classes", { n: media.classes.length ?? media.classes }) : "",
        media.skipped ? t("data.skipped", { n: media.skipped }) : "",
      ]
        .filter(Boolean)
        .join(" · ")
    : "";
  return html`<p class="lead">${t("data.readas", { kind: tt("kind", found.read_as) })}${found.why ? `: ${found.why}` : ""}${facts && html`<small>${facts}</small>`}</p>`;
}

/** Everything about one column, with what can be done about it. @param {any} props */
function ColumnDialog({ column, hist, about, query, onClose }) {
  const name = column.name;
  const filter = query.get(`where.${name}`) ?? "";
  const [value, setValue] = useState(filter);
  const [from, to] = filter.includes("..") ? filter.split("..") : ["", ""];
  const dropped = query.getAll("drop").includes(name);
  const apply = (text) => setQuery({ [`where.${name}`]: text, offset: null });
  return html`<${Dialog} title=${name} onClose=${onClose}>
    ${hist && html`<div class="bighist"><${Histogram} hist=${hist} onPick=${apply} /></div>`}
    <dl class="facts">
      <div><dt>${t("data.declared")}</dt><dd>${about?.declared || column.type}</dd></div>
      ${
        about &&
        html`<div><dt>${t("data.kind")}</dt><dd>${tt("column", about.kind)}${about.key ? ` · ${t("data.key")}` : ""}</dd></div>
        <div><dt>${t("data.why")}</dt><dd>${about.why}</dd></div>
        <div><dt>${t("data.distinct")}</dt><dd>${num(about.distinct)}${about.missing ? ` · ${t("hist.missing", { n: about.missing })}` : ""}</dd></div>
        ${about.examples?.length > 0 && html`<div><dt>${t("data.examples")}</dt><dd>${about.examples.map(String).join(", ")}</dd></div>`}`
      }
    </dl>
    <h3>${t("data.filter")}</h3>
    ${
      hist?.kind === "number" &&
      html`<${RangeField} label=${name} min=${hist.edges[0]} max=${hist.edges[hist.edges.length - 1]} whole=${column.type === "integer"} hist=${null}
      from=${from === "" ? undefined : Number(from)} to=${to === "" ? undefined : Number(to)} onChange=${(a, b) => apply(a === undefined && b === undefined ? "" : `${a ?? ""}..${b ?? ""}`)} />`
    }
    ${
      hist?.kind === "category" &&
      html`<${Field} label=${t("data.value")}>${(ids) => html`<${Select} ...${ids} value=${value} onPick=${(one) => {
        setValue(one);
        apply(one);
      }}
      options=${[["", t("data.any")], ...hist.values.map((/** @type {any} */ [one, count]) => [String(one), `${one} (${num(count)})`])]} />`}<//>`
    }
    ${
      !hist &&
      html`<form class="open" onSubmit=${(e) => {
        e.preventDefault();
        apply(value);
      }}>
      <${Field} label=${t("data.value")} wide>${(ids) => html`<input ...${ids} value=${value} onInput=${(e) => setValue(e.target.value)} />`}<//>
      <${Button} type="submit">${t("data.filter")}<//></form>`
    }
    ${
      about &&
      html`<h3>${t("data.correct")}</h3><p class="note">${t("data.correct.note")}</p>
      <${Field} label=${t("data.kind")}>${(
        ids,
      ) => html`<${Select} ...${ids} value=${query.get(`kinds.${name}`) ?? ""} onPick=${(kind) => setQuery({ [`kinds.${name}`]: kind })}
        options=${[["", t("data.asfound", { kind: tt("column", about.kind) })], ...KINDS.map((kind) => [kind, tt("column", kind)])]} />`}<//>
      <label class="check"><input type="checkbox" checked=${dropped} onChange=${() => setQuery({ drop: dropped ? query.getAll("drop").filter((one) => one !== name) : [...query.getAll("drop"), name] })} /> ${t("data.drop")}</label>`
    }
  <//>`;
}

/** @param {{ source: string, found: any }} props */
function Rows({ source, found }) {
  const query = route.value.query;
  const offset = Number(query.get("offset") ?? 0) || 0,
    sort = query.get("sort") ?? "";
  const filters = [...query].filter(([key]) => key.startsWith("where.")).map(([key, value]) => [key.slice(6), value]);
  const table = query.get("table") ?? "";
  const params = new URLSearchParams({ offset: String(offset), limit: String(PAGE) });
  if (table) params.set("table", table);
  if (sort) params.set("sort", sort);
  for (const [column, value] of filters) params.append("where", `${column}=${value}`);
  const text = params.toString();
  const items = useLoad((signal) => get(`${url`/api/sources/${source}/items`}?${text}`, signal), [source, text]);
  const hists = useLoad(
    (signal) => get(`${url`/api/sources/${source}/histograms`}?table=${encodeURIComponent(table)}`, signal),
    [source, table],
  );
  const page = items.data;
  const column = page?.columns.find((one) => one.name === query.get("about"));
  if (!page) return items.error ? html`<${Failure} error=${items.error} retry=${items.reload} />` : html`<${Busy} />`;
  const about = (found?.tables ?? []).find((one) => one.name === page.table)?.columns ?? [];
  const kinds = Object.fromEntries(about.map((one) => [one.name, one]));
  const dropped = query.getAll("drop");
  const last = Math.min(page.total, offset + page.rows.length);
  const pager = html`<div class="pager"><${Button} disabled=${offset <= 0} onClick=${() => setQuery({ offset: Math.max(0, offset - PAGE) || null })}>${t("previous")}<//>
    <span>${t("data.page", { from: page.total ? offset + 1 : 0, to: last, total: page.total })}</span>
    <${Button} disabled=${last >= page.total} onClick=${() => setQuery({ offset: offset + PAGE })}>${t("next")}<//></div>`;
  return html`
    ${
      (page.tables?.length ?? 0) > 1 &&
      html`<nav class="tabs" aria-label=${t("data.tables")}>${page.tables.map(
        (name) =>
          html`<a href=${link("data", source, { table: name })} aria-current=${name === page.table ? "page" : undefined}>${name}</a>`,
      )}</nav>`
    }
    ${filters.length > 0 && html`<p class="filters">${filters.map(([name, value]) => html`<${Button} look="chip" aria-label=${t("data.unfilter", { name: `${name} = ${value}` })} onClick=${() => setQuery({ [`where.${name}`]: null, offset: null })}>${name} = ${value} ×<//>`)}</p>`}
    <div class="scroller" tabindex="0" role="region" aria-label=${page.table || t("page.data")}><table class=${"grid" + (items.loading ? " stale" : "")}>
      <thead><tr>${page.columns.map((one) => {
        const up = sort === one.name,
          down = sort === "-" + one.name;
        const kind = query.get(`kinds.${one.name}`) ?? kinds[one.name]?.kind ?? one.type;
        return html`<th scope="col" aria-sort=${up ? "ascending" : down ? "descending" : undefined} class=${dropped.includes(one.name) ? "dropped" : ""}>
          <div class="headrow"><button type="button" class="sort" onClick=${() => setQuery({ sort: up ? "-" + one.name : down ? null : one.name, offset: null })}>${one.name}<span aria-hidden="true">${up ? " ▲" : down ? " ▼" : ""}</span></button>
          <button type="button" class="about" title=${t("data.about", { name: one.name })} onClick=${() => setQuery({ about: one.name })}>${tt("column", kind)}<span class="hidden">, ${t("data.about", { name: one.name })}</span><span aria-hidden="true"> ⋯</span></button></div>
          <${Histogram} hist=${hists.data?.columns?.[one.name]} onPick=${(value) => setQuery({ [`where.${one.name}`]: value, offset: null })} />
          <small>${histWords(hists.data?.columns?.[one.name])}</small></th>`;
      })}</tr></thead>
      <tbody>${page.rows.map(
        (row) =>
          html`<tr key=${row.i}>${row.cells.map(
            (cell, i) =>
              html`<td class=${typeof cell === "number" ? "number" : ""}><${Cell} cell=${cell} label=${cell?.media ? `${page.columns[i].name} ${row.i + 1}` : ""} /></td>`,
          )}</tr>`,
      )}</tbody>
    </table></div>
    ${!page.rows.length && html`<p class="note">${t("data.norows")}</p>`}
    ${pager}
    ${column && html`<${ColumnDialog} column=${column} hist=${hists.data?.columns?.[column.name]} about=${kinds[column.name]} query=${query} onClose=${() => setQuery({ about: null })} />`}`;
}

/** @param {{ id: string }} props */
export default function Data({ id }) {
  const query = route.value.query;
  const table = query.get("table") ?? "";
  const list = useLoad((signal) => get("/api/sources", signal), [id]);
  const found = useLoad(
    async (signal) => (id ? post("/api/inspect", { source: id, ...(table && { table }) }, signal) : null),
    [id, table],
  );
  if (!id) return html`<${Picker} />`;
  const source = list.data?.sources.find((one) => one.id === id);
  const next = new URLSearchParams([...query].filter(([key]) => key === "table" || CORRECTION.test(key)));
  next.set("source", id);
  const rules = (found.data?.tables ?? []).find((one) => !table || one.name === table)?.rules ?? [];
  const corrected = [...query].filter(([key]) => CORRECTION.test(key)).length;
  const zoom = zoomed.value;
  return html`<${Title} text=${source?.name ?? t("page.data")}>
      ${source && html`<span class="chips"><span class="chip">${tt("source", source.kind)}</span></span>`}<span class="grow"></span>
      ${corrected > 0 && html`<span class="note">${t("data.corrected", { n: corrected })}</span>`}
      <a class="button main" href=${link("train", "", next)}>${t("data.train")}</a><a class="button" href=${link("data")}>${t("data.other")}</a>
    <//>
    ${found.error ? html`<${Failure} error=${found.error} retry=${found.reload} />` : found.data ? html`<${Alerts} found=${found.data} /><${ReadAs} found=${found.data} />` : html`<${Busy} label=${t("data.looking")} />`}
    ${rules.length > 0 && html`<details class="rules"><summary>${t("data.rules", { n: rules.length })}</summary><ul>${rules.map((rule) => html`<li>${rule}</li>`)}</ul></details>`}
    <${Rows} source=${id} found=${found.data} />
    ${
      zoom &&
      html`<${Dialog} title=${zoom.label} onClose=${() => {
        zoomed.value = null;
      }}><div class="zoom"><img class="pixels" src=${zoom.url ?? zoom.thumb} alt=${zoom.label} /></div>
      <p><a class="button" href=${zoom.url} download=${zoom.name ?? ""}>${t("download")}</a></p><//>`
    }`;
}
