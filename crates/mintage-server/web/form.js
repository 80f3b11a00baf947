// @ts-check
// The form of a request, made from the model's JSON Schema. What is filled in stands in the address.
import { html, useState } from "./lib.js";
import { num, t, tt } from "./i18n.js";
import { route, setQuery } from "./router.js";
import { newSeed } from "./api.js";
import { Button, Field, Icon, Select, fail } from "./ui.js";
import { RangeField } from "./histogram.js";
import { Item } from "./media.js";
import { addFile, conditionText, itemOf } from "./request.js";

/** Fields that stand before "more", in this order. */
const FIRST = ["prompt", "n", "temperature"];
const ITEMS = ["like", "continue", "between"];
/** Fields with a place of their own. */
const OWN = ["seed", "where", "given", "fill", "strength", "blend", ...ITEMS];
/** Columns with at most this many numbers are a list, the others a range. */
const MAX_LISTED_NUMBERS = 12;

/** What a condition on a column can be. @param {any} schema */
function waysOf(schema) {
  const ways = schema?.anyOf ?? [schema ?? {}];
  const range = ways.find((way) => way?.properties?.from)?.properties.from;
  const listed = ways.find((way) => way?.enum ?? way?.examples);
  return {
    range,
    values: listed?.enum ?? (listed?.type ? null : listed?.examples) ?? null,
    closed: Boolean(listed?.enum),
    missing: ways.some((way) => way?.type === "null"),
  };
}

/** @param {{ name: string, schema: any, hist: any, value: string, onRemove?: () => void }} props */
function Condition({ name, schema, hist, value, onRemove }) {
  const { range, values, missing } = waysOf(schema);
  const set = (text) => setQuery({ [`where.${name}`]: text });
  const isNumber = range?.type === "number";
  const remove =
    onRemove &&
    html`<${Button} look="quiet small" aria-label=${t("form.remove", { name })} onClick=${() => {
      set(null);
      onRemove();
    }}><${Icon} name="out" /><//>`;
  if (isNumber && range.minimum !== undefined && !(values && values.length <= MAX_LISTED_NUMBERS)) {
    const [from, to] = value.includes("..") ? value.split("..") : [value, value];
    return html`<div class="condition"><${RangeField} label=${name} min=${range.minimum} max=${range.maximum} whole=${Number.isInteger(range.minimum) && Number.isInteger(range.maximum)} hist=${hist}
      from=${from === "" ? undefined : Number(from)} to=${to === "" ? undefined : Number(to)} onChange=${(a, b) => set(a === undefined && b === undefined ? null : `${a ?? ""}..${b ?? ""}`)} />${remove}</div>`;
  }
  if (values) {
    const options = [
      ["", t("data.any")],
      ...values.map((one) => [conditionText(one), String(one)]),
      ...(missing ? [["null", t("null")]] : []),
    ];
    return html`<div class="condition"><${Field} label=${name}>${(ids) => html`<${Select} ...${ids} value=${value} options=${options} onPick=${set} />`}<//>${remove}</div>`;
  }
  const examples = range?.examples ?? [];
  return html`<div class="condition"><${Field} label=${name} hint=${range ? t("form.range", { from: examples[0] ?? "", to: examples[1] ?? "" }) : undefined}>${(
    ids,
  ) =>
    html`<input ...${ids} value=${value} placeholder=${examples.length ? examples.join("..") : ""} onChange=${(e) => set(e.target.value)} />`}<//>${remove}</div>`;
}

