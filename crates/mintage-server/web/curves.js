// @ts-check
// Curves of runs by uPlot, which is loaded with this module. A canvas says nothing to a screen reader: the numbers at the
// chosen step stand in a table beside it.
import uPlot from "./vendor/uplot.js";
import { html, useEffect, useRef } from "./lib.js";
import { num, span, t } from "./i18n.js";

const styles = document.createElement("link");
styles.rel = "stylesheet";
styles.href = "/assets/vendor/uplot.css";
document.head.append(styles);

const OTHER = ["step", "kind", "name", "secs", "stage"];
/** A colour of the style sheet as a canvas takes it: the value of a variable may be a function, that of `color` is not. */
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);
const css = (name) => {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
};

/** Metrics of an event or of a record, whichever way they are written. @param {any} metrics */
export const metricsOf = (metrics) => (Array.isArray(metrics) ? Object.fromEntries(metrics) : (metrics ?? {}));

/** The names of the numbers in records, in their order. @param {any[]} records */
export const namesIn = (records) => [
  ...new Set(
    records
      .filter((one) => one.kind !== "stage")
      .flatMap((one) => Object.keys(one).filter((key) => !OTHER.includes(key))),
  ),
];

/** @param {any[]} records @param {string} kind */
const firstName = (records, kind) => {
  const last = records.findLast((one) => one.kind === kind);
  return last && Object.keys(last).find((key) => !OTHER.includes(key));
};

/** An exponential mean, without the pull of its start. @param {number[]} values @param {number} weight */
function smoothed(values, weight) {
  let mean = 0,
    norm = 0;
  return values.map((value) => {
    mean = mean * weight + value * (1 - weight);
    norm = norm * weight + (1 - weight);
    return mean / norm;
  });
}

/** The points of a run: training and validation. A run that tells no times has its steps spread over its time.
 * @param {{ records: any[], run: any }} one @param {string} metric @param {string} axis @param {number} smooth */
export function seriesOf({ records, run }, metric, axis, smooth) {
  const perStep = run?.step ? (run.train_secs ?? 0) / run.step : 0;
  const x = (record) => (axis === "time" ? (record.secs ?? record.step * perStep) : record.step);
  return ["step", "valid"].map((kind) => {
    const name = metric || firstName(records, kind);
    const points = name ? records.filter((one) => one.kind === kind && Number.isFinite(one[name])) : [];
    const values = points.map((one) => one[name]);
    return { kind, name, x: points.map(x), y: kind === "step" && smooth > 0 ? smoothed(values, smooth) : values };
  });
}

/** The value of a series at or before x. @param {{ x: number[], y: number[] }} series @param {number} at */
export function valueAt(series, at) {
  let found = null;
  for (let i = 0; i < series.x.length && series.x[i] <= at; i++) found = series.y[i];
  return found;
}

/**
 * @param {{ list: { id: string, name: string, records: any[], run: any }[], metric: string, axis: string, smooth: number, log: boolean,
 *   at: number, onPick: (x: number) => void }} props
 */
export function Curves({ list, metric, axis, smooth, log, at, onPick }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const now = useRef(/** @type {any} */ ({}));
  now.current = { at, onPick, stages: list[0]?.records.filter((one) => one.kind === "stage") ?? [], axis };
  const all = list.map((one) => seriesOf(one, metric, axis, smooth));
  const tables = all.flatMap((pair) => pair.map((one) => [one.x, one.y]));
  const shape = list.map((one) => one.id).join() + axis + log;

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (box.current);
    const grid = () => ({ stroke: () => css("--line"), width: 1 });
    const line = (i, valid) => ({
      stroke: () => css(`--series-${(i % 6) + 1}`),
      width: valid ? 2 : 1,
      alpha: valid ? 1 : 0.55,
      spanGaps: true,
      points: { show: valid, size: 5, fill: () => css(`--series-${(i % 6) + 1}`) },
      dash: undefined,
    });
    const options = {
      width: element.clientWidth,
      height: 300,
      legend: { show: false },
      cursor: { y: false, points: { show: true } },
      scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
      axes: [
        {
          stroke: () => css("--soft"),
          grid: grid(),
          ticks: grid(),
          values: (_, ticks) => ticks.map((v) => (now.current.axis === "time" ? span(v) : num(v))),
        },
        {
          stroke: () => css("--soft"),
          grid: grid(),
          ticks: grid(),
          size: 64,
          values: (_, ticks) => ticks.map((v) => (v === null ? "" : num(v, 4))),
        },
      ],
      series: [{}, ...list.flatMap((_, i) => [line(i, false), line(i, true)])],
      hooks: { draw: [drawMarks] },
    };
    function drawMarks(u) {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.font = `${11 * devicePixelRatio}px system-ui`;
      const perStep = now.current.axis === "time" ? (list[0]?.run?.train_secs ?? 0) / (list[0]?.run?.step || 1) : 1;
      for (const stage of now.current.stages) {
        const x = u.valToPos(stage.step * perStep, "x", true);
        ctx.fillStyle = css("--line-strong");
        ctx.fillRect(x, bbox.top, 1, bbox.height);
        ctx.fillStyle = css("--soft");
        ctx.fillText(stage.name ?? "", x + 4, bbox.top + 12 * devicePixelRatio);
      }
      const x = u.valToPos(now.current.at, "x", true);
      if (x >= bbox.left && x <= bbox.left + bbox.width) {
        ctx.fillStyle = css("--accent");
        ctx.fillRect(x - devicePixelRatio, bbox.top, 2 * devicePixelRatio, bbox.height);
      }
      ctx.restore();
    }
    const u = new /** @type {any} */ (uPlot)(options, uPlot.join(tables.length ? tables : [[[], []]]), element);
    plot.current = u;
    u.over.addEventListener("click", () => {
      if (u.cursor.left >= 0) now.current.onPick(u.posToVal(u.cursor.left, "x"));
    });
    const observer = new ResizeObserver(() =>
      u.setSize({ width: element.clientWidth, height: element.clientWidth < 500 ? 220 : 300 }),
    );
    observer.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => u.status === 1 && u.redraw();
    scheme.addEventListener("change", redraw);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", redraw);
      u.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(uPlot.join(tables.length ? tables : [[[], []]]));
  }, [
    JSON.stringify(all.map((pair) => pair.map((one) => [one.x.length, one.name, one.y[one.y.length - 1]]))),
    smooth,
    metric,
  ]);
  useEffect(() => {
    // Before its first drawing a plot has no axes to draw again.
    if (plot.current?.status === 1) plot.current.redraw(false);
  }, [at]);

  return html`<div class="curves" ref=${box} role="img" aria-label=${t("curves.label", { names: list.map((one) => one.name).join(", ") })}></div>`;
}
