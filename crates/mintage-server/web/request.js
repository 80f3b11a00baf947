// @ts-check
// A request to a model, as the query of an address and as JSON. In an address conditions are `where.COLUMN=VALUE` or
// `where.COLUMN=FROM..TO`, items `DRAW/ITEM` or `source:ID:URL`.

const WHOLE = ["n", "seed", "length", "frames", "top_k"];
const NUMBERS = ["strength", "seconds", "temperature", "guidance", "autoguidance", "top_p", "min_p", "repetition"];
const ITEMS = ["like", "continue"];
/** Files from the user's disk, by a name that stands in the address. @type {Map<string, any>} */
const files = new Map();

/** Keeps a file's bytes for a request; the answer stands for it. @param {File} file @param {string} kind @returns {Promise<string>} */
export async function addFile(file, kind) {
  const name = `file:${file.name}`;
  if (kind === "text") files.set(name, { text: await file.text() });
  else {
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    files.set(name, { base64: btoa(text) });
  }
  return name;
}

/** Keeps a text for a request; the answer stands for it. @param {string} text @returns {string} */
export function addText(text) {
  const name = `file:text-${files.size + 1}`;
  files.set(name, { text });
  return name;
}

/** @param {string} text */
export function itemOf(text) {
  if (text.startsWith("file:")) return files.get(text) ?? null;
  if (text.startsWith("text:")) return { text: text.slice(5) };
  if (text.startsWith("source:")) {
    const [, source, ...rest] = text.split(":");
    return { source, url: rest.join(":") };
  }
  const at = text.lastIndexOf("/");
  return at < 0 ? null : { draw: text.slice(0, at), item: Number(text.slice(at + 1)) };
}

/** @param {any} item @returns {string} */
export const itemText = (item) =>
  item.draw !== undefined
    ? `${item.draw}/${item.item}`
    : item.source !== undefined
      ? `source:${item.source}:${item.url}`
      : item.text !== undefined
        ? `text:${item.text}`
        : "";

/** The JSON of the request in a query, of the fields in `properties`. @param {URLSearchParams} query @param {any} properties */
export function requestOf(query, properties) {
  /** @type {any} */
  const request = {};
  for (const [key, value] of query) {
    if (key.startsWith("where.") && properties.where) {
      const column = key.slice(6);
      request.where ??= {};
      request.where[column] = conditionOf(value, properties.where.properties?.[column]);
    }
    if (!(key in properties) || value === "") continue;
    if (WHOLE.includes(key)) request[key] = Math.trunc(Number(value));
    else if (NUMBERS.includes(key)) request[key] = Number(value);
    else if (ITEMS.includes(key)) {
      const item = itemOf(value);
      if (item) request[key] = item;
    } else if (key === "endless") request[key] = value === "1";
    else if (key === "stop") request.stop = query.getAll("stop").filter(Boolean);
    else if (key === "given" || key === "fill") request[key] = { rows: rowsOf(value, key === "fill") };
    else if (key === "between") {
      const ends = query.getAll("between").map(itemOf).filter(Boolean);
      if (ends.length === 2) request.between = ends;
    } else if (key !== "where" && key !== "blend") request[key] = value;
  }
  // What cannot stand together: the more particular field wins.
  if (request.given || request.fill) delete request.n;
  if (request.continue) delete request.prompt;
  if (request.like) delete request.between;
  else delete request.strength;
  return request;
}

/** @param {string} text @param {any} schema */
function conditionOf(text, schema) {
  const isNumber = (schema?.anyOf ?? [schema]).some(
    (way) =>
      way?.type === "number" ||
      way?.properties?.from?.type === "number" ||
      typeof (way?.enum ?? way?.examples ?? [])[0] === "number",
  );
  const value = (end) => (isNumber && end.trim() !== "" && Number.isFinite(Number(end)) ? Number(end) : end);
  if (text === "null") return null;
  if (/^".*"$/s.test(text)) return text.slice(1, -1);
  const at = text.indexOf("..");
  if (at < 0) return value(text);
  const [from, to] = [text.slice(0, at), text.slice(at + 2)];
  return { ...(from && { from: value(from) }), ...(to && { to: value(to) }) };
}

/** A condition's value as text. @param {any} value */
export const conditionText = (value) =>
  value === null
    ? "null"
    : typeof value === "object"
      ? `${value.from ?? ""}..${value.to ?? ""}`
      : typeof value === "string" && (value.includes("..") || value === "null" || /^".*"$/s.test(value))
        ? `"${value}"`
        : String(value);

/** The query that stands for a request's JSON. @param {any} request @returns {Record<string, any>} */
export function queryOf(request) {
  /** @type {Record<string, any>} */
  const query = {};
  for (const [key, value] of Object.entries(request)) {
    if (value === null || value === undefined) continue;
    if (key === "where") {
      const pairs = Array.isArray(value)
        ? value.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)])
        : Object.entries(value).map(([column, one]) => [column, conditionText(one)]);
      for (const [column, text] of pairs) query[`where.${column}`] = text;
    } else if (ITEMS.includes(key)) query[key] = itemText(value) || null;
    else if (key === "between") query[key] = value.map(itemText);
    else if (typeof value !== "object" || Array.isArray(value)) query[key] = value;
  }
  return query;
}

/** Rows of a CSV with a head. An empty cell is left out, or is null where gaps are filled. @param {string} text @param {boolean} gaps */
export function rowsOf(text, gaps) {
  const [head, ...rows] = csv(text);
  return rows
    .filter((row) => row.some(Boolean))
    .map((row) => {
      /** @type {Record<string, any>} */
      const cells = {};
      head.forEach((name, i) => {
        const cell = row[i] ?? "";
        if (cell !== "") cells[name] = /^-?\d+(\.\d+)?$/.test(cell) ? Number(cell) : cell;
        else if (gaps) cells[name] = null;
      });
      return cells;
    });
}

/** @param {string} text @returns {string[][]} */
function csv(text) {
  /** @type {string[][]} */
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const row = rows[rows.length - 1],
      sign = text[i];
    if (quoted) {
      if (sign !== '"') row[row.length - 1] += sign;
      else if (text[i + 1] === '"') {
        row[row.length - 1] += '"';
        i++;
      } else quoted = false;
    } else if (sign === '"') quoted = true;
    else if (sign === ",") row.push("");
    else if (sign === "\n") rows.push([""]);
    else if (sign !== "\r") row[row.length - 1] += sign;
  }
  return rows.map((row) => row.map((cell) => cell.trim()));
}

/** @param {any[]} cells */
export const csvLine = (cells) =>
  cells
    .map((cell) => {
      const text = cell === null || cell === undefined || typeof cell === "object" ? "" : String(cell);
      return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(",");
