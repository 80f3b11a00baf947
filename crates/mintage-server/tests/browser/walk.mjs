// A walk through the studio in a real browser: open a source, look at its data, train, see previews, draw samples, keep
// some, write them back, undo. In English and Russian, light and dark, 1280 and 360 pixels wide, once with the keyboard
// alone. A request to another origin, an error on the page, a page that is wider than the screen, or a violation that
// axe-core finds on any page makes it fail.
//
//   npm install && STUDIO_URL='http://127.0.0.1:7700/?token=…' STUDIO_SHOTS=shots node walk.mjs
//
// STUDIO_SOURCE and STUDIO_TABLE say what is trained on (mintage-demo/demo.db, products), STUDIO_STEPS for how long,
// CHROMIUM where the browser is. STUDIO_VARIANTS picks some of the variants, such as "0,3".
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const start = process.env.STUDIO_URL;
if (!start) throw new Error("STUDIO_URL is not set: the address that `mintage studio` printed");
const base = new URL(start).origin;
const shots = process.env.STUDIO_SHOTS;
const source = process.env.STUDIO_SOURCE ?? "mintage-demo/demo.db";
const table = process.env.STUDIO_TABLE ?? "products";
const steps = process.env.STUDIO_STEPS ?? "60";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TRAINING_MS = 300_000;

const VARIANTS = [
  { lang: "en", theme: "light", width: 1280, keyboard: false },
  { lang: "ru", theme: "dark", width: 1280, keyboard: true },
  { lang: "en", theme: "dark", width: 360, keyboard: false },
  { lang: "ru", theme: "light", width: 360, keyboard: false },
];
const picked = process.env.STUDIO_VARIANTS?.split(",").map(Number) ?? VARIANTS.keys();
if (shots) mkdirSync(shots, { recursive: true });

/** Everything that went wrong, of all variants. */
const failures = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
for (const index of picked) {
  const variant = VARIANTS[index];
  const name = `${variant.lang}-${variant.theme}-${variant.width}${variant.keyboard ? "-keys" : ""}`;
  const before = failures.length;
  const began = Date.now();
  const context = await browser.newContext({
    viewport: { width: variant.width, height: variant.width < 500 ? 760 : 860 },
    colorScheme: variant.theme,
    locale: variant.lang,
  });
  const page = await context.newPage();
  try {
    await walk(page, variant, name);
  } catch (error) {
    failures.push(`${name}: on ${page.url()}: ${error.stack ?? error}`);
    if (shots) await page.screenshot({ path: `${shots}/${name}-failed.png` });
  }
  await context.close();
  console.log(`${failures.length === before ? "ok  " : "FAIL"} ${name} (${Math.round((Date.now() - began) / 1000)} s)`);
}
await browser.close();
for (const failure of failures) console.error(failure);
process.exit(failures.length ? 1 : 0);

