// @ts-check
// The studio: its frame, and the page that the address names. Pages are loaded when they are first shown.
import { html, render, useEffect, useErrorBoundary, useState } from "./lib.js";
import { lang, setLang, t } from "./i18n.js";
import { route, link } from "./router.js";
import { offline, refused } from "./api.js";
import { loadAll, runs, jobs } from "./store.js";
import { startEvents, retry } from "./events.js";
import { SHEET, sheetOpen } from "./keys.js";
import { Button, Busy, Dialog, Failure, Icon, Progress, Title, dismiss, say, spoken, toasts } from "./ui.js";
import { startDrop, Dropped } from "./drop.js";

/** @type {Record<string, any>} */
const loaded = {};

function Page() {
  const { page, id } = route.value;
  const [, setShown] = useState("");
  const [failed, setFailed] = useState(/** @type {any} */ (null));
  const [error, reset] = useErrorBoundary((error) => console.error(error));
  useEffect(() => {
    reset();
    setFailed(null);
  }, [page, id]);
  useEffect(() => {
    if (loaded[page] || page === "unknown") return;
    import(`./${page}.js`).then(
      (module) => {
        loaded[page] = module.default;
        setShown(page);
      },
      () => setFailed({ message: t("error.page"), hint: t("error.page.hint") }),
    );
  }, [page]);
  const broken = (error, retry) => html`<${Title} text="Mintage" /><${Failure} error=${error} retry=${retry} />`;
  if (error)
    return broken(
      { message: t("error.drawing", { words: String(error.message ?? error) }), hint: t("error.drawing.hint") },
      reset,
    );
  if (failed) return broken(failed, () => location.reload());
  if (page === "unknown")
    return broken({ message: t("error.nopage", { path: route.value.path }), hint: t("error.nopage.hint") }, undefined);
  const Shown = loaded[page];
  // Another run or source is another page: it starts afresh.
  return Shown ? html`<${Shown} key=${page + "/" + id} id=${id} />` : html`<${Busy} />`;
}

function Sheet() {
  return html`<${Dialog} title=${t("keys.title")} onClose=${() => {
    sheetOpen.value = false;
  }}>
    ${SHEET.map(
      ([title, keys]) => html`<h3>${t(/** @type {string} */ (title))}</h3>
      <dl class="keys">${/** @type {string[]} */ (keys).map((key) => html`<div><dt><kbd>${key.replace(" key", "")}</kbd></dt><dd>${t("key." + key)}</dd></div>`)}</dl>`,
    )}
    <p class="note">${t("keys.note")} <a href="/settings">${t("page.settings")}</a></p>
  <//>`;
}

function Frame() {
  const page = route.value.page;
  const active = jobs.value.find((job) => job.state === "running");
  const nav = ["home", "data", "train", "compare", "settings"];
  return html`
    <a class="skip" href="#main">${t("skip")}</a>
    <header class="top">
      <a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="26" height="26" />Mintage</a>
      <nav aria-label=${t("pages")}>${nav.map((name) => html`<a href=${link(name)} aria-current=${name === page ? "page" : undefined}>${t("page." + name)}</a>`)}</nav>
      <span class="grow"></span>
      ${active && html`<a class="working" href=${active.run ? link("run", active.run) : "/"}><${Progress} value=${active.progress} label=${t("working")} /></a>`}
      <${Button} look="quiet" aria-label=${t("keys.title")} title=${t("keys.title")} onClick=${() => {
        sheetOpen.value = true;
      }}>?<//>
    </header>
    ${offline.value && html`<div class="banner" role="alert"><p>${t("offline")}</p><${Button} onClick=${retry}>${t("retry")}<//></div>`}
    <main id="main" tabindex="-1" class=${"page-" + page}>
      ${refused.value ? html`<${Title} text="Mintage" /><${Failure} error=${{ message: t("refused"), hint: t("refused.hint") }} retry=${() => location.reload()} />` : html`<${Page} key=${page + lang.value} />`}
    </main>
    <section class="toasts" aria-label=${t("messages")}>${toasts.value.map(
      (toast) => html`<div key=${toast.id} class=${"toast" + (toast.bad ? " bad" : "")}>
      <p>${toast.text}${toast.hint && html`<small>${toast.hint}</small>`}</p>
      ${
        toast.action &&
        html`<${Button} onClick=${() => {
          dismiss(toast.id);
          toast.action.run();
        }}>${toast.action.label}<//>`
      }
      <${Button} look="quiet" aria-label=${t("close")} onClick=${() => dismiss(toast.id)}><${Icon} name="out" /><//></div>`,
    )}</section>
    <div class="hidden" role="status" aria-live="polite">${spoken.value}</div>
    <${Dropped} />
    ${sheetOpen.value && html`<${Sheet} />`}`;
}

const start = async () => {
  try {
    await setLang(document.documentElement.lang === "ru" ? "ru" : "en");
  } catch {
    /* the keys are shown in place of texts */
  }
  render(html`<${Frame} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
  try {
    await loadAll();
  } catch {
    /* the banner or the page says what to do */
  }
  startEvents();
  startDrop();
};

// Progress is told to screen readers in quarters, not in every percent.
let told = "";
jobs.subscribe((list) => {
  const job = list.find((job) => job.state === "running" && job.progress !== undefined && job.progress !== null);
  if (!job) return;
  const now = `${job.id} ${Math.floor(job.progress * 4)}`;
  if (now === told) return;
  told = now;
  const name = runs.value?.find((run) => run.id === job.run)?.name ?? "";
  say(t("progress.told", { name, percent: String(Math.round(job.progress * 100)) }));
});

start();
