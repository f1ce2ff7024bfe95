// Opens a page of a report and uses it as a person does. Prints one line of JSON: what the browser complained of, what was drawn, what
// hovering, zooming and the keyboard did, what axe-core finds, whether a text of a film became markup or script, and how long it took.
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = createRequire(join(process.env.MODULES, "x.js"));
const puppeteer = modules("puppeteer-core");
const axe = readFileSync(join(process.env.MODULES, "axe-core/axe.min.js"), "utf8");
const [where, shots] = process.argv.slice(2);
const address = /^https?:/.test(where) ? where : pathToFileURL(resolve(where)).href;

const profile = mkdtempSync(join(tmpdir(), "retake-browser-"));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM, headless: true, userDataDir: profile,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const result = { errors: [], requests: [], bytes: /^https?:/.test(where) ? null : statSync(where).size };
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) result.errors.push(message.text()); });
  page.on("pageerror", (error) => result.errors.push(String(error)));
  page.on("dialog", (dialog) => { result.errors.push("dialog: " + dialog.message()); dialog.dismiss(); });
  page.on("request", (request) => { if (!/^(data:|file:)/.test(request.url()) && request.url() !== address) result.requests.push(request.url()); });
  const begun = Date.now();
  await page.goto(address, { waitUntil: "load" });
  result.milliseconds = Date.now() - begun;
  const picture = async (name, full = true) => { if (shots) await page.screenshot({ path: join(shots, name + ".png"), fullPage: full }); };

  // Distinct colours in each canvas: a chart that was not drawn has one or two.
  result.canvases = await page.evaluate(() => [...document.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Map();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 0) continue;
      const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
      colours.set(colour, (colours.get(colour) || 0) + 1);
    }
    return { chart: canvas.closest(".chart").id, colours: colours.size, painted: [...colours.values()].reduce((a, b) => a + b, 0), pixels: canvas.width * canvas.height };
  }));
  result.still = await page.evaluate(() => [...document.querySelectorAll("svg.still rect, svg.still path")].length);
  result.verdict = await page.evaluate(() => document.querySelector(".verdict").textContent);
  result.title = await page.evaluate(() => document.querySelector("h1").textContent);
  result.pictures = await page.evaluate(async () => {
    const images = [...document.images];
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    return { all: images.length, shown: images.filter((image) => image.naturalWidth > 0).length };
  });
  // What a hostile text would have left behind.
  result.injected = await page.evaluate(() => ({
    flag: window.injected === true || document.documentElement.hasAttribute("data-injected"),
    scripts: document.scripts.length, frames: document.querySelectorAll("iframe, object, embed, form, base, link").length,
    handlers: [...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((attribute) => attribute.name.startsWith("on"))).length,
  }));
  await picture("light");

  const over = await page.$("#scores .u-over");
  if (over) {
    const before = await over.boundingBox();
    await page.evaluate(() => document.querySelector("#scores").scrollIntoView({ block: "center", behavior: "instant" }));
    const box = await over.boundingBox();
    const readout = () => page.evaluate(() => document.querySelector("#readout").textContent);
    const image = () => page.evaluate(() => document.querySelector("#scores canvas").toDataURL());
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
    result.hover = await readout();
    const whole = await image();
    await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.5);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.35, box.y + box.height * 0.5, { steps: 4 });
    await page.mouse.up();
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
    result.zoomed = await readout();
    result.zoomChanges = whole !== (await image());
    await picture("zoomed", false);
    await page.focus("#scores");
    await page.keyboard.press("0");
    for (const _ of [1, 2, 3]) await page.keyboard.press("ArrowRight");
    result.keyboard = await readout();
    await page.keyboard.press("0");
    result.box = before;
  }
  const slider = await page.$(".moments input");
  if (slider) {
    await slider.focus();
    await page.keyboard.press("Home");
    result.slider = await page.evaluate(() => document.querySelector(".pair").style.getPropertyValue("--cut"));
    for (let times = 0; times < 50; times++) await page.keyboard.press("ArrowRight");
    await page.evaluate(() => document.querySelector("#moments").scrollIntoView({ behavior: "instant" }));
    await picture("moments", false);
  }
  const check = async (name) => {
    // The policy of the page allows no script but its own, and this one comes in through the debugger.
    await page.evaluate(axe + ";0");
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.map(({ id, impact, help, nodes }) => ({ scheme: name, id, impact, help, where: nodes.slice(0, 3).map((node) => node.target.join(" ") + ": " + (node.any[0] || node.all[0] || {}).message) }));
  };
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  result.axe = await check("light");
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = false; }));
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await new Promise((done) => setTimeout(done, 100));
  result.axe.push(...(await check("dark")));
  await page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
  await picture("dark");
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.setViewport({ width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  await new Promise((done) => setTimeout(done, 200));
  result.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await picture("phone");
  await page.setViewport({ width: 1000, height: 1400 });
  await page.emulateMediaType("print");
  await new Promise((done) => setTimeout(done, 100));
  result.printed = await page.evaluate(() => ({
    still: [...document.querySelectorAll(".still")].every((one) => one.getBoundingClientRect().height > 50),
    canvas: [...document.querySelectorAll("canvas")].every((one) => one.getBoundingClientRect().height === 0),
  }));
  await picture("print");
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify(result));
