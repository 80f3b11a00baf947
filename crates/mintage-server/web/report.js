// @ts-check
// Report: the page that an evaluation wrote, in a frame that runs no script.
import { html, useRef } from "./lib.js";
import { t } from "./i18n.js";
import { call, post, url } from "./api.js";
import { jobOf, runOf, setJob } from "./store.js";
import { Button, Busy, Failure, RunHead, RunProgress, fail, useLoad } from "./ui.js";

/** @param {{ id: string }} props */
export default function Report({ id }) {
  const run = runOf(id);
  const frame = useRef(/** @type {HTMLIFrameElement | null} */ (null));
  const path = url`/api/runs/${id}/report`;
  // Asked for first, so that a missing report is said in words and not in a frame.
  const there = useLoad(
    async (signal) => {
      await call("GET", path, undefined, { signal, accept: "text/html" });
      return true;
    },
    [id, run?.has_report],
  );
  const evaluate = async () => {
    try {
      setJob((await post(url`/api/runs/${id}/evaluate`)).job);
    } catch (error) {
      fail(error);
    }
  };
  const print = () => {
    try {
      /** @type {Window} */ (frame.current?.contentWindow).print();
    } catch {
      open(path, "_blank", "noopener");
    }
  };
  const missing = there.error?.status === 404;
  return html`<${RunHead} id=${id} run=${run} />
    ${run && html`<${RunProgress} run=${run} />`}
    ${
      missing
        ? html`<section class="empty"><h2>${t("report.none")}</h2><p>${t("report.none.note")}</p><${Button} look="main" disabled=${Boolean(jobOf(id))} onClick=${evaluate}>${t("run.evaluate")}<//></section>`
        : there.error
          ? html`<${Failure} error=${there.error} retry=${there.reload} />`
          : !there.data
            ? html`<${Busy} />`
            : html`
      <p class="row"><a class="button" href=${path} target="_blank" rel="noopener">${t("report.open")}</a><${Button} onClick=${print}>${t("report.print")}<//><a class="button" href=${path} download=${`${run?.name ?? id}.html`}>${t("download")}</a></p>
      <iframe ref=${frame} class="report" src=${path} title=${t("report.title", { name: run?.name ?? id })} sandbox="allow-same-origin allow-modals"></iframe>`
    }`;
}
