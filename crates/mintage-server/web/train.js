// @ts-check
// Train: a form from what the source holds, the plan before the start, the start.
import { html, useEffect, useState } from "./lib.js";
import { num, size, span, t, tt } from "./i18n.js";
import { go, link, route, setQuery } from "./router.js";
import { get, newSeed, post } from "./api.js";
import { refreshRun, server, setJob } from "./store.js";
import { useKeys } from "./keys.js";
import { Busy, Button, Dialog, Failure, Field, Icon, Select, Title, notify, useLoad } from "./ui.js";
import { OpenSource } from "./data.js";

const PLAIN = ["table", "column", "label", "kind", "family", "size", "name"];

/** A value of a setting as it is typed: JSON where it is, else text. @param {string} text */
const valueOf = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** The body of POST /api/runs for a query. `columns` are those of the table, of which some may be dropped.
 * @param {URLSearchParams} query @param {string[]} columns */
export function trainBody(query, columns) {
  /** @type {any} */
  const body = { source: query.get("source") ?? "" };
  for (const key of PLAIN) if (query.get(key)) body[key] = query.get(key);
  const steps = query.get("steps");
  if (steps) body.steps = Math.trunc(Number(steps));
  else body.time = query.get("time") || "2m";
  if (query.get("seed")) body.seed = Math.trunc(Number(query.get("seed")));
  /** @type {any} */
  const settings = {},
    kinds = {};
  for (const line of (query.get("set") ?? "").split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) settings[line.slice(0, at).trim()] = valueOf(line.slice(at + 1).trim());
  }
  for (const [key, value] of query) if (key.startsWith("kinds.")) kinds[key.slice(6)] = value;
  if (Object.keys(kinds).length) settings["data.kinds"] = kinds;
  const dropped = query.getAll("drop");
  if (dropped.length && columns.length && !body.column)
    body.column = columns.filter((name) => !dropped.includes(name)).join(",");
  if (Object.keys(settings).length) body.settings = settings;
  return body;
}

/** @param {{ plan: any, recipe: string }} props */
export function Plan({ plan, recipe }) {
  const facts = [
    ["plan.family", `${plan.family} · ${plan.size}`],
    ["data.why", plan.family_why],
    ["plan.parameters", num(plan.parameters)],
    ["plan.memory", plan.memory_bytes ? size(plan.memory_bytes) : null],
    ["plan.budget", plan.time_secs ? span(plan.time_secs) : plan.steps ? t("steps", { n: plan.steps }) : null],
    ["plan.batch", num(plan.batch)],
    ["plan.device", `${plan.device} · ${t("plan.threads", { n: plan.threads })}`],
    ["plan.name", plan.name],
  ].filter(([, value]) => value);
  return html`<p class="lead">${plan.data}</p>
    <dl class="facts">${facts.map(([key, value]) => html`<div><dt>${t(/** @type {string} */ (key))}</dt><dd>${value}</dd></div>`)}</dl>
    ${plan.makings?.length > 0 && html`<details><summary>${t("plan.makings", { n: plan.makings.length })}</summary><ul>${plan.makings.map((one) => html`<li>${one}</li>`)}</ul></details>`}
    ${plan.rules?.length > 0 && html`<details><summary>${t("data.rules", { n: plan.rules.length })}</summary><ul>${plan.rules.map((one) => html`<li>${one}</li>`)}</ul></details>`}
    ${recipe && html`<details><summary>${t("plan.recipe")}</summary><pre>${recipe}</pre></details>`}`;
}

