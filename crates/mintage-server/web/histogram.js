// @ts-check
// How the values of a column are spread, small enough for the head of a column or above a slider.
import { html } from "./lib.js";
import { num, t } from "./i18n.js";

/**
 * Bars of a histogram. The bars are a short cut for the mouse; by keyboard the same filter is in the column's dialog.
 * @param {{ hist: any, onPick?: (value: string) => void, from?: number, to?: number }} props
 */
export function Histogram({ hist, onPick, from, to }) {
  if (!hist) return html`<span class="nohist"></span>`;
  /** @type {{ count: number, title: string, value: string, on: boolean }[]} */
  const bars =
    hist.kind === "number"
      ? hist.counts.map((count, i) => {
          const [low, high] = [hist.edges[i], hist.edges[i + 1]];
          return {
            count,
            title: `${num(low, 4)} – ${num(high, 4)}: ${num(count)}`,
            value: `${low}..${high}`,
            on: (from === undefined || high > from) && (to === undefined || low < to || (low === high && low <= to)),
          };
        })
      : hist.values.slice(0, 12).map((/** @type {[any, number]} */ [value, count]) => ({
          count,
          title: `${value}: ${num(count)}`,
          value: quoted(value),
          on: true,
        }));
  const top = Math.max(1, ...bars.map((bar) => bar.count));
  const wide = bars.length || 1;
  return html`<svg class="hist" viewBox=${`0 0 ${wide} 100`} preserveAspectRatio="none" aria-hidden="true">
    ${bars.map(
      (
        bar,
        i,
      ) => html`<g class=${(bar.on ? "" : "off") + (onPick ? " pickable" : "")} onClick=${onPick && (() => onPick(bar.value))}>
      <title>${bar.title}</title><rect class="hit" x=${i} y="0" width="1" height="100" />
      <rect x=${i + 0.06} y=${100 - Math.max(bar.count ? 3 : 0, (bar.count / top) * 100)} width=".88" height=${Math.max(bar.count ? 3 : 0, (bar.count / top) * 100)} /></g>`,
    )}
  </svg>`;
}

const quoted = (value) => {
  const text = String(value ?? "");
  return text.includes("..") || text.startsWith('"') || text.trim() !== text ? `"${text}"` : text;
};

/** What a histogram says, in words. @param {any} hist */
export function histWords(hist) {
  if (!hist) return "";
  const missing = hist.missing ? ` · ${t("hist.missing", { n: hist.missing })}` : "";
  if (hist.kind === "number") {
    // Bins of whole numbers begin and end between two of them.
    const [low, high] = [hist.edges[0], hist.edges[hist.edges.length - 1]];
    const halves = Math.abs(low % 1) === 0.5 && Math.abs(high % 1) === 0.5;
    return `${num(halves ? low + 0.5 : low, 4)} – ${num(halves ? high - 0.5 : high, 4)}${missing}`;
  }
  const n = hist.values.length;
  if (!n && hist.others) return t("hist.all") + missing;
  return (
    (n === 1 ? String(hist.values[0][0]) : hist.others ? t("hist.over", { n }) : t("hist.values", { n })) + missing
  );
}

/**
 * Two ends of a range of numbers, as two sliders over each other and two fields.
 * @param {{ label: string, min: number, max: number, whole: boolean, from?: number, to?: number, hist?: any,
 *   onChange: (from: number | undefined, to: number | undefined) => void }} props
 */
export function RangeField({ label, min, max, whole, from, to, hist, onChange }) {
  const low = from ?? min,
    high = to ?? max;
  const step = whole ? 1 : (max - min) / 200 || 1;
  const tidy = (x) => (whole ? Math.round(x) : Number(x.toPrecision(6)));
  const set = (a, b) => onChange(a <= min ? undefined : tidy(a), b >= max ? undefined : tidy(b));
  const field = (
    isLow,
  ) => html`<input type="number" step=${whole ? 1 : "any"} value=${isLow ? (from ?? "") : (to ?? "")} placeholder=${num(isLow ? min : max, 5)}
    aria-label=${`${label}, ${t(isLow ? "from" : "to")}`} onChange=${(e) => {
      const value = e.target.value === "" ? undefined : Number(e.target.value);
      onChange(isLow ? value : from, isLow ? to : value);
    }} />`;
  return html`<fieldset class="range"><legend>${label}</legend>
    ${hist?.kind === "number" && html`<${Histogram} hist=${hist} from=${low} to=${high} />`}
    <div class="ends">
      <input type="range" min=${min} max=${max} step=${step} value=${low} aria-label=${`${label}, ${t("from")}`} onInput=${(e) => set(Math.min(Number(e.target.value), high), high)} />
      <input type="range" min=${min} max=${max} step=${step} value=${high} aria-label=${`${label}, ${t("to")}`} onInput=${(e) => set(low, Math.max(Number(e.target.value), low))} />
    </div>
    <div class="pair">${field(true)}<span aria-hidden="true">–</span>${field(false)}</div>
  </fieldset>`;
}
