// The editors' page in Chromium, without a window: searches, opens a moment, goes by keys, changes language, and has axe look
// at each view in light and dark.
//
//   node tests/browser/page.mjs ADDRESS QUERY PICTURES
//
// One line of JSON comes out: what was seen. Screenshots go into the folder PICTURES. The packages are looked for in
// target/test-tools (scripts/setup bench).
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const tools = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../target/test-tools");
const require = createRequire(tools + "/");
const puppeteer = require("puppeteer-core").default ?? require("puppeteer-core");
const axe = await readFile(path.join(tools, "node_modules/axe-core/axe.min.js"), "utf8");
const [address, query, pictures] = process.argv.slice(2);

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--lang=en"],
});
const seen = { errors: [], serious: [] };
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  await page.setBypassCSP(false);
  page.on("pageerror", (e) => seen.errors.push(String(e)));
  page.on("console", (m) => m.type() === "error" && !/404|Failed to load resource/.test(m.text()) && seen.errors.push(m.text()));
  const look = async (name) => {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.screenshot({ path: path.join(pictures, `${name}-${scheme}.png`) });
      // By the debugger, past the page's own policy.
      const found = await page.evaluate(`${axe}; axe.run(document).then((r) => r.violations)`);
      for (const v of found.filter((v) => ["serious", "critical"].includes(v.impact))) {
        seen.serious.push(`${name} ${scheme}: ${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
      }
    }
  };
  const said = (text) => page.waitForFunction((t) => document.getElementById("status").textContent.includes(t), { timeout: 20_000 }, text);
  await page.goto(address, { waitUntil: "networkidle0" });
  await page.waitForSelector("#results > li");
  await look("start");
  seen.all = await page.$$eval("#results > li", (all) => all.length);
  // Typed on, chosen by keys.
  await page.focus("#q");
  await page.keyboard.type(query.slice(0, 4), { delay: 30 });
  await page.waitForSelector("#suggestions:not([hidden]) li", { timeout: 10_000 });
  seen.suggestions = await page.$$eval("#suggestions li", (all) => all.map((li) => li.textContent));
  await page.keyboard.press("Escape");
  await page.keyboard.type(query.slice(4));
  await page.keyboard.press("Enter");
  await said("1 hit");
  await look("hits");
  // A count is clicked: it narrows to that very value, and is let go again.
  await page.click("#facets button");
  await page.waitForSelector("#facets button[aria-pressed=true]");
  await said("1 hit");
  seen.narrowed = await page.$$eval("#results > li", (all) => all.length);
  await page.click("#facets button[aria-pressed=true]");
  await page.waitForFunction(() => !document.querySelector("#facets button[aria-pressed=true]"));
  seen.spots = await page.$$eval(".spots button", (all) => all.map((b) => b.innerText.trim()));
  seen.marked = await page.$$eval(".spots mark", (all) => all.map((m) => m.textContent));
  // A moment is clicked: the player is at that second.
  const at = () => page.$eval("#stage video", (v) => ({ time: v.currentTime, ready: v.readyState }));
  await page.click(".spots li:nth-child(2) button");
  await page.waitForFunction(() => document.querySelector("#stage video")?.readyState >= 2 && document.querySelector("#transcript li"), { timeout: 20_000 });
  seen.second = await at();
  await look("player");
  seen.clock = await page.$eval("#clock", (o) => o.textContent);
  seen.line = await page.$$eval("#transcript li[aria-current=true]", (all) => all.map((li) => li.innerText));
  await page.keyboard.press("p");
  await page.waitForFunction(() => !document.querySelector("#stage video").seeking);
  seen.first = await at();
  await page.keyboard.press("i");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => !document.querySelector("#stage video").seeking);
  await page.keyboard.press("o");
  seen.range = await page.$eval("#range", (o) => o.textContent);
  // A line of the transcript is clicked.
  await page.click("#transcript li:first-child button");
  await page.waitForFunction(() => !document.querySelector("#stage video").seeking);
  seen.clicked = await at();
  await page.keyboard.press("Escape");
  seen.closed = await page.$eval("#viewer", (v) => v.hidden);
  // One that is there as a stream alone is played from the second as well.
  await page.$eval("#q", (q) => { q.value = ""; });
  await page.type("#q", "noticiero");
  await page.keyboard.press("Enter");
  await said("1 hit");
  await page.click(".spots li:first-child button");
  await page.waitForFunction(() => document.querySelector("#stage video")?.readyState >= 2, { timeout: 20_000 });
  await page.waitForFunction(() => !document.querySelector("#stage video").seeking);
  seen.streamed = await page.$eval("#stage video", (v) => ({ time: v.currentTime, width: v.videoWidth, source: v.currentSrc.replace(/.*renditions/, "") }));
  await page.screenshot({ path: path.join(pictures, "stream.png") });
  await page.keyboard.press("Escape");
  await page.select("#tongue", "es");
  await said("resultado");
  seen.spanish = await page.$eval("#status", (s) => s.textContent);
  // What things mean is asked for by a box that is there where the index knows of it. This one does not, and an answer stands in.
  seen.toggle = { hidden: await page.$eval("#means", (l) => l.hidden), asked: [] };
  await page.setRequestInterception(true);
  page.on("request", (r) => {
    const url = new URL(r.url());
    if (url.pathname === "/api/v1/me") return r.respond({ contentType: "application/json", body: '{"name": "x", "role": "viewer", "meaning": true}' });
    if (url.pathname === "/api/v1/search") seen.toggle.asked.push(url.searchParams.get("meaning"));
    url.searchParams.delete("meaning");
    r.continue({ url: url.href });
  });
  await page.goto(`${address}?q=${query}`, { waitUntil: "networkidle0" });
  await page.waitForSelector("#means:not([hidden])");
  await look("meaning");
  await page.focus("#meaning");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => location.search.includes("meaning=1"));
  await page.reload({ waitUntil: "networkidle0" });
  seen.toggle.kept = await page.$eval("#meaning", (box) => box.checked);
  // Another order is none of meaning.
  await page.select("#sort", "newest");
  await page.waitForFunction(() => document.getElementById("meaning").disabled);
  await page.waitForNetworkIdle();
  await page.setViewport({ width: 400, height: 800 });
  await look("narrow");
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
