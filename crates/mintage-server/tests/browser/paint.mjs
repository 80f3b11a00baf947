// Prints the milliseconds until the first contentful paint of the studio in Chromium: the median of seven new pages.
//
//   STUDIO_URL='http://127.0.0.1:7700/?token=…' node paint.mjs
import { chromium } from "playwright-core";

const url = process.env.STUDIO_URL;
if (!url) throw new Error("STUDIO_URL is not set: the address that `mintage studio` printed");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const times = [];
for (let i = 0; i < 7; i++) {
  // A context of its own: nothing is cached.
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url, { waitUntil: "load" });
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  times.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  await context.close();
}
await browser.close();
console.log(times.sort((a, b) => a - b)[3]);
