// @ts-check
// One new item as large as there is room: beside it the nearest training item, its score, and what gives it away.
import { html, useEffect, useState } from "./lib.js";
import { num, percent, t, tt } from "./i18n.js";
import { link } from "./router.js";
import { post, url } from "./api.js";
import { Button, Busy, Failure, Icon, Weights } from "./ui.js";
import { Large, Row, Text, Player, soundOf } from "./media.js";
import { nameOf } from "./grid.js";

/** Answers of the server about items, so that going back to one asks nothing again. @type {Map<string, any>} */
const known = new Map();
const MAX_KNOWN = 300;

/** Asks about an item a little after it is shown: who walks with the arrows asks about none of those passed.
 * @param {string} path @param {any} body */
function useAnswer(path, body) {
  const key = path + JSON.stringify(body);
  const [state, setState] = useState(/** @type {any} */ ({}));
  useEffect(() => {
    if (known.has(key)) {
      setState({ key, data: known.get(key) });
      return;
    }
    setState({});
    const control = new AbortController();
    const timer = setTimeout(
      () =>
        post(path, body, control.signal).then(
          (data) => {
            if (known.size > MAX_KNOWN) known.clear();
            known.set(key, data);
            setState({ key, data });
          },
          (error) => {
            if (error.name !== "AbortError") setState({ key, error });
          },
        ),
      250,
    );
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [key]);
  return state;
}

/** @param {{ one: any, columns?: any[], label: string }} props */
function Neighbour({ one, columns, label }) {
  if (one.row) return html`<${Row} row=${one.row} columns=${columns ?? []} />`;
  if (one.text !== undefined && one.text !== null)
    return html`<div class="largetext"><${Text} text=${one.text} /></div>`;
  if (soundOf(one) || one.notes) return html`<${Player} item=${one} label=${label} />`;
  return html`<img class="pixels neighbour" src=${one.url ?? one.thumb} alt=${label} />`;
}

/** Where an item can go on: the verbs that the model has. @param {{ send: (verb: string) => void, verbs: string[], model: string, draw: any, item: any, canPad: boolean }} props */
function SendTo({ send, verbs, model, draw, item, canPad }) {
  return html`<p class="row sendto" role="group" aria-label=${t("send.title")}><${Icon} name="send" /><span>${t("send.title")}</span>
    ${verbs.map((verb) => html`<${Button} look="small" onClick=${() => send(verb)}>${t("send." + verb)}<//>`)}
    ${canPad && html`<a class="button small" href=${link("pad", model, { a: `${draw.draw}/${item.i}` })}>${t("page.pad")}</a>`}
  </p>`;
}

/** @param {{ model: string, draw: any, item: any, mark: string | undefined, kind: string, verbs: string[], canPad: boolean, asked: number,
 *   onKeep: () => void, onOut: () => void, onSend: (verb: string) => void, onClose: () => void }} props */
export function Detail({ model, draw, item, mark, kind, verbs, canPad, asked, onKeep, onOut, onSend, onClose }) {
  const one = { draw: draw.draw, item: item.i };
  const nearest = useAnswer(url`/api/models/${model}/nearest`, { ...one, k: 3 });
  const why = useAnswer(url`/api/models/${model}/explain`, one);
  const [which, setWhich] = useState(0);
  useEffect(() => setWhich(0), [draw.draw, item.i]);
  const label = nameOf(item);
  const neighbours = nearest.data?.neighbours ?? [];
  const near = neighbours[Math.min(which, neighbours.length - 1)];
  const yard = nearest.data?.yardstick;
  const weights = (why.data?.columns ?? []).filter((column) => column.weight > 0);
  useEffect(() => {
    if (asked) document.getElementById("nearest")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }, [asked]);
  return html`<aside class="detail panel" aria-label=${label}>
    <div class="title"><h2>${label}</h2><span class="grow"></span><${Button} look="quiet" aria-label=${t("close")} onClick=${onClose}><${Icon} name="out" /><//></div>
    <${Large} item=${item} label=${label} why=${why.data} columns=${draw.columns} />
    <p class="row">
      <${Button} look=${mark === "kept" ? "on" : "main"} aria-pressed=${mark === "kept"} onClick=${onKeep}><${Icon} name="keep" />${t(mark === "kept" ? "kept" : "keep")}<kbd>f</kbd><//>
      <${Button} aria-pressed=${mark === "out"} onClick=${onOut}><${Icon} name="out" />${t("out")}<kbd>x</kbd><//>
      ${item.url && html`<a class="button" href=${item.url} download=${`${draw.model}-${draw.seed}-${item.i + 1}`}>${t("download")}</a>`}
    </p>
    ${(verbs.length > 0 || canPad) && html`<${SendTo} send=${onSend} verbs=${verbs} model=${model} draw=${draw} item=${item} canPad=${canPad} />`}
    <section><h3>${t("why.title")}</h3>
      ${
        why.error
          ? html`<${Failure} error=${why.error} />`
          : !why.data
            ? html`<${Busy} />`
            : html`
        <p class="dial"><strong>${num(Math.round(why.data.score))}</strong><span>${why.data.words}<small>${t("why.score")}</small></span></p>
        ${weights.length > 0 && html`<${Weights} rows=${weights} />`}
        ${why.data.spans?.some((span) => span.weight > 0) && html`<p class="note">${t("why.spans")}</p>`}
        ${why.data.bands?.length > 0 && html`<${Weights} rows=${why.data.bands.map((band) => ({ name: `${num(band.from_hz)}–${num(band.to_hz)} ${t("hz")} · ${num(band.from_s, 3)}–${num(band.to_s, 3)} ${t("sec")}`, weight: band.weight }))} />`}
        ${why.data.bars?.length > 0 && html`<${Weights} rows=${why.data.bars.map((bar) => ({ name: t("why.bar", { n: bar.bar + 1 }), weight: bar.weight }))} />`}
        ${why.data.regions?.length > 0 && html`<p class="note">${t("why.regions")}</p>`}`
      }
    </section>
    <section id="nearest"><h3>${t("near.title")}</h3>
      ${
        nearest.error
          ? html`<${Failure} error=${nearest.error} />`
          : !nearest.data
            ? html`<${Busy} label=${t("near.busy")} />`
            : html`
        <p><span class=${"verdict " + nearest.data.verdict}>${tt("verdict", nearest.data.verdict)}</span> ${nearest.data.words}</p>
        ${near && html`<${Neighbour} one=${near} columns=${draw.columns} label=${t("near.item", { n: which + 1 })} />`}
        ${
          neighbours.length > 1 &&
          html`<p class="row" role="group" aria-label=${t("near.title")}>${neighbours.map(
            (other, i) =>
              html`<${Button} look="small" aria-pressed=${i === which} onClick=${() => setWhich(i)}>${i + 1}: ${num(other.distance, 3)}<//>`,
          )}</p>`
        }
        ${yard && near && html`<${Yardstick} distance=${near.distance} yard=${yard} />`}`
      }
    </section>
    <dl class="facts small"><div><dt>${t("seed")}</dt><dd>${draw.seed}</dd></div><div><dt>${t("drop.kind")}</dt><dd>${tt("kind", kind)}</dd></div></dl>
  </aside>`;
}

/** The distance beside those of held-out real items. @param {{ distance: number, yard: any }} props */
function Yardstick({ distance, yard }) {
  const end = Math.max(distance, yard.holdout_median) * 1.3 || 1;
  const at = (x) => `${Math.round((x / end) * 1000) / 10}%`;
  return html`<div class="yardstick" aria-hidden="true"><i class="usual" style=${{ left: at(yard.holdout_p01), right: `calc(100% - ${at(yard.holdout_median)})` }}></i><i class="here" style=${{ left: at(distance) }}></i></div>
    <p class="note">${t("near.yard", { metric: yard.metric, distance: num(distance, 3), median: num(yard.holdout_median, 3), share: percent(yard.share_of_holdout_closer ?? 0) })}</p>`;
}
