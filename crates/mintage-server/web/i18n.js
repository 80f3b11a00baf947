// @ts-check
// Texts in the user's language. A language is one flat table, lang/CODE.js; `{name}` is a placeholder and
// `{n:run|runs}` picks the form for the number n, in the order of the language's plural categories.
import { signal } from "./lib.js";

export const LANGUAGES = { en: "English", ru: "Русский" };
export const lang = signal("en");
const table = signal(/** @type {Record<string, string>} */ ({}));
let plural = new Intl.PluralRules("en");

/** Loads a language and shows the page in it. @param {string} code */
export async function setLang(code) {
  const module = await import(`./lang/${code}.js`);
  plural = new Intl.PluralRules(code);
  document.documentElement.lang = code;
  lang.value = code;
  table.value = module.default;
}

/** The text of a key. @param {string} key @param {Record<string, any>} [values] @returns {string} */
export function t(key, values = {}) {
  const text = table.value[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)(?::([^}]*))?\}/g, (_, name, forms) => {
    const value = values[name];
    if (!forms) return typeof value === "number" ? num(value) : String(value ?? "");
    const list = forms.split("|");
    // Fractions are "other" in Russian and take the form of "few".
    const at = { one: 0, few: 1, many: 2, other: 1 }[plural.select(Number(value))] ?? 1;
    return list[Math.min(at, list.length - 1)];
  });
}

/** The text of a key that may not exist, such as the name of a kind from the server. */
export const tt = (prefix, name) => {
  const text = table.value[`${prefix}.${name}`];
  return text === undefined ? String(name ?? "") : text;
};

/** A number, with at most `digits` significant ones. @param {number | null | undefined} value */
export function num(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const big = Math.abs(value) >= 1e6 && digits > 0;
  // Years and short numbers stand without a separator.
  const grouping = /** @type {any} */ ("min2");
  const form = digits
    ? { maximumSignificantDigits: digits, useGrouping: grouping }
    : { maximumFractionDigits: 3, useGrouping: grouping };
  return new Intl.NumberFormat(lang.value, big ? { ...form, notation: "compact" } : form).format(value);
}

/** A share as a percentage. @param {number} share */
export const percent = (share, digits = 0) =>
  new Intl.NumberFormat(lang.value, { style: "percent", maximumFractionDigits: digits }).format(share);

/** Bytes in a unit that reads well. @param {number} bytes */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const at = Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const form = { style: "unit", unit: units[at], unitDisplay: "short", maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(lang.value, /** @type {any} */ (form)).format(bytes / 1000 ** at);
}

/** Seconds as a length of time, in its two largest units. @param {number | null | undefined} secs */
export function span(secs) {
  if (secs === null || secs === undefined) return "–";
  const unit = (value, name) =>
    new Intl.NumberFormat(lang.value, /** @type {any} */ ({ style: "unit", unit: name, unitDisplay: "short" })).format(
      value,
    );
  const s = Math.round(secs);
  if (secs < 10) return unit(Math.round(secs * 10) / 10, "second");
  if (s < 60) return unit(s, "second");
  if (s < 3600) return unit(Math.floor(s / 60), "minute") + (s % 60 ? " " + unit(s % 60, "second") : "");
  return unit(Math.floor(s / 3600), "hour") + (s % 3600 >= 60 ? " " + unit(Math.floor((s % 3600) / 60), "minute") : "");
}

/** A moment, given in seconds since 1970, as "5 minutes ago" or as a date. @param {number} unix */
export function ago(unix) {
  const secs = unix - Date.now() / 1000;
  const form = new Intl.RelativeTimeFormat(lang.value, { numeric: "auto" });
  const past = Math.abs(secs);
  if (past < 60) return form.format(Math.round(secs), "second");
  if (past < 3600) return form.format(Math.round(secs / 60), "minute");
  if (past < 86400) return form.format(Math.round(secs / 3600), "hour");
  if (past < 7 * 86400) return form.format(Math.round(secs / 86400), "day");
  return date(unix);
}

/** A moment as date and time. @param {number} unix */
export const date = (unix) =>
  new Intl.DateTimeFormat(lang.value, { dateStyle: "medium", timeStyle: "short" }).format(unix * 1000);
