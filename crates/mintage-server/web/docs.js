// @ts-check
// The API for programs: a readable page made from /openapi.json. In English, as the descriptions in that file are.
import { html, render, useState } from "./lib.js";

const VERBS = ["get", "post", "put", "patch", "delete"];
/** Levels of a schema that are shown; deeper ones are named. */
const MAX_DEPTH = 5;
document.documentElement.lang = "en";

/** @param {any} api @param {any} schema */
function resolve(api, schema) {
  const ref = schema?.$ref;
  if (typeof ref !== "string" || !ref.startsWith("#/")) return { schema: schema ?? {}, name: "" };
  const parts = ref
    .slice(2)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const found = parts.reduce((at, part) => at?.[part], api) ?? {};
  return { schema: found, name: parts[parts.length - 1] };
}

/** The type of a schema in a few words. @param {any} api @param {any} given @returns {string} */
function typeOf(api, given) {
  const { schema, name } = resolve(api, given);
  if (name) return name;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map((one) => typeOf(api, one)).join(" or ");
  if (schema.allOf) return schema.allOf.map((one) => typeOf(api, one)).join(" and ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : (schema.type ?? "any");
  if (type === "array") return `array of ${typeOf(api, schema.items)}`;
  return schema.format ? `${type} (${schema.format})` : type;
}

/** The bounds of a schema. @param {any} schema */
const boundsOf = (schema) =>
  ["minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "default"]
    .filter((key) => schema[key] !== undefined)
    .map((key) => `${key} ${JSON.stringify(schema[key])}`)
    .join(", ");

/** @param {{ api: any, given: any, depth?: number, seen?: string[] }} props */
function Schema({ api, given, depth = 0, seen = [] }) {
  const { schema, name } = resolve(api, given);
  if (depth > MAX_DEPTH || (name && seen.includes(name))) return null;
  const next = name ? [...seen, name] : seen;
  const inner = (one) => html`<${Schema} api=${api} given=${one} depth=${depth + 1} seen=${next} />`;
  const choices = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (choices)
    return html`<ul class="schema">${choices.map((one) => html`<li><span class="type">${typeOf(api, one)}</span> ${resolve(api, one).schema.description ?? ""}${inner(one)}</li>`)}</ul>`;
  if (schema.items) return inner(schema.items);
  const properties = Object.entries(schema.properties ?? {});
  if (!properties.length) return null;
  return html`<ul class="schema">${properties.map(([key, one]) => {
    const own = resolve(api, one).schema;
    return html`<li><code>${key}</code>${schema.required?.includes(key) ? "" : "?"} <span class="type">${typeOf(api, one)}${boundsOf(own) && `, ${boundsOf(own)}`}</span> ${/** @type {any} */ (one).description ?? own.description ?? ""}${inner(one)}</li>`;
  })}</ul>`;
}

/** Bodies by their content type. @param {{ api: any, content: any }} props */
const Content = ({ api, content }) =>
  html`${Object.entries(content ?? {}).map(([type, one]) => {
    const { schema, itemSchema } = /** @type {any} */ (one);
    return html`<p><code>${type}</code> <span class="type">${schema ? typeOf(api, schema) : itemSchema ? `stream of ${typeOf(api, itemSchema)}` : ""}</span></p>
    <${Schema} api=${api} given=${schema ?? itemSchema ?? {}} />`;
  })}`;

/** A call that can be pasted. @param {string} verb @param {string} path @param {any} operation */
function curlOf(verb, path, operation) {
  const types = Object.keys(operation.requestBody?.content ?? {});
  const type = types[0] ?? "application/json";
  const body =
    verb === "get"
      ? ""
      : ` \\\n  -H 'content-type: ${type}'${type === "application/json" ? " -d '{}'" : " --data-binary @FILE"}`;
  return `curl ${verb === "get" ? "" : `-X ${verb.toUpperCase()} `}'${location.origin}${path}' \\\n  -H 'authorization: Bearer TOKEN'${body}`;
}

/** @param {{ api: any, path: string, verb: string, operation: any, shared: any[] }} props */
function Operation({ api, path, verb, operation, shared }) {
  const [open, setOpen] = useState(location.hash === `#${verb}-${path}`);
  const parameters = [...shared, ...(operation.parameters ?? [])].map((one) => resolve(api, one).schema);
  const body = resolve(api, operation.requestBody).schema;
  return html`<details id=${`${verb}-${path}`} open=${open} onToggle=${(e) => setOpen(e.target.open)}>
    <summary><span class=${"verb " + verb}>${verb.toUpperCase()}</span><code>${path}</code><span class="type">${operation.summary ?? ""}</span></summary>
    ${
      open &&
      html`
      ${operation.description && html`<p class="lead">${operation.description}</p>`}
      ${
        parameters.length > 0 &&
        html`<h3>Parameters</h3><ul class="schema">${parameters.map(
          (one) => html`<li><code>${one.name}</code>${one.required ? "" : "?"}
        <span class="type">${one.in}, ${typeOf(api, one.schema)}${boundsOf(one.schema ?? {}) && `, ${boundsOf(one.schema ?? {})}`}</span> ${one.description ?? ""}</li>`,
        )}</ul>`
      }
      ${body.content && html`<h3>Body</h3>${body.description && html`<p>${body.description}</p>`}<${Content} api=${api} content=${body.content} />`}
      <h3>Answers</h3>${Object.entries(operation.responses ?? {}).map(([status, given]) => {
        const answer = resolve(api, given).schema;
        return html`<p><code>${status}</code> ${answer.description ?? ""}</p><${Content} api=${api} content=${answer.content} />`;
      })}
      <h3>curl</h3><pre tabindex="0">${curlOf(verb, path, operation)}</pre>`
    }
  </details>`;
}

/** @param {{ api: any }} props */
function Page({ api }) {
  const [words, setWords] = useState("");
  /** @type {Record<string, any[]>} */
  const groups = {};
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const verb of VERBS) {
      const operation = /** @type {any} */ (item)[verb];
      if (!operation || !`${path} ${operation.summary ?? ""}`.toLowerCase().includes(words)) continue;
      (groups[operation.tags?.[0] ?? "other"] ??= []).push({
        path,
        verb,
        operation,
        shared: /** @type {any} */ (item).parameters ?? [],
      });
    }
  }
  const about = Object.fromEntries((api.tags ?? []).map((tag) => [tag.name, tag.description]));
  return html`<div class="title"><h1>${api.info?.title ?? "API"}</h1><span class="chip">${api.info?.version}</span></div>
    ${(api.info?.description ?? "").split("\n\n").map((part) => html`<p class="lead">${part}</p>`)}
    <p class="lead">A program sends the token that <code>mintage serve</code> printed: <code>authorization: Bearer TOKEN</code>. Bodies are JSON unless something else is said. Errors are <code>application/problem+json</code> with <code>detail</code> and <code>hint</code>.</p>
    <p><input type="search" aria-label="Filter" placeholder="Filter" value=${words} onInput=${(e) => setWords(e.target.value.toLowerCase())} /></p>
    ${Object.entries(groups).map(
      ([name, list]) => html`<section><h2>${name}</h2>${about[name] && html`<p class="note">${about[name]}</p>`}
      ${list.map((one) => html`<${Operation} key=${one.verb + one.path} api=${api} ...${one} />`)}</section>`,
    )}`;
}

const main = /** @type {HTMLElement} */ (document.getElementById("docs"));
try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answered with status ${answer.status}`);
  render(html`<${Page} api=${await answer.json()} />`, main);
} catch (error) {
  render(
    html`<div class="failure" role="alert"><p><strong>The description of the API could not be loaded: ${/** @type {any} */ (error).message}</strong></p>
    <p>Is the server still running? <a href="/openapi.json">openapi.json</a></p></div>`,
    main,
  );
}
