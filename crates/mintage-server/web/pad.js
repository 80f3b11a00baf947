// @ts-check
// Latent pad: a point is dragged between four anchors, and one item follows it. One request is under way at a time; of
// the places passed meanwhile the newest wins.
import { html, useEffect, useRef, useState } from "./lib.js";
import { num, t } from "./i18n.js";
import { route, setQuery } from "./router.js";
import { get, newSeed, post, url } from "./api.js";
import { runOf } from "./store.js";
import { useKeys } from "./keys.js";
import { Busy, Button, Failure, Field, Icon, RunHead, fail, notify, percentCss, pending, useLoad } from "./ui.js";
import { Item, Large, playIn } from "./media.js";
import { itemOf, requestOf } from "./request.js";

const CORNERS = ["a", "b", "c", "d"];
const STEP = 0.05;

/** An anchor of the address: a seed or an item. @param {string} text */
const anchorOf = (text) => (/^\d+$/.test(text) ? { seed: Number(text) } : (itemOf(text) ?? { seed: 0 }));
/** How much each corner counts at a point: top left, top right, bottom left, bottom right. @param {number} x @param {number} y */
const weightsAt = (x, y) => [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];

/** @param {{ id: string }} props */
export default function Pad({ id }) {
  const query = route.value.query;
  const run = runOf(id);
  const schema = useLoad((signal) => get(url`/api/models/${id}/schema`, signal), [id]);
  const [shown, setShown] = useState(/** @type {any} */ (null));
  const [corners, setCorners] = useState(/** @type {any[]} */ ([]));
  const [error, setError] = useState(/** @type {any} */ (null));
  const pad = useRef(/** @type {HTMLDivElement | null} */ (null));
  const work = useRef(/** @type {{ busy: boolean, next: any }} */ ({ busy: false, next: null }));
  const result = useRef(/** @type {HTMLElement | null} */ (null));
  const x = Number(query.get("x") ?? 0.5),
    y = Number(query.get("y") ?? 0.5);
  const texts = CORNERS.map((name) => query.get(name) ?? "");
  const properties = schema.data?.schema.properties ?? {};
  const shared = requestOf(
    new URLSearchParams([...query].filter(([key]) => key.startsWith("where.") || key === "temperature")),
    properties,
  );
  const ready = Boolean(properties.blend) && texts.every(Boolean);
  const sampleAt = (weights) =>
    post(url`/api/models/${id}/sample`, { ...shared, n: 1, seed: 1, blend: { anchors: texts.map(anchorOf), weights } });

  // Anchors that the address does not name are drawn once, and then stand in it.
  useEffect(() => {
    if (!texts.every(Boolean)) setQuery(Object.fromEntries(CORNERS.map((name, i) => [name, texts[i] || newSeed()])));
  }, [texts.join()]);
  useEffect(() => {
    if (!ready) return;
    let gone = false;
    (async () => {
      const list = [];
      for (let i = 0; i < 4 && !gone; i++) {
        try {
          list[i] = (await sampleAt([0, 1, 2, 3].map((at) => (at === i ? 1 : 0)))).items[0];
        } catch (reason) {
          setError(reason);
          return;
        }
        if (!gone) setCorners([...list]);
      }
    })();
    return () => {
      gone = true;
    };
  }, [ready, texts.join(), JSON.stringify(shared)]);

  const follow = async (weights) => {
    work.current.next = weights;
    if (work.current.busy) return;
    work.current.busy = true;
    while (work.current.next) {
      const now = work.current.next;
      work.current.next = null;
      const began = performance.now();
      try {
        const draw = await sampleAt(now);
        setShown({ ...draw, took: performance.now() - began });
        setError(null);
      } catch (reason) {
        setError(reason);
        work.current.next = null;
      }
    }
    work.current.busy = false;
  };
  useEffect(() => {
    if (ready) follow(weightsAt(x, y));
  }, [ready, x, y, texts.join(), JSON.stringify(shared)]);

  const move = (toX, toY) => {
    const clip = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;
    setQuery({ x: clip(toX), y: clip(toY) });
  };
  const drag = (event) => {
    const box = /** @type {HTMLDivElement} */ (pad.current).getBoundingClientRect();
    move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  const keys = (event) => {
    const step = event.shiftKey ? STEP * 4 : STEP;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!by) return;
    event.preventDefault();
    move(x + by[0], y + by[1]);
  };
  const keep = async () => {
    if (!shown) return;
    try {
      await post(url`/api/models/${id}/kept`, { draw: shown.draw, items: [shown.items[0].i] });
      notify(t("mark.told.kept", { n: 1 }));
    } catch (reason) {
      fail(reason);
    }
  };
  useKeys({
    f: () => {
      keep();
    },
    r: () => setQuery(Object.fromEntries(CORNERS.map((name) => [name, newSeed()]))),
    space: () => playIn(result.current),
  });

  const wait = pending(schema);
  if (wait) return html`<${RunHead} id=${id} run=${run} />${wait}`;
  if (!properties.blend)
    return html`<${RunHead} id=${id} run=${run} /><${Failure} error=${{ message: t("pad.cannot"), hint: t("pad.cannot.hint") }} />`;
  const item = shown?.items[0];
  const weights = weightsAt(x, y);
  return html`<${RunHead} id=${id} run=${run} />
    <p class="lead">${t("pad.lead")}</p>
    ${error && html`<${Failure} error=${error} />`}
    <div class="padpage">
      <div class="padbox">
        ${CORNERS.map(
          (name, i) => html`<div class=${"corner " + name}>
          <div class="cornerpicture">${corners[i] ? html`<${Item} item=${corners[i]} label=${t("pad.corner", { n: i + 1 })} />` : html`<span class="nopicture"></span>`}</div>
          <div class="row"><${Field} label=${t("pad.corner", { n: i + 1 })}>${(ids) => html`<input ...${ids} value=${texts[i]} size="8" onChange=${(e) => setQuery({ [name]: e.target.value || newSeed() })} />`}<//>
          <${Button} look="quiet" aria-label=${t("pad.dice", { n: i + 1 })} title=${t("seed.dice")} onClick=${() => setQuery({ [name]: newSeed() })}><${Icon} name="dice" /><//></div></div>`,
        )}
        <div class="pad" ref=${pad} tabindex="0" role="slider" aria-label=${t("pad.label")} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(x * 100)}
          aria-valuetext=${t("pad.at", { weights: weights.map((weight) => num(Math.round(weight * 100))).join(", ") })} onKeyDown=${keys}
          onPointerDown=${(e) => {
            /** @type {Element} */ (e.currentTarget).setPointerCapture(e.pointerId);
            drag(e);
          }}
          onPointerMove=${(e) => {
            if (e.buttons) drag(e);
          }}
          onPointerUp=${() => {
            const audio = result.current?.querySelector("audio");
            if (audio) setTimeout(() => audio.play().catch(() => {}), 120);
          }}>
          <i style=${{ left: percentCss(x), top: percentCss(y) }}></i>
        </div>
      </div>
      <section class="panel padresult" ref=${result} aria-label=${t("pad.result")} aria-live="off">
        ${
          item
            ? html`<${Large} item=${item} label=${t("pad.result")} /><p class="row"><${Button} look="main" onClick=${keep}><${Icon} name="keep" />${t("keep")}<kbd>f</kbd><//>
          ${item.url && html`<a class="button" href=${item.url} download>${t("download")}</a>`}<small class="note">${t("pad.took", { ms: Math.round(shown.took) })}</small></p>`
            : !error && html`<${Busy} />`
        }
      </section>
    </div>`;
}
