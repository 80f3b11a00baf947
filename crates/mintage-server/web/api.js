// @ts-check
// Calls to the server. Every failure is an ApiError with words to show and, where there is one, what to do.
import { signal } from "./lib.js";
import { t } from "./i18n.js";

/** The server does not answer. */
export const offline = signal(false);
/** The server does not know this browser: no token, or an old one. */
export const refused = signal(false);

export class ApiError extends Error {
  /** @param {{ status?: number, title?: string, detail?: string, hint?: string, field?: string }} problem */
  constructor(problem) {
    super(problem.detail || problem.title || t("error.unknown"));
    this.status = problem.status ?? 0;
    this.hint = problem.hint;
    this.field = problem.field;
  }
}

/** @param {Response} answer */
async function problemOf(answer) {
  const text = await answer.text().catch(() => "");
  try {
    const problem = JSON.parse(text);
    if (problem && typeof problem === "object") return new ApiError({ ...problem, status: answer.status });
  } catch {
    /* not JSON: words of a proxy, or nothing */
  }
  return new ApiError({ status: answer.status, detail: t("error.status", { status: String(answer.status) }) });
}

/**
 * The answer of a call, once it is known to be a good one.
 * @param {string} method @param {string} path @param {any} [body]
 * @param {{ signal?: AbortSignal, accept?: string }} [options]
 */
export async function call(method, path, body, options = {}) {
  const isBytes = body instanceof Blob;
  /** @type {Record<string, string>} */
  const headers = { accept: options.accept ?? "application/json" };
  if (method !== "GET") headers["content-type"] = isBytes ? "application/octet-stream" : "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      signal: options.signal,
      credentials: "same-origin",
      body: method === "GET" ? undefined : isBytes ? body : JSON.stringify(body ?? {}),
    });
  } catch (error) {
    if (/** @type {any} */ (error).name === "AbortError") throw error;
    offline.value = true;
    throw new ApiError({ detail: t("error.offline"), hint: t("error.offline.hint") });
  }
  offline.value = false;
  if (answer.ok) return answer;
  if (answer.status === 401) refused.value = true;
  throw await problemOf(answer);
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export const get = async (path, signal) => (await call("GET", path, undefined, { signal })).json();

/** @param {string} path @param {any} [body] @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function post(path, body, signal) {
  const answer = await call("POST", path, body, { signal });
  return answer.status === 204 ? null : answer.json();
}

/** @param {string} path @param {any} [body] @returns {Promise<any>} */
export async function del(path, body) {
  const answer = await call("DELETE", path, body);
  return answer.status === 204 ? null : answer.json();
}

/**
 * The events that answer a POST. Leaving the loop, or aborting, closes the connection, and the server stops drawing.
 * @param {string} path @param {any} body @param {AbortSignal} signal
 * @returns {AsyncGenerator<{ event: string, data: any }>}
 */
export async function* stream(path, body, signal) {
  const answer = await call("POST", path, body, { signal, accept: "text/event-stream" });
  const type = answer.headers.get("content-type") ?? "";
  if (!type.startsWith("text/event-stream")) {
    yield { event: "done", data: await answer.json() };
    return;
  }
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += decoder.decode(value, { stream: true }).replace(/\r\n?/g, "\n");
      for (let end; (end = buffer.indexOf("\n\n")) >= 0; buffer = buffer.slice(end + 2)) {
        let event = "message",
          data = "";
        for (const line of buffer.slice(0, end).split("\n")) {
          if (line.startsWith("event:")) event = line.slice(6).trim();
          else if (line.startsWith("data:")) data += (data && "\n") + line.slice(5).trimStart();
        }
        if (!data) continue;
        const parsed = JSON.parse(data);
        if (event === "error") throw new ApiError(parsed);
        yield { event, data: parsed };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** A path of the API with its parts encoded: url`/api/runs/${id}`. @param {TemplateStringsArray} parts @param {...any} values */
export const url = (parts, ...values) =>
  parts.reduce((all, part, i) => all + part + (i < values.length ? encodeURIComponent(values[i]) : ""), "");

/** Seeds are drawn here so that they can be shown and repeated. */
export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
