// The browser that pictures and walks share: it signs in where a demo runs, and notes whatever it complained about.
//   ROLLCALL_READY   the ready file of `rollcall demo`: the demo's administrator signs in; or
//   ROLLCALL_URL     the server (default http://127.0.0.1:8480)
//   ROLLCALL_COOKIE  "name=value" of a signed-in session; ROLLCALL_TOKEN: a bearer token instead (no live stream then)
//   CHROMIUM         the browser (default /usr/bin/chromium)
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const ready = process.env.ROLLCALL_READY ? JSON.parse(readFileSync(process.env.ROLLCALL_READY, "utf8")) : null;
export const base = ready?.url ?? process.env.ROLLCALL_URL ?? "http://127.0.0.1:8480";
export const desk = { width: 1360, height: 850 };
export const phone = { width: 390, height: 800 };

/** complaints are what pages threw, what broke the security policy, and other hosts that were asked. */
export const complaints = [];

const headers = process.env.ROLLCALL_TOKEN ? { Authorization: `Bearer ${process.env.ROLLCALL_TOKEN}` } : {};
export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const cookies = ready ? await signIn() : process.env.ROLLCALL_COOKIE ? [{ name: process.env.ROLLCALL_COOKIE.split("=")[0], value: process.env.ROLLCALL_COOKIE.split("=").slice(1).join("="), url: base }] : [];

/** Signs in at the demo's identity provider as the first administrator, and answers the cookies. */
async function signIn() {
  const context = await browser.newContext();
  const page = await context.newPage();
  const ask = async (path) => (await page.request.get(base + path, { headers: { Authorization: `Bearer ${ready.admin_token}` } })).json();
  const admin = await ask(`/api/v1/people/${(await ask("/api/v1/admins")).items[0].person}`);
  await page.goto(`${base}/auth/login`);
  await page.locator("input:visible").first().fill(admin.display_name);
  await page.keyboard.press("Enter");
  await page.getByText(admin.display_name).first().click();
  await page.waitForURL(`${base}/**`);
  const all = await context.cookies(base);
  await context.close();
  return all;
}

/** open answers a page in a language, light or dark, of a size. */
export async function open(locale, mode, viewport) {
  const context = await browser.newContext({ viewport, locale, colorScheme: mode, extraHTTPHeaders: headers, reducedMotion: "reduce" });
  if (cookies.length) await context.addCookies(cookies);
  const page = await context.newPage();
  page.on("console", (m) => (m.type() === "error" || m.type() === "warning") && !/401|404|409|422|503|WebSocket connection/.test(m.text()) && complaints.push(`${page.url()}: ${m.text()}`));
  page.on("pageerror", (e) => complaints.push(`${page.url()}: ${e.stack}`));
  page.on("request", (r) => new URL(r.url()).host !== new URL(base).host && !r.url().startsWith("data:") && complaints.push(`${page.url()} asked ${r.url()}`));
  return page;
}

/** api answers what a call of the page's session is answered. */
export const api = async (page, path, options) => (await page.request.fetch(`${base}${path}`, options)).json().catch(() => ({}));
