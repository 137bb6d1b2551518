// A browser that tests steer by lines of JSON: {id, page, chain: [[method, [arguments]], …]} is called on the page (or on the
// browser, without page), and answered by {id, value} or {id, error}. tests/ui/browser.py is the other end.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

const browser = await chromium.launch({
  executablePath: process.argv[3], args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
});
const pages = new Map();
let count = 0;

async function open({ width, height, theme, language, timezone, storage, scripts }) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, locale: language === "ja" ? "ja-JP" : "en-GB",
    timezoneId: timezone ?? "UTC", acceptDownloads: true, reducedMotion: "reduce", storageState: storage ?? undefined,
  });
  context.setDefaultTimeout(10_000);
  await context.addInitScript((name) => {
    if (localStorage.getItem("hookmq.language") === null) localStorage.setItem("hookmq.language", JSON.stringify(name));
  }, language);
  for (const script of scripts ?? []) await context.addInitScript(script);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    // What the API refuses is told by the page; the browser's own line about it says nothing new.
    if (["error", "warning"].includes(message.type()) && !/Failed to load resource: .* status of 4\d\d/.test(message.text())) {
      problems.push(`${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => problems.push(String(error.stack ?? error)));
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("response", (answer) => {
    if (answer.status() >= 500 || (answer.status() >= 400 && answer.url().includes("/dashboard/"))) problems.push(`${answer.status()} ${answer.url()}`);
  });
  const id = (count += 1);
  pages.set(id, { page, context, problems });
  return id;
}

const own = {
  open,
  async close({ page }) {
    await pages.get(page).context.close();
    pages.delete(page);
  },
  async problems({ page }) {
    return pages.get(page).problems.splice(0);
  },
  async storage({ page }) {
    return pages.get(page).context.storageState();
  },
  // Asked from outside, because the page's own policy forbids what waitForFunction does.
  async until({ page, script, seconds }) {
    const { page: shown } = pages.get(page);
    for (const end = Date.now() + seconds * 1000; ;) {
      const answer = await shown.evaluate(`Boolean(${script})`).catch(() => false);
      if (answer) return;
      if (Date.now() > end) throw new Error(`${script} did not become true; the page shows: ${await shown.evaluate("document.body.innerText.slice(0, 600)")}`);
      await new Promise((resolve) => { setTimeout(resolve, 30); });
    }
  },
  async axe({ page }) {
    const { page: shown } = pages.get(page);
    // Scripts that the page's own policy forbids to load are put in from outside.
    await shown.evaluate(require("node:fs").readFileSync(axe, "utf8"));
    const { violations } = await shown.evaluate(() => globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"], preload: false,
    }));
    return violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 4).map((node) => `${node.html.slice(0, 240)} ${node.failureSummary}`) }));
  },
  async download({ page, chain }) {
    const { page: shown } = pages.get(page);
    const [file] = await Promise.all([shown.waitForEvent("download"), walk(shown, chain)]);
    return require("node:fs").readFileSync(await file.path()).toString("base64");
  },
};

async function walk(start, chain) {
  let here = start;
  for (const [method, given] of chain) {
    const member = here[method];
    const options = given.map((each) => (each?.regexp ? new RegExp(each.regexp, each.flags ?? "") : each));
    here = typeof member === "function" ? await member.apply(here, options) : member;
  }
  return here === undefined || typeof here === "object" && here !== null && !Array.isArray(here) && here.constructor !== Object ? null : here;
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  (async () => {
    const value = asked.call ? await own[asked.call](asked) : await walk(pages.get(asked.page).page, asked.chain);
    return { id: asked.id, value: value ?? null };
  })().catch((error) => ({ id: asked.id, error: String(error.message ?? error) })).then((answer) => {
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  });
}
await browser.close();