/** @param {{ schema: any, hists: any, query: URLSearchParams }} props */
function Conditions({ schema, hists, query }) {
  const [open, setOpen] = useState(/** @type {string[]} */ ([]));
  const columns = Object.entries(schema.properties ?? {});
  const isClass = schema.maxProperties === 1 || columns.length <= 2;
  const shown = columns.filter(([name]) => isClass || open.includes(name) || query.has(`where.${name}`));
  const rest = columns.filter((one) => !shown.includes(one)).map(([name]) => name);
  return html`<fieldset><legend>${t("form.where")}</legend>
    ${shown.map(
      ([
        name,
        one,
      ]) => html`<${Condition} key=${name} name=${name} schema=${one} hist=${hists?.[name]} value=${query.get(`where.${name}`) ?? ""}
      onRemove=${isClass ? undefined : () => setOpen(open.filter((other) => other !== name))} />`,
    )}
    ${rest.length > 0 && html`<${Select} aria-label=${t("form.addcondition")} value="" options=${[["", t("form.addcondition")], ...rest]} onPick=${(name) => name && setOpen([...open, name])} />`}
  </fieldset>`;
}

/** A number, a text, a choice or a switch, by its schema. @param {{ name: string, schema: any, query: URLSearchParams, problem: any }} props */
function Plain({ name, schema, query, problem }) {
  const value = query.get(name) ?? "";
  const set = (text) => setQuery({ [name]: text });
  const label = tt("field", name);
  if (schema.type === "boolean")
    return html`<label class="check"><input type="checkbox" checked=${value === "1"} onChange=${(e) => set(e.target.checked)} /> ${label}</label>`;
  const hint = tt("field.hint", name) === name ? undefined : tt("field.hint", name);
  return html`<${Field} label=${label} hint=${hint} error=${problem?.field === name ? problem.message : undefined}>${(
    ids,
  ) => {
    if (schema.enum)
      return html`<${Select} ...${ids} value=${value} options=${[["", t("auto")], ...schema.enum]} onPick=${set} />`;
    if (name === "temperature") {
      const now = value === "" ? (schema.default ?? 1) : Number(value);
      return html`<div class="withvalue"><input ...${ids} type="range" min="0" max="2" step="0.05" value=${now} onInput=${(e) => set(Number(e.target.value) === (schema.default ?? 1) ? null : e.target.value)} /><output>${num(now)}</output></div>`;
    }
    if (name === "prompt" || name === "json_shape")
      return html`<textarea ...${ids} rows=${name === "prompt" ? 3 : 2} spellcheck=${false} onChange=${(e) => set(e.target.value)} value=${value}></textarea>`;
    if (schema.type === "integer" || schema.type === "number")
      return html`<input ...${ids} type="number" min=${schema.minimum ?? schema.exclusiveMinimum} max=${schema.maximum} step=${schema.type === "integer" ? 1 : "any"} placeholder=${schema.default ?? t("auto")} value=${value} onChange=${(e) => set(e.target.value)} />`;
    return html`<input ...${ids} spellcheck=${false} placeholder=${schema.examples?.[0] ?? ""} value=${value} onChange=${(e) => set(e.target.value)} />`;
  }}<//>`;
}

