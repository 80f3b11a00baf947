// @ts-check
// How one item looks and sounds: pictures, clips, waveforms, piano rolls, texts, rows. Files of users are only ever the
// `src` of a picture or of a player, and texts only ever text.
import { html, signal, useEffect, useRef, useState } from "./lib.js";
import { num, size, t } from "./i18n.js";
import { Button, Icon, percentCss } from "./ui.js";

/** The player that sounds; there is one at a time. @type {HTMLAudioElement | null} */
let sounding = null;
document.addEventListener(
  "play",
  (event) => {
    if (sounding && sounding !== event.target) sounding.pause();
    sounding = /** @type {HTMLAudioElement} */ (event.target);
  },
  true,
);

/** The address that a sound is played from: of a tune not the MIDI file, but what was rendered of it. @param {any} item */
export const soundOf = (item) => item.play ?? (/^audio\/(?!midi)/.test(item.type ?? "") ? item.url : null);

/** Plays or stops the sound inside an element. @param {Element | null | undefined} element */
export function playIn(element) {
  const audio = element?.querySelector("audio");
  if (!audio) return;
  if (audio.paused) audio.play().catch(() => {});
  else audio.pause();
}

/** A sound or a tune with its picture; a line shows where it is. @param {{ item: any, label: string, large?: boolean, marks?: any }} props */
export function Player({ item, label, large = false, marks }) {
  const ref = useRef(/** @type {HTMLAudioElement | null} */ (null));
  const [at, setAt] = useState(0);
  const [playing, setPlaying] = useState(false);
  const src = soundOf(item);
  useEffect(() => {
    if (!playing) return;
    let frame = 0;
    const tick = () => {
      const audio = ref.current;
      if (audio?.duration) setAt(audio.currentTime / audio.duration);
      frame = requestAnimationFrame(tick);
    };
    tick();
    return () => cancelAnimationFrame(frame);
  }, [playing]);
  const seek = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    if (!ref.current?.duration) return;
    ref.current.currentTime = ((event.clientX - box.left) / box.width) * ref.current.duration;
    setAt((event.clientX - box.left) / box.width);
  };
  const picture = html`<div class="soundpicture" onClick=${large ? seek : undefined}>
    ${item.notes ? html`<${Roll} notes=${item.notes} bars=${marks?.bars} count=${item.bars} />` : item.peaks ? html`<${Wave} peaks=${item.peaks} />` : item.thumb ? html`<img src=${item.thumb} alt="" loading="lazy" />` : html`<span class="nopicture"></span>`}
    ${marks?.bands?.map((band) => html`<i class="mark" style=${{ left: percentCss((band.from_s ?? 0) / (item.secs || 1)), width: percentCss(((band.to_s ?? item.secs) - (band.from_s ?? 0)) / (item.secs || 1)), opacity: 0.15 + 0.5 * Math.max(0, band.weight) }}></i>`)}
    ${at > 0 && html`<i class="cursor" style=${{ left: percentCss(at) }}></i>`}
  </div>`;
  return html`<div class=${"player" + (large ? " large" : "")}>
    ${picture}
    ${
      src &&
      html`<audio ref=${ref} src=${src} preload="none" aria-label=${label} controls=${large} onPlay=${() => setPlaying(true)}
      onPause=${() => setPlaying(false)} onEnded=${() => {
        setPlaying(false);
        setAt(0);
      }}></audio>`
    }
    ${
      src &&
      !large &&
      html`<${Button} look="round" aria-label=${(playing ? t("pause") : t("play")) + ", " + label} onClick=${(e) => {
        e.stopPropagation();
        playIn(/** @type {any} */ (e.currentTarget).parentNode);
      }}><${Icon} name=${playing ? "pause" : "play"} /><//>`
    }
  </div>`;
}

/** @param {{ peaks: number[] }} props */
export const Wave = ({ peaks }) => {
  const path = peaks
    .map((peak, i) => {
      const h = Math.max(0.02, Math.min(1, peak)) * 48;
      return `M${i + 0.15} ${50 - h}h.7v${2 * h}h-.7z`;
    })
    .join("");
  return html`<svg class="wave" viewBox=${`0 0 ${peaks.length} 100`} preserveAspectRatio="none" aria-hidden="true"><path d=${path} /></svg>`;
};

/** A piano roll: notes as [onset, length, pitch, velocity, track] in beats. @param {{ notes: number[][], bars?: any[], count?: number }} props */
export function Roll({ notes, bars, count }) {
  if (!notes.length) return html`<span class="nopicture">${t("item.silent")}</span>`;
  const end = Math.max(...notes.map(([onset, beats]) => onset + beats));
  const low = Math.min(...notes.map((note) => note[2])) - 1,
    high = Math.max(...notes.map((note) => note[2])) + 1;
  const tracks = [...new Set(notes.map((note) => note[4] ?? 0))];
  const height = Math.max(high - low + 1, 12);
  const width = end / (count || Math.ceil(end / 4));
  return html`<svg class="roll" viewBox=${`0 0 ${end} ${height}`} preserveAspectRatio="none" aria-hidden="true">
    ${(bars ?? []).map((bar) => html`<rect class="giveaway" x=${bar.bar * width} y="0" width=${width} height=${height} opacity=${0.1 + 0.4 * Math.max(0, bar.weight)} />`)}
    ${tracks.map(
      (track, i) =>
        html`<path class=${`track${i % 4}`} d=${notes
          .filter((note) => (note[4] ?? 0) === track)
          .map(
            ([onset, beats, pitch]) =>
              `M${round(onset)} ${high - pitch + 0.08}h${round(Math.max(0.1, beats * 0.94))}v.84h${-round(Math.max(0.1, beats * 0.94))}z`,
          )
          .join("")} />`,
    )}
  </svg>`;
}
const round = (x) => Math.round(x * 1000) / 1000;

/** A text with the spans that give it away. @param {{ text: string, spans?: any[] }} props */
export function Text({ text, spans = [] }) {
  const sorted = [...spans].filter((span) => span.weight > 0).sort((a, b) => a.start - b.start);
  // Positions count characters, not UTF-16 units.
  const signs = sorted.length ? Array.from(text) : [];
  if (!sorted.length) return html`<p class="prose">${text}</p>`;
  const parts = [];
  let at = 0;
  for (const { start, end, weight } of sorted) {
    if (start < at) continue;
    parts.push(signs.slice(at, start).join(""));
    parts.push(
      html`<mark class=${"w" + Math.min(4, Math.ceil(weight * 4))} title=${num(weight, 2)}>${signs.slice(start, end).join("")}</mark>`,
    );
    at = end;
  }
  parts.push(signs.slice(at).join(""));
  return html`<p class="prose">${parts}</p>`;
}

/** An item in a grid. @param {{ item: any, label: string }} props */
export function Item({ item, label }) {
  if (item.text !== undefined && item.text !== null)
    return html`<div class="textitem"><${Text} text=${item.text} /></div>`;
  if (soundOf(item) || item.notes || item.peaks) return html`<${Player} item=${item} label=${label} />`;
  if (item.url)
    return html`<img class="pixels" src=${item.url} alt=${label} loading="lazy" width=${item.width} height=${item.height} />`;
  return html`<span class="nopicture">${label}</span>`;
}

/** An item as large as there is room, with what gives it away. @param {{ item: any, label: string, why?: any, columns?: any[] }} props */
export function Large({ item, label, why, columns }) {
  if (item.row) return html`<${Row} row=${item.row} columns=${columns ?? []} why=${why} />`;
  if (item.text !== undefined && item.text !== null)
    return html`<div class="largetext"><${Text} text=${item.text} spans=${why?.spans} /></div>`;
  if (soundOf(item) || item.notes || item.peaks)
    return html`<${Player} item=${item} label=${label} large=${true} marks=${why} />`;
  if (!item.url) return html`<p>${label}</p>`;
  return html`<div class="largepicture"><img class="pixels" src=${item.url} alt=${label} />
    ${why?.regions
      ?.filter((one) => one.weight > 0)
      .map(
        (/** @type {any} */ { x, y, w, h, weight }) =>
          html`<i class="region" title=${num(weight, 2)} style=${{ left: percentCss(x), top: percentCss(y), width: percentCss(w), height: percentCss(h), opacity: 0.25 + 0.75 * weight }}></i>`,
      )}
  </div>
  ${
    why?.frames &&
    html`<ol class="frames" aria-label=${t("why.frames")}>${why.frames.map(
      (one) =>
        html`<li class=${"w" + Math.min(4, Math.ceil(Math.max(0, one.weight) * 4))} title=${`${one.frame + 1}: ${num(one.weight, 2)}`}><span class="hidden">${one.frame + 1}: ${num(one.weight, 2)}</span></li>`,
    )}</ol>`
  }`;
}

/** A row of a table, a column a line. @param {{ row: any[], columns: any[], why?: any }} props */
export const Row = ({ row, columns, why }) => {
  const weights = Object.fromEntries((why?.columns ?? []).map((one) => [one.name, one.weight]));
  return html`<dl class="facts">${row.map((cell, i) => {
    const name = columns[i]?.name ?? columns[i] ?? String(i + 1);
    const weight = Math.max(0, weights[name] ?? 0);
    return html`<div class=${weight > 0 ? "w" + Math.min(4, Math.ceil(weight * 4)) : ""}><dt>${name}</dt><dd><${Cell} cell=${cell} /></dd></div>`;
  })}</dl>`;
};

/** A picture that was clicked in a table, shown large. */
export const zoomed = signal(/** @type {any} */ (null));

/** A cell of a table. @param {{ cell: any, label?: string }} props */
export function Cell({ cell, label = "" }) {
  if (cell === null || cell === undefined) return html`<span class="null">${t("null")}</span>`;
  // As it stands in the data: no rounding, no separators.
  if (typeof cell === "number") return html`${String(cell)}`;
  if (typeof cell === "boolean") return html`${t(cell ? "yes" : "no")}`;
  if (typeof cell !== "object")
    return html`<span class=${"celltext" + (cell.length <= 24 ? " short" : "")}>${cell}</span>`;
  if (cell.media === "text")
    return html`<span class="celltext long">${cell.text}${cell.chars > Array.from(cell.text).length ? html` <small>${t("chars", { n: cell.chars })}</small>` : ""}</span>`;
  const name = label || cell.name || cell.media;
  if ((cell.media === "image" || cell.media === "video") && (cell.thumb || cell.url))
    return html`<button type="button" class="thumb" aria-label=${t("item.enlarge", { name })} onClick=${() => {
      zoomed.value = { ...cell, label: name };
    }}><img class="pixels" src=${cell.thumb ?? cell.url} alt="" loading="lazy" /></button>`;
  if (cell.media === "audio" || cell.media === "music")
    return html`<${Player} item=${{ thumb: cell.thumb, play: cell.play ?? (cell.media === "audio" ? cell.url : undefined), url: cell.url }} label=${name} />`;
  return html`<span class="null">${size(cell.bytes ?? 0)}</span>`;
}
