// @ts-check
// Settings: language, theme, keys; what the server is.
import { html, signal } from "./lib.js";
import { LANGUAGES, lang, setLang, t, tt } from "./i18n.js";
import { server } from "./store.js";
import { setSingleKeys, sheetOpen, singleKeys } from "./keys.js";
import { Button, Field, Select, Title } from "./ui.js";

const theme = signal(document.documentElement.dataset.theme ?? "auto");

/** @param {string} name @param {string} value */
const save = (name, value) => {
  try {
    localStorage.setItem("mintage." + name, value);
  } catch {
    /* kept for this page */
  }
};

/** @param {string} value */
function setTheme(value) {
  theme.value = value;
  if (value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
  save("theme", value);
}

export default function Settings() {
  const state = server.value;
  return html`<${Title} text=${t("page.settings")} />
    <div class="columns">
      <section class="panel"><h2>${t("settings.look")}</h2>
        <${Field} label=${t("settings.language")}>${(ids) =>
          html`<${Select} ...${ids} value=${lang.value} options=${Object.entries(LANGUAGES)} onPick=${(code) => {
            save("lang", code);
            setLang(code);
          }} />`}<//>
        <${Field} label=${t("settings.theme")}>${(ids) => html`<${Select} ...${ids} value=${theme.value} options=${["auto", "light", "dark"].map((name) => [name, t("theme." + name)])} onPick=${setTheme} />`}<//>
        <label class="check"><input type="checkbox" checked=${singleKeys.value} onChange=${(e) => setSingleKeys(e.target.checked)} /> ${t("settings.keys")}</label>
        <p><${Button} onClick=${() => {
          sheetOpen.value = true;
        }}>${t("keys.title")} <kbd>?</kbd><//></p>
      </section>
      <section class="panel"><h2>${t("settings.server")}</h2>
        ${
          state &&
          html`<dl class="facts">
          <div><dt>${t("settings.version")}</dt><dd>${state.name} ${state.version}</dd></div>
          <div><dt>${t("plan.device")}</dt><dd>${state.device} · ${t("plan.threads", { n: state.threads })}</dd></div>
          <div><dt>${t("settings.runs")}</dt><dd>${state.runs}</dd></div>
          ${Object.entries(state.families).map(([kind, list]) => html`<div><dt>${tt("kind", kind)}</dt><dd>${/** @type {string[]} */ (list).join(", ")}</dd></div>`)}
        </dl>`
        }
        <p class="row"><a class="button" href="/docs" target="_blank" rel="noopener">${t("settings.api")}</a><a class="button" href="/assets/vendor/README.md" target="_blank" rel="noopener">${t("settings.licences")}</a></p>
      </section>
    </div>`;
}