export default function Train() {
  const query = route.value.query;
  const source = query.get("source") ?? "",
    table = query.get("table") ?? "";
  const sources = useLoad((signal) => get("/api/sources", signal), []);
  const found = useLoad(
    async (signal) => (source ? post("/api/inspect", { source, ...(table && { table }) }, signal) : null),
    [source, table],
  );
  const [plan, setPlan] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState("");
  const [opening, setOpening] = useState(false);
  const [code, setCode] = useState(/** @type {any} */ (null));
  const tables = found.data?.tables ?? [];
  const shown = tables.find((one) => !table || one.name === table);
  const columns = (shown?.columns ?? []).map((one) => one.name);
  const readAs = query.get("kind") || found.data?.read_as || "table";
  const families = server.value?.families?.[readAs] ?? [];
  const body = trainBody(query, columns);
  const text = JSON.stringify(body);
  // A plan of another form says nothing about this one.
  useEffect(() => {
    setPlan(null);
    setError(null);
  }, [text]);

  const run = async (dry) => {
    if (!source) {
      setError({ message: t("train.nosource"), hint: t("data.path.hint") });
      return;
    }
    setBusy(dry ? "plan" : "start");
    setError(null);
    try {
      const answer = await post("/api/runs", dry ? { ...body, dry_run: true } : body);
      if (dry) setPlan(answer);
      else {
        setJob(answer.job);
        await refreshRun(answer.run);
        notify(t("train.started"));
        go(link("run", answer.run));
      }
    } catch (reason) {
      setError(reason);
    }
    setBusy("");
  };
  useKeys({
    "ctrl+enter": () => {
      run(false);
    },
  });
  const asCode = async () => {
    const { trainCode } = await import("./code.js");
    setCode(trainCode(body, sources.data?.sources.find((one) => one.id === source)?.name ?? source));
  };

  const bad = (name) =>
    error?.field && [name, "data." + name, "train." + name, "model." + name].includes(error.field)
      ? error.message
      : undefined;
  const input = (name, /** @type {any} */ more = {}) =>
    html`<${Field} label=${t("train." + name)} hint=${more.hint} error=${bad(name)}>${(ids) =>
      html`<input ...${ids} type=${more.type ?? "text"} min=${more.min} placeholder=${more.placeholder} spellcheck=${false} autocomplete="off" value=${query.get(name) ?? ""} onChange=${(e) => setQuery({ [name]: e.target.value })} />`}<//>`;
  const select = (name, options, /** @type {any} */ changes = {}) =>
    html`<${Field} label=${t("train." + name)} error=${bad(name)}>${(ids) =>
      html`<${Select} ...${ids} options=${options} value=${query.get(name) ?? ""} onPick=${(value) => setQuery({ [name]: value, ...changes })} />`}<//>`;
  const auto = ["", t("auto")];
  const kinds = Object.keys(server.value?.families ?? {});

  return html`<${Title} text=${t("train.title")}><span class="grow"></span><${Button} onClick=${asCode}><${Icon} name="code" />${t("code.title")}<//><//>
    <div class="split">
      <form class="form" onSubmit=${(e) => {
        e.preventDefault();
        run(false);
      }}>
        <fieldset><legend>${t("train.data")}</legend>
          <${Field} label=${t("train.source")} error=${bad("source")}>${(
            ids,
          ) => html`<${Select} ...${ids} value=${source}
            options=${[["", t("train.choose")], ...(sources.data?.sources ?? []).map((one) => [one.id, one.name])]}
            onPick=${(value) => setQuery({ source: value, table: null, column: null, label: null, drop: null })} />`}<//>
          <p class="row">${source && html`<a href=${link("data", source, { table })}>${t("train.look")}</a>`}<${Button} look="quiet" onClick=${() => setOpening(true)}>${t("data.open")}<//></p>
          ${found.error && html`<${Failure} error=${found.error} retry=${found.reload} />`}
          ${source && found.loading && html`<${Busy} label=${t("data.looking")} />`}
          ${tables.length > 0 && select("table", [auto, ...tables.map((one) => one.name)], { column: null, label: null, drop: null })}
          ${
            columns.length > 0 &&
            html`
            ${readAs !== "table" && select("column", [auto, ...columns])}
            ${select("label", [auto, ["none", t("train.nolabel")], ...columns])}`
          }
          ${select("kind", [auto, ...kinds.map((kind) => [kind, tt("kind", kind)])])}
          ${query.getAll("drop").length > 0 && html`<p class="note">${t("train.dropped", { names: query.getAll("drop").join(", ") })} <${Button} look="quiet small" onClick=${() => setQuery({ drop: null })}>${t("undo")}<//></p>`}
          ${[...query].filter(([key]) => key.startsWith("kinds.")).map(([key, value]) => html`<p class="note">${key.slice(6)}: ${tt("column", value)} <${Button} look="quiet small" onClick=${() => setQuery({ [key]: null })}>${t("undo")}<//></p>`)}
        </fieldset>
        <fieldset><legend>${t("train.model")}</legend>
          ${select("family", [auto, ...families.map((one) => [one, `${one} – ${t("family." + one)}`])])}
          ${select("size", [auto, ...(server.value?.sizes ?? [])])}
          ${query.has("steps") ? input("steps", { type: "number", min: 1 }) : input("time", { placeholder: "2m", hint: t("train.time.hint") })}
          <p class="row"><${Button} look="quiet small" onClick=${() => setQuery(query.has("steps") ? { steps: null } : { steps: "1000", time: null })}>${t(query.has("steps") ? "train.bytime" : "train.bysteps")}<//></p>
          ${input("name", { placeholder: t("auto") })}
          <details open=${Boolean(query.get("seed") || query.get("set"))}><summary>${t("more")}</summary>
            <div class="withbutton">${input("seed", { type: "number", min: 0 })}<${Button} look="quiet" aria-label=${t("seed.dice")} title=${t("seed.dice")} onClick=${() => setQuery({ seed: newSeed() })}><${Icon} name="dice" /><//></div>
            <${Field} label=${t("train.set")} hint=${t("train.set.hint")}>${(ids) =>
              html`<textarea ...${ids} rows="4" spellcheck=${false} placeholder="model.width=96" value=${query.get("set") ?? ""} onChange=${(e) => setQuery({ set: e.target.value })}></textarea>`}<//>
          </details>
        </fieldset>
        <p class="row sticky"><${Button} look="main" type="submit" busy=${busy === "start"}>${t("train.start")}<//><${Button} busy=${busy === "plan"} onClick=${() => run(true)}>${t("train.plan")}<//></p>
      </form>
      <section class="panel" aria-live="polite"><h2>${t("train.plan.title")}</h2>
        ${error && html`<${Failure} error=${error} />`}
        ${plan ? html`<${Plan} plan=${plan.plan} recipe=${plan.recipe} />` : !error && html`<p class="note">${t("train.plan.note")}</p>`}
      </section>
    </div>
    ${
      opening &&
      html`<${Dialog} title=${t("data.open")} onClose=${() => setOpening(false)}><${OpenSource} onOpen=${(one) => {
        setOpening(false);
        sources.reload();
        setQuery({ source: one.id, table: null, column: null, label: null });
      }} /><//>`
    }
    ${code && html`<${code.Drawer} onClose=${() => setCode(null)} />`}`;
}
