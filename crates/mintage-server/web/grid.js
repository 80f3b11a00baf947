// @ts-check
// A grid of new items that is walked, marked and kept by keys: arrows or h j k l, shift for a range, f keeps, x discards.
import { html, useLayoutEffect, useRef } from "./lib.js";
import { num, t } from "./i18n.js";
import { Button, Icon } from "./ui.js";
import { Cell, Item, playIn } from "./media.js";

/** What an item is called. @param {any} item */
export const nameOf = (item) =>
  item.label ? t("item.labelled", { n: item.i + 1, label: String(item.label) }) : t("item.name", { n: item.i + 1 });

/** The items from one to another. @param {any[]} items @param {number} a @param {number} b */
export const between = (items, a, b) => items.slice(Math.min(a, b), Math.max(a, b) + 1).map((item) => item.i);

/**
 * @param {{ items: any[], columns?: any[], kind: string, at: number, picked: Set<number>, marks: Record<number, string>, scores: Record<number, any> | null,
 *   onMove: (at: number, extend: boolean) => void, onOpen: (at: number) => void, onKeep: (items: number[]) => void, onOut: (items: number[]) => void }} props
 */
export function Grid({ items, columns, kind, at, picked, marks, scores, onMove, onOpen, onKeep, onOut }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const isTable = Boolean(items[0]?.row);
  const chosen = (i) => (picked.size > 1 && picked.has(i) ? [...picked] : [i]);

  const perRow = () => {
    const tiles = ref.current?.querySelectorAll(".pick") ?? [];
    const top = tiles[0]?.getBoundingClientRect().top;
    let n = 0;
    while (n < tiles.length && tiles[n].getBoundingClientRect().top === top) n++;
    return Math.max(1, n);
  };
  const keys = (event) => {
    if (
      !(/** @type {Element} */ (event.target).classList.contains("pick")) ||
      event.ctrlKey ||
      event.altKey ||
      event.metaKey
    )
      return;
    const step = {
      ArrowLeft: -1,
      h: -1,
      ArrowRight: 1,
      l: 1,
      ArrowUp: -perRow(),
      k: -perRow(),
      ArrowDown: perRow(),
      j: perRow(),
      H: -1,
      L: 1,
      K: -perRow(),
      J: perRow(),
      Home: -items.length,
      End: items.length,
    }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      onMove(Math.min(items.length - 1, Math.max(0, at + step)), event.shiftKey);
    } else if (event.key === " ") {
      event.preventDefault();
      playIn(/** @type {Element} */ (event.target).closest("li, tr"));
    }
  };
  // The focus follows the item at once, but only if it is in the grid: a new draw takes it from nobody.
  useLayoutEffect(() => {
    if (!ref.current?.contains(document.activeElement)) return;
    const tile = /** @type {HTMLElement | undefined} */ (ref.current.querySelectorAll(".pick")[at]);
    tile?.focus();
    tile?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const pick = (item, index, inner) => html`<button type="button" class="pick" tabindex=${index === at ? 0 : -1}
    aria-pressed=${picked.has(item.i)} aria-label=${nameOf(item) + (marks[item.i] ? ", " + t("mark." + marks[item.i]) : "")}
    onClick=${(e) => {
      onMove(index, e.shiftKey);
      if (!e.shiftKey) onOpen(index);
    }} onFocus=${() => {
      if (index !== at) onMove(index, false);
    }}>${inner}</button>`;
  const acts = (item) => html`<span class="acts">
    ${scores?.[item.i] && html`<span class="score" title=${t("score.title")}>${num(Math.round(scores[item.i].conformity))}</span>`}
    <${Button} look=${"round" + (marks[item.i] === "kept" ? " on" : "")} tabindex="-1" aria-pressed=${marks[item.i] === "kept"} aria-label=${t("keep.of", { name: nameOf(item) })} title=${t("keep") + " (f)"} onClick=${() => onKeep(chosen(item.i))}><${Icon} name="keep" /><//>
    <${Button} look=${"round" + (marks[item.i] === "out" ? " on" : "")} tabindex="-1" aria-pressed=${marks[item.i] === "out"} aria-label=${t("out.of", { name: nameOf(item) })} title=${t("out") + " (x)"} onClick=${() => onOut(chosen(item.i))}><${Icon} name="out" /><//>
  </span>`;
  const look = (item, index) =>
    `${marks[item.i] ?? ""} ${picked.has(item.i) ? "picked" : ""} ${index === at ? "at" : ""}`;

  if (isTable)
    return html`<div class="scroller" tabindex="0" role="region" aria-label=${t("sample.results")}><table class="grid results" ref=${ref} onKeyDown=${keys}>
    <thead><tr><th scope="col"><span class="hidden">${t("item.number")}</span></th>${(columns ?? []).map((one) => html`<th scope="col">${one.name ?? one}</th>`)}<th scope="col"><span class="hidden">${t("keep")}</span></th></tr></thead>
    <tbody>${items.map(
      (
        item,
        index,
      ) => html`<tr key=${item.i} class=${look(item, index)}><td>${pick(item, index, String(item.i + 1))}</td>
      ${item.row.map((cell) => html`<td class=${typeof cell === "number" ? "number" : ""}><${Cell} cell=${cell} /></td>`)}<td>${acts(item)}</td></tr>`,
    )}</tbody>
  </table></div>`;
  return html`<ul class=${"tiles " + kind} ref=${ref} onKeyDown=${keys} aria-label=${t("sample.results")}>
    ${items.map(
      (item, index) => html`<li key=${item.i} class=${look(item, index)}>
      ${
        kind === "image" || kind === "video" || kind === "text"
          ? pick(item, index, html`<${Item} item=${item} label=${""} />`)
          : html`${pick(item, index, html`<span class="number">${item.i + 1}</span>`)}<${Item} item=${item} label=${nameOf(item)} />`
      }
      <span class="under">${item.label !== undefined && item.label !== null && html`<small>${String(item.label)}</small>`}${acts(item)}</span>
    </li>`,
    )}
  </ul>`;
}