/** One walk in one language, theme, width and way of input. */
async function walk(page, { lang, theme, keyboard }, name) {
  const words = (await import(`../../web/lang/${lang}.js`)).default;
  page.setDefaultTimeout(30_000);
  guard(page, name);

  /** Presses Tab until an element has the focus, as somebody without a mouse does. */
  const tabTo = async (locator) => {
    const target = locator.first();
    await target.waitFor();
    for (let i = 0; i < 400; i++) {
      if (await target.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not reach ${locator}`);
  };
  const press = async (locator) => {
    if (!keyboard) return locator.first().click();
    await tabTo(locator);
    const isLink = await locator.first().evaluate((element) => element.tagName === "A");
    await page.keyboard.press(isLink ? "Enter" : "Space");
  };
  const type = async (locator, text) => {
    if (!keyboard) return locator.first().fill(text);
    await tabTo(locator);
    await page.keyboard.press("Control+A");
    await page.keyboard.type(text);
    await page.keyboard.press("Tab");
  };
  const choose = async (locator, value) => {
    if (!keyboard) return locator.first().selectOption(value);
    await tabTo(locator);
    // A closed list steps through its values by the arrows, from the first on.
    await page.keyboard.press("Home");
    for (let i = 0; i < 60 && (await locator.first().inputValue()) !== value; i++)
      await page.keyboard.press("ArrowDown");
    if ((await locator.first().inputValue()) !== value) throw new Error(`no value ${value} in ${locator}`);
  };
  const button = (key, values) => page.getByRole("button", { name: text(key, values), exact: false });
  const link = (key) => page.getByRole("link", { name: text(key), exact: true });
  const text = (key, values = {}) => {
    if (!(key in words)) throw new Error(`no text ${key} in ${lang}.js`);
    return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  };
  const check = (label) => look(page, `${name}-${label}`);
  const state = (value) => page.locator(`main .title .state.${value}`);

  // Open, and look at the data.
  await page.goto(`${start}${start.includes("?") ? "&" : "?"}lang=${lang}&theme=${theme}`);
  // The address with the token leads to one without it, which may drop the rest of the query as well.
  await page.goto(`${base}/?lang=${lang}&theme=${theme}`);
  await page.locator("main h1").waitFor();
  await check("home");
  await press(page.locator("header nav a[href='/data']"));
  await type(page.locator("form.open input"), source);
  if (keyboard) await press(page.locator("form.open button[type=submit]"));
  else await page.locator("form.open input").press("Enter");
  await page.waitForURL(/\/data\/./);
  await press(page.locator("main nav.tabs a", { hasText: table }));
  await page.locator("table.grid tbody tr").first().waitFor();
  await page.locator("svg.hist rect").first().waitFor({ state: "attached" });
  await check("data");
  await press(page.locator("thead .about"));
  await page.locator("dialog").waitFor();
  await check("column");
  await page.keyboard.press("Escape");
  await press(page.locator("thead .sort"));
  await page.waitForURL(/sort=/);

  // Train.
  const run = `walk-${name}-${Date.now().toString(36)}`;
  await press(link("data.train"));
  await page.waitForURL(/\/train\?/);
  await page.getByLabel(text("train.label"), { exact: true }).waitFor();
  await choose(page.getByLabel(text("train.size"), { exact: true }), "tiny");
  await press(button("train.bysteps"));
  await type(page.getByLabel(text("train.steps"), { exact: true }), steps);
  await type(page.getByLabel(text("train.name"), { exact: true }), run);
  await press(button("train.plan"));
  await page.locator(".panel .facts").waitFor();
  await check("train");
  await press(button("code.title"));
  await page.locator("dialog pre").waitFor();
  await check("code");
  await page.keyboard.press("Escape");
  await press(button("train.start"));
  await page.waitForURL(/\/run\/./);
  await page.locator(".curves canvas").waitFor({ timeout: TRAINING_MS });
  await state("done").waitFor({ timeout: TRAINING_MS });
  await page.locator(".previews figure :is(img, pre, audio)").first().waitFor();
  await check("run");
  const id = decodeURIComponent(new URL(page.url()).pathname.slice("/run/".length));

  // Draw, keep a range, discard one, take that back.
  await press(link("run.sample"));
  await page.locator("form.form").waitFor();
  await type(page.getByLabel(text("field.n"), { exact: true }), "6");
  await press(button("form.go"));
  const picks = page.locator(".drawn .pick");
  await page.waitForFunction(() => document.querySelectorAll(".drawn .pick").length === 6);
  await (keyboard ? tabTo(picks) : picks.first().focus());
  await page.keyboard.press("f");
  await page.locator(".kept .pick").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.querySelectorAll(".kept .pick").length === 3);
  await page.keyboard.press("End");
  await page.keyboard.press("x");
  await page.locator(".out .pick").waitFor();
  await page.keyboard.press("u");
  await page.locator(".out .pick").waitFor({ state: "detached" });
  await check("sample");
  await page.keyboard.press("n");
  await page.locator(".detail").waitFor();
  await page.waitForFunction(() => !document.querySelector(".detail .busy"), null, { timeout: 120_000 });
  if (await page.locator(".detail .failure").count())
    throw new Error(await page.locator(".detail .failure").first().innerText());
  await check("detail");

  // Write back, and undo.
  await press(page.locator(`main nav.tabs a[href^='/kept/']`));
  await page.locator(".bar .button.main").waitFor();
  await page.locator(":is(.tiles, tbody) input[type=checkbox]").nth(2).waitFor();
  await check("kept");
  await press(page.locator(".bar .button.main"));
  await page.locator("dialog").waitFor();
  await press(button("kept.preview"));
  await page.locator("dialog table tbody tr").nth(2).waitFor();
  await check("write");
  await press(page.locator("dialog form .row .button.main"));
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.locator(".sources .button").waitFor();
  await check("written");
  await press(page.locator(".sources .button"));
  await page.locator(".sources .button").waitFor({ state: "detached" });

  // The other pages.
  const path = encodeURIComponent(id);
  const pages = {
    pad: `/pad/${path}`,
    game: `/game/${path}`,
    report: `/report/${path}`,
    compare: `/compare?runs=${path}`,
    families: "/compare",
    settings: "/settings",
    nowhere: "/nowhere",
    docs: "/docs",
  };
  for (const [label, address] of Object.entries(pages)) {
    await page.goto(base + address);
    await page.locator("main h1, main [role=alert]").first().waitFor();
    await page.waitForFunction(() => !document.querySelector("main .busy"), null, { timeout: 60_000 });
    await check(label);
  }
  await page.goto(base);
  await page.locator("main h1").waitFor();
  await page.locator("body").press("?");
  await page.locator("dialog kbd").first().waitFor();
  await check("keys");
  await page.keyboard.press("Escape");

  // Leave nothing behind.
  await press(page.getByRole("button", { name: text("home.delete.of", { name: run }) }));
  await press(page.locator("dialog .danger"));
  await page.locator("dialog").waitFor({ state: "detached" });
}

/** Fails on requests elsewhere, on errors of scripts and on what the content security policy refuses. */
function guard(page, name) {
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["blob:", "data:"].includes(url.protocol) && url.origin !== base)
      failures.push(`${name}: request to ${url.origin}`);
  });
  page.on("pageerror", (error) => failures.push(`${name}: error on ${page.url()}: ${error.stack ?? error}`));
  page.on("console", (message) => {
    // A call that the server refuses is logged by the browser; the page says it in words.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      failures.push(`${name}: console: ${message.text()}`);
  });
}

/** A screenshot; then axe-core and the width of the page. */
async function look(page, label) {
  await page.waitForTimeout(250);
  if (shots) await page.screenshot({ path: `${shots}/${label}.png` });
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { iframes: false, resultTypes: ["violations"] }),
  );
  for (const { id, help, nodes } of found.violations) {
    failures.push(
      `${label}: axe ${id}: ${help}\n    ${nodes
        .slice(0, 4)
        .map((node) => `${node.target.join(" ")}: ${node.any.concat(node.all)[0]?.message ?? ""}`)
        .join("\n    ")}`,
    );
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 1) failures.push(`${label}: the page is ${wide} pixels wider than the screen`);
}
