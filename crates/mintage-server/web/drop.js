// @ts-check
// A file dropped anywhere: who made it, and how to make it again.
import { html, signal } from "./lib.js";
import { date, t, tt } from "./i18n.js";
import { go, link } from "./router.js";
import { call } from "./api.js";
import { Button, Busy, Dialog, Failure } from "./ui.js";
import { queryOf } from "./request.js";

const MAX_BYTES = 128 * 1024 * 1024;
const over = signal(false);
const shown = signal(/** @type {any} */ (null));

/** Asks the server who made a file. @param {File} file */
export async function askWhoMade(file) {
  shown.value = { name: file.name };
  try {
    if (file.size > MAX_BYTES) throw { message: t("drop.big"), hint: t("drop.big.hint") };
    const answer = await call("POST", `/api/provenance?name=${encodeURIComponent(file.name)}`, file.slice());
    shown.value = { name: file.name, made: await answer.json() };
  } catch (error) {
    shown.value = { name: file.name, error };
  }
}

export function startDrop() {
  let depth = 0;
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (isFiles(event)) {
      depth++;
      over.value = true;
    }
  });
  addEventListener("dragleave", (event) => {
    if (isFiles(event) && --depth <= 0) {
      depth = 0;
      over.value = false;
    }
  });
  addEventListener("dragover", (event) => {
    if (isFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over.value = false;
    const file = event.dataTransfer?.files[0];
    if (file) askWhoMade(file);
  });
}

/** A button that opens a file in place of dropping one. */
export const OpenFile = () => html`<label class="button filebutton">${t("drop.choose")}
  <input type="file" class="hidden" onChange=${(e) => {
    const file = e.target.files[0];
    e.target.value = "";
    if (file) askWhoMade(file);
  }} /></label>`;

/** What a file says of itself, and the overlay while one is dragged. */
export function Dropped() {
  const one = shown.value;
  const made = one?.made;
  const close = () => {
    shown.value = null;
  };
  const again = () => {
    close();
    go(link("sample", made.run, queryOf({ ...(made.options ?? {}), seed: made.seed })));
  };
  return html`${over.value && html`<div class="dropzone" aria-hidden="true"><p>${t("drop.here")}</p></div>`}
    ${
      one &&
      html`<${Dialog} title=${one.name} onClose=${close}>
      ${
        one.error
          ? html`<${Failure} error=${one.error} />`
          : !made
            ? html`<${Busy} />`
            : html`
        <p class="lead">${made.words}</p>
        ${
          made.made &&
          html`<dl class="facts">
          ${[
            ["drop.model", made.model],
            ["drop.kind", made.kind && tt("kind", made.kind)],
            ["drop.seed", made.seed],
            ["drop.date", made.made_at && date(made.made_at)],
            ["drop.program", made.program && `${made.program} ${made.version ?? ""}`],
          ]
            .filter(([, value]) => value !== undefined && value !== null && value !== "")
            .map(([key, value]) => html`<div><dt>${t(key)}</dt><dd>${value}</dd></div>`)}
        </dl>
        ${made.options && html`<details><summary>${t("drop.options")}</summary><pre>${JSON.stringify(made.options, null, 1)}</pre></details>`}
        ${
          made.run
            ? html`<p class="row"><${Button} look="main" onClick=${again}>${t("drop.again")}<//><a class="button" href=${link("run", made.run)} onClick=${close}>${t("page.run")}</a></p>`
            : html`<p class="note">${t("drop.elsewhere")}</p>`
        }`
        }`
      }
    <//>`
    }`;
}