/** An item to vary, go on from or interpolate to. @param {{ name: string, query: URLSearchParams, kind: string, find: (text: string) => any }} props */
function ItemField({ name, query, kind, find }) {
  const given = query.getAll(name);
  const most = name === "between" ? 2 : 1;
  const add = async (event) => {
    const file = event.target.files[0];
    event.target.value = "";
    if (file)
      try {
        setQuery({ [name]: [...given, await addFile(file, kind)].slice(-most) });
      } catch (error) {
        fail(error);
      }
  };
  return html`<div class="field itemfield"><span class="label">${tt("field", name)}</span>
    <div class="row">${given.map((text, i) => {
      const item = find(text);
      return html`<span class="given">${item ? html`<${Item} item=${item} label=${text} />` : html`<code>${itemOf(text) ? text : t("form.gone")}</code>`}
        <${Button} look="quiet small" aria-label=${t("form.remove", { name: tt("field", name) })} onClick=${() => setQuery({ [name]: given.filter((_, at) => at !== i) })}><${Icon} name="out" /><//></span>`;
    })}
    ${given.length < most && html`<label class="button small filebutton">${t("drop.choose")}<input type="file" class="hidden" onChange=${add} /></label>`}</div>
    ${!given.length && html`<p class="note">${t("form.senditem")}</p>`}
  </div>`;
}

/**
 * @param {{ schema: any, kind: string, columns?: string[], hists: any, busy: boolean, problem: any, drawn: any,
 *   find: (text: string) => any, onGo: () => void, onStop: () => void }} props
 */
export function RequestForm({ schema, kind, columns, hists, busy, problem, drawn, find, onGo, onStop }) {
  const query = route.value.query;
  const has = schema.properties ?? {};
  const seed = query.get("seed");
  const names = Object.keys(has).filter((name) => !OWN.includes(name));
  const first = FIRST.filter((name) => names.includes(name));
  const more = names.filter((name) => !FIRST.includes(name));
  const plain = (name) =>
    html`<${Plain} key=${name} name=${name} schema=${has[name]} query=${query} problem=${problem} />`;
  const used = more.some((name) => query.has(name)) || ["given", "fill", ...ITEMS].some((name) => query.has(name));
  const head = columns?.join(",") ?? "";
  return html`<form class="form" aria-label=${t("form.title")} onSubmit=${(e) => {
    e.preventDefault();
    onGo();
  }}>
    ${has.where && html`<${Conditions} schema=${has.where} hists=${hists} query=${query} />`}
    ${first.map(plain)}
    <div class="withbutton"><${Field} label=${t("seed")} hint=${seed === null ? t("seed.free") : t("seed.locked")} error=${problem?.field === "seed" ? problem.message : undefined}>${(
      ids,
    ) =>
      html`<input ...${ids} type="number" min="0" placeholder=${drawn?.seed ?? t("auto")} value=${seed ?? ""} onChange=${(e) => setQuery({ seed: e.target.value })} />`}<//>
      <${Button} look="quiet" aria-label=${t("seed.dice")} title=${t("seed.dice")} onClick=${() => setQuery({ seed: newSeed() })}><${Icon} name="dice" /><//>
      <${Button} look="quiet" aria-pressed=${seed !== null} aria-label=${t("seed.lock")} title=${t("seed.lock") + " (l)"} onClick=${() => setQuery({ seed: seed === null ? (drawn?.seed ?? newSeed()) : null })}><${Icon} name=${seed === null ? "unlock" : "lock"} /><//>
    </div>
    <details open=${used}><summary>${t("more")}</summary>
      ${ITEMS.filter((name) => has[name]).map((name) => html`<${ItemField} name=${name} query=${query} kind=${kind} find=${find} />`)}
      ${has.strength && query.has("like") && html`<${Field} label=${t("field.strength")} hint=${t("field.hint.strength")}>${(ids) => html`<div class="withvalue"><input ...${ids} type="range" min="0" max="1" step="0.05" value=${query.get("strength") ?? 0.5} onInput=${(e) => setQuery({ strength: e.target.value })} /><output>${num(Number(query.get("strength") ?? 0.5))}</output></div>`}<//>`}
      ${["given", "fill"]
        .filter((name) => has[name])
        .map(
          (name) =>
            html`<${Field} label=${tt("field", name)} hint=${tt("field.hint", name)} error=${problem?.field === name ? problem.message : undefined}>${(
              ids,
            ) =>
              html`<textarea ...${ids} rows="3" spellcheck=${false} placeholder=${head} value=${query.get(name) ?? ""} onChange=${(e) => setQuery({ [name]: e.target.value })}></textarea>`}<//>`,
        )}
      ${more.map(plain)}
    </details>
    <p class="row sticky">${busy ? html`<${Button} look="danger" onClick=${onStop}><${Icon} name="stop" />${t("stop")}<//>` : html`<${Button} look="main" type="submit">${t("form.go")}<//>`}
      <small class="note">ctrl+enter</small></p>
  </form>`;
}
