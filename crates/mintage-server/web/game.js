// @ts-check
// A blind game: of two items one is real and held out from training, the other new. Who cannot tell them apart is right
// half of the time; the interval says how much the score so far can mean.
import { html, useState } from "./lib.js";
import { percent, t } from "./i18n.js";
import { link, route, setQuery } from "./router.js";
import { get, newSeed, post, url } from "./api.js";
import { runOf } from "./store.js";
import { useKeys } from "./keys.js";
import { Busy, Button, Failure, RunHead, say, useLoad } from "./ui.js";
import { Large } from "./media.js";

const ROUNDS = 20;

/** Wilson's 95 % interval of a share. @param {number} right @param {number} n @returns {[number, number]} */
export function wilson(right, n) {
  if (!n) return [0, 1];
  const z = 1.96,
    share = right / n;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** Sides that follow from the seed alone, so that an address is one game. @param {number} seed */
function* coins(seed) {
  let state = seed >>> 0;
  for (;;) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) % 2 === 1;
  }
}

/** @param {{ id: string }} props */
export default function Game({ id }) {
  const seed = Number(route.value.query.get("seed") ?? 1);
  const run = runOf(id);
  const [answers, setAnswers] = useState(/** @type {boolean[]} */ ([]));
  const [shown, setShown] = useState(/** @type {boolean | null} */ (null));
  const data = useLoad(
    async (signal) => {
      const real = await get(`${url`/api/models/${id}/real`}?n=${ROUNDS}&seed=${seed}`, signal);
      // As many new ones, of the classes of the real ones where those are the same for all.
      const made = await post(url`/api/models/${id}/sample`, { n: ROUNDS, seed }, signal);
      const coin = coins(seed);
      return {
        columns: real.columns ?? made.columns,
        pairs: real.items.slice(0, made.items.length).map((item, i) => {
          const first = coin.next().value;
          return { sides: first ? [made.items[i], item] : [item, made.items[i]], made: first ? 0 : 1 };
        }),
      };
    },
    [id, seed],
  );
  const pairs = data.data?.pairs ?? [];
  const round = answers.length - (shown === null ? 0 : 1);
  const pair = pairs[round];
  const right = answers.filter(Boolean).length;
  const [low, high] = wilson(right, answers.length);
  const choose = (side) => {
    if (!pair || shown !== null) return;
    const good = side === pair.made;
    setAnswers([...answers, good]);
    setShown(good);
    say(t(good ? "game.right" : "game.wrong"));
  };
  const next = () => setShown(null);
  const restart = () => {
    setAnswers([]);
    setShown(null);
    setQuery({ seed: newSeed() });
  };
  useKeys({
    1: () => choose(0),
    2: () => choose(1),
    arrowleft: () => choose(0),
    arrowright: () => choose(1),
    enter: next,
    space: next,
    r: restart,
  });
  const done = pairs.length > 0 && !pair;
  return html`<${RunHead} id=${id} run=${run} />
    <p class="lead">${t("game.lead")}</p>
    ${
      data.error
        ? html`<${Failure} error=${data.error} retry=${data.reload} />`
        : data.loading
          ? html`<${Busy} label=${t("game.busy")} />`
          : html`
      <p class="gamescore" role="status"><strong>${answers.length ? t("game.score", { right, n: answers.length }) : ""}</strong>
        ${answers.length > 0 && html`<span>${percent(right / answers.length)} <small>${t("game.interval", { low: percent(low), high: percent(high) })}</small></span>`}
        <span class="note">${answers.length ? t(low > 0.5 ? "game.tells" : high < 0.5 ? "game.inverse" : "game.cannot") : ""}</span></p>
      ${
        pair &&
        html`<p class="note">${t("game.round", { n: round + 1, of: pairs.length })}</p>
        <div class="pairgame">${pair.sides.map(
          (item, side) => html`<div class=${"choice" + (shown === null ? "" : side === pair.made ? " made" : " real")}>
          <${Large} item=${{ ...item, label: undefined }} label=${t("game.side", { n: side + 1 })} columns=${data.data?.columns} />
          ${shown === null ? html`<${Button} look="main" onClick=${() => choose(side)}>${t("game.new", { n: side + 1 })}<kbd>${side + 1}</kbd><//>` : html`<p><strong>${t(side === pair.made ? "game.ismade" : "game.isreal")}</strong></p>`}
        </div>`,
        )}</div>
        ${shown !== null && html`<p class="row"><strong class=${shown ? "good" : "badword"}>${t(shown ? "game.right" : "game.wrong")}</strong><${Button} look="main" onClick=${next}>${t("next")}<kbd>enter</kbd><//></p>`}`
      }
      ${
        done &&
        html`<section class="empty"><h2>${t("game.done", { right, n: answers.length })}</h2><p>${t(low > 0.5 ? "game.tells" : high < 0.5 ? "game.inverse" : "game.cannot")}</p>
        <p class="row"><${Button} look="main" onClick=${restart}>${t("game.restart")}<//><a class="button" href=${link("sample", id)}>${t("page.sample")}</a></p></section>`
      }
      ${!pairs.length && html`<p class="note">${t("game.noreal")}</p>`}`
    }`;
}
