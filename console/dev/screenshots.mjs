// Pictures of every page, in both languages, light and dark, on a desk and on a phone; and whatever the browser complained about.
// Besides what browser.mjs reads:
//   ROLLCALL_MOCK=1  the server is dev/mock.mjs: endings are pictured too
//   ROLLCALL_PEOPLE  id of the person to picture (else the first of the list)   OUT: folder (default dev/shots)   ONLY: parts of names, with commas
// Ends with 1 if a page threw, broke the security policy or asked another host for anything.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { api, base, browser, complaints, desk, open, phone } from "./browser.mjs";

const out = process.env.OUT ?? new URL("shots", import.meta.url).pathname;
const mock = process.env.ROLLCALL_MOCK === "1";
const only = process.env.ONLY ?? "";
mkdirSync(out, { recursive: true });

const happen = (page, what, data = {}) => mock && page.request.post(`${base}/mock/${what}`, { data });

async function visit(page, name, path, more) {
  if (!only.split(",").some((part) => name.includes(part))) return;
  await page.goto(base + path, { waitUntil: "domcontentloaded" });
  await page.waitForSelector("h1", { timeout: 10_000 }).catch(() => complaints.push(`${path}: no heading came`));
  await page.waitForTimeout(500);
  if (more) await more();
  await page.screenshot({ path: join(out, `${name}.png`) });
}

async function all(locale, mode, viewport, suffix) {
  const page = await open(locale, mode, viewport);
  const at = (name) => `${name}.${suffix}`;
  await happen(page, "reset");
  const people = await api(page, "/api/v1/people?limit=8");
  const person = process.env.ROLLCALL_PEOPLE ?? (mock ? "per_006" : people.items?.[0]?.id);
  const groups = await api(page, "/api/v1/groups");
  const group = groups.items?.[0];
  const channel = group?.channels?.[0]?.id;
  const wait = () => page.waitForTimeout(500);

  await visit(page, at("signin"), "/signin");
  await visit(page, at("signin-refused"), "/signin?error=person_frozen");
  await visit(page, at("chat"), `/chat/${channel}`);
  if (mock) await visit(page, at("chat-code"), "/chat/chn_apollo_vision", async () => {
    await page.locator("form .ant-segmented-item").nth(1).click();
    await page.locator("textarea").first().fill('func main() {\n\tprintln("你好")\n}');
    await happen(page, "say", { channel: "chn_apollo_vision" });
    await wait();
  });
  if (mock) await visit(page, at("chat-failed"), "/chat/chn_company_lunch", async () => {
    await page.locator("textarea").first().fill("fail");
    await page.keyboard.press("Enter");
    await wait();
  });
  if (mock) await visit(page, at("chat-readonly"), "/chat/chn_company_news");
  await visit(page, at("home"), "/admin");
  await visit(page, at("people"), "/admin/people");
  await visit(page, at("people-none"), "/admin/people?q=zzzz");
  await visit(page, at("person"), `/admin/people/${person}`);
  await visit(page, at("person-freeze"), `/admin/people/${mock ? "per_002" : person}`, async () => {
    await page.locator(".ant-btn-dangerous").first().click({ timeout: 3000 }).catch(() => {});
    await wait();
  });
  await visit(page, at("access"), `/admin/access?channel=${channel}`);
  await visit(page, at("explain"), `/admin/access/explain?person=${mock ? "per_002" : person}&channel=${channel}`);
  if (mock) await visit(page, at("explain-no"), `/admin/access/explain?person=per_009&channel=${channel}`);
  if (mock) await visit(page, at("explain-frozen"), `/admin/access/explain?person=per_006&channel=${channel}`);
  await visit(page, at("groups"), "/admin/groups");
  await visit(page, at("group"), `/admin/groups/${group?.id}`);
  if (!mock) {
    const door = (await api(page, "/api/v1/me/guests/doors")).groups?.[0];
    const first = (await api(page, "/api/v1/guests?within_days=3650")).items?.[0];
    await visit(page, at("guests"), "/admin/guests");
    await visit(page, at("guests-file"), "/admin/guests", async () => {
      await page.locator("[data-import]").click();
      await page.locator(".ant-modal textarea").fill(`company,email,name,group,channels,until,reason,sponsor\nnordwind,liv@nordwind.example,Liv Berg,forge,engineering,2099-01-01,Line 3,${first?.sponsor}\nnordwind,x@elsewhere.example,X,forge,engineering,2099-01-01,Line 3,${first?.sponsor}\n`);
      await page.locator("[data-look-file]").click();
      await page.locator("[data-op]").first().waitFor();
    });
    await visit(page, at("guests-close"), "/admin/guests", () => page.locator("[data-close-all]").click());
    await visit(page, at("guest"), `/admin/guests/${first?.id}`);
    await visit(page, at("companies"), "/admin/companies");
    await visit(page, at("company"), `/admin/companies/${first?.company}`);
    await visit(page, at("company-add"), "/admin/companies", () => page.locator("[data-add-company]").click());
    await visit(page, at("my-guests"), "/guests");
    await visit(page, at("guest-invite"), `/guests?invite=1&group=${door?.group}`, wait);
    await visit(page, at("project"), `/guests/projects/${door?.group}`, async () => {
      await page.locator("[data-guest] input[type=checkbox]").first().click();
    });
    await visit(page, at("project-extend"), `/guests/projects/${door?.group}`, async () => {
      await page.locator("[data-guest] input[type=checkbox]").nth(0).click();
      await page.locator("[data-guest] input[type=checkbox]").nth(1).click();
      await page.locator("[data-extend-many]").click();
      await page.locator(".ant-modal input[type=datetime-local]").fill("2099-01-01T00:00");
      await page.locator(".ant-modal input[maxlength='500']").fill("Line 3");
      await page.locator("[data-look-many]").click();
      await page.locator("[data-op]").first().waitFor();
    });
  }
  await visit(page, at("policies"), "/admin/policies");
  await visit(page, at("plan"), "/admin/policies", async () => {
    await page.locator("header .ant-btn-primary").click();
    await page.locator("[data-start-current]").click();
    await page.locator("[data-make-plan]").click();
    await wait();
    await page.mouse.move(700, 600);
    await page.mouse.wheel(0, 900);
    await wait();
  });
  if (mock) await visit(page, at("plan-mistake"), "/admin/policies", async () => {
    await page.locator("header .ant-btn-primary").click();
    await page.locator("textarea").first().fill("apiVersion: rollcall/v1\ngrups: []\n");
    await page.locator("[data-make-plan]").click();
    await wait();
  });
  await visit(page, at("units"), "/admin/units");
  await visit(page, at("units-declare"), "/admin/units", () => page.locator("[data-declare]").click());
  if (!mock) await visit(page, at("drill"), "/admin/drills", async () => {
    await page.locator("[data-hold-drill]").click();
    await page.locator("[data-drill=passed]").first().waitFor({ timeout: 20_000 });
  });
  await visit(page, at("holds"), "/admin/holds");
  await visit(page, at("inbox"), "/inbox");
  await visit(page, at("handovers"), "/admin/handovers");
  await visit(page, at("review"), "/admin/work-items");
  const item = (await api(page, "/api/v1/work-items?state=open&limit=1")).items?.[0];
  if (item) {
    await visit(page, at("review-pair"), `/admin/work-items/${item.id}`);
    await visit(page, at("review-person"), `/admin/people/${item.older.id}`);
  }
  await visit(page, at("sources"), "/admin/sources");
  await visit(page, at("source-add"), "/admin/sources", async () => {
    await page.locator("[data-add-source]").click();
    await wait();
  });
  const source = (await api(page, "/api/v1/sources")).items?.find((s) => s.kind === "scim")?.id;
  await visit(page, at("source"), `/admin/sources/${source}`);
  await visit(page, at("source-test"), `/admin/sources/${source}`, async () => {
    await page.locator("[data-test-connection]").click();
    await page.locator("[role=status] h2, [role=status] [role=img]").first().waitFor({ timeout: 15_000 }).catch(() => {});
    await page.locator("[data-test-connection]").scrollIntoViewIfNeeded();
    await page.mouse.move(700, 600);
    await page.mouse.wheel(0, 500);
    await wait();
  });
  await visit(page, at("source-requests"), `/admin/sources/${source}`, async () => {
    await page.locator("[data-failures]").scrollIntoViewIfNeeded();
    await page.mouse.move(700, 600);
    await page.mouse.wheel(0, 900);
    await wait();
  });
  await visit(page, at("source-request"), `/admin/sources/${source}`, async () => {
    await page.locator("[data-failures]").click();
    await wait();
    await page.locator("main button:has(time)").first().click({ timeout: 3000 }).catch(() => {});
    await wait();
  });
  const tree = (await api(page, "/api/v1/sources")).items?.find((s) => s.kind === "ldap")?.id;
  await visit(page, at("source-ldap"), `/admin/sources/${tree}`, async () => {
    await page.locator("[data-look]").click({ timeout: 3000 });
    await page.locator("[role=status] dl").first().waitFor({ timeout: 15_000 }).catch(() => complaints.push("no probe report came"));
  });
  await visit(page, at("source-ldap-runs"), `/admin/sources/${tree}`, async () => {
    await page.locator("[data-sync]").click({ timeout: 3000 });
    await page.waitForTimeout(1500);
    await page.mouse.move(700, 600);
    await page.mouse.wheel(0, 1100);
    await wait();
  });
  const changeMapping = async () => {
    await page.locator("[data-made]").first().waitFor({ timeout: 15_000 }).catch(() => complaints.push("no sample came"));
    await page.locator("[data-field=title]").fill("description, title");
    await page.locator("[data-field=department]").fill("-");
    await page.waitForTimeout(1200);
  };
  await visit(page, at("mapping"), `/admin/sources/${tree}/mapping`, changeMapping);
  await visit(page, at("mapping-whole"), `/admin/sources/${tree}/mapping`, async () => {
    await changeMapping();
    await page.locator("[data-preview-mapping]").click({ timeout: 3000 });
    await page.locator("[data-diff]").first().waitFor({ timeout: 15_000 }).catch(() => complaints.push("no diff came"));
    await page.locator("[data-diff]").first().scrollIntoViewIfNeeded().catch(() => {});
    await page.mouse.move(300, 600);
    await page.mouse.wheel(0, 3000);
    await wait();
  });
  const known = (await api(page, "/api/v1/sources")).items ?? [];
  if (!mock && !known.some((s) => s.kind === "hrfeed")) await page.request.post(`${base}/api/v1/sources`, { headers: { Origin: base }, data: { name: "personnel", kind: "hrfeed", priority: 30, dry_run: true } });
  const personnel = (await api(page, "/api/v1/sources")).items?.find((s) => s.kind === "hrfeed")?.id;
  const roster = { name: "2026-03.full.csv", mimeType: "text/csv", buffer: Buffer.from("工号,姓名,部门,岗位,岗位级别,入职日期,最后工作日\nE0001,陈晓梅,研发,工程师,P6,2021-03-01,\nE0002,Ava Lindqvist,Sales,Account manager,P5,03/04/2026,\nE0003,周雨桐,供应链,计划员,P4,2024-07-15,2026-12-31\n,无名,研发,,,2026-01-01,\nE0004,李敏,制造,班长,P3,2020-02-30,\n") };
  const hand = async () => {
    await page.locator("input[type=file]").setInputFiles(roster);
    await page.locator("[data-report]").first().waitFor({ timeout: 15_000 }).catch(() => complaints.push("no report came"));
    await wait();
  };
  await visit(page, at("source-feed"), `/admin/sources/${personnel}`);
  await visit(page, at("source-feed-preview"), `/admin/sources/${personnel}`, async () => {
    await hand();
    await page.locator("[data-report]").first().evaluate((e) => e.scrollIntoView({ block: "start" }));
    await wait();
  });
  await visit(page, at("source-feed-refused"), `/admin/sources/${personnel}`, async () => {
    await hand();
    await page.locator("[data-report] table").first().scrollIntoViewIfNeeded();
    await page.mouse.move(700, 600);
    await page.mouse.wheel(0, 400);
    await wait();
  });
  await visit(page, at("admins"), "/admin/admins");
  await visit(page, at("audit"), "/admin/audit", async () => {
    await page.locator("button[aria-expanded]").first().click({ timeout: 3000 }).catch(() => {});
    await wait();
  });
  await visit(page, at("notfound"), "/admin/nothing");
  await visit(page, at("account"), "/admin/sources", async () => {
    if (viewport.width < 760) await page.locator("main button").first().click();
    await page.locator("aside button").last().click();
    await wait();
  });
  if (mock) {
    await visit(page, at("chat-offline"), `/chat/${channel}`, async () => {
      await page.route("**/api/v1/stream", (r) => r.abort());
      await page.routeWebSocket("**/api/v1/stream", (ws) => ws.close());
      await happen(page, "drop");
      await page.waitForTimeout(5000);
    });
    const other = await open(locale, mode, viewport);
    await visit(other, at("chat-gone"), `/chat/${channel}`, async () => {
      await happen(other, "gone", { channel });
      await wait();
    });
    await visit(other, at("ended"), "/chat/chn_apollo_vision", async () => {
      await happen(other, "revoke");
      await other.waitForTimeout(1200);
    });
    await other.context().close();
    await happen(page, "reset");
  }
  await page.context().close();
}

const sets = [
  ["en", "light", desk, "en.light"],
  ["zh-CN", "light", desk, "zh.light"],
  ["en", "dark", desk, "en.dark"],
  ["zh-CN", "dark", desk, "zh.dark"],
  ["zh-CN", "light", phone, "zh.phone"],
];
for (const set of sets) if (!process.env.SET || set[3] === process.env.SET) await all(...set);
await browser.close();
for (const c of new Set(complaints)) console.error(c);
console.log(`pictures in ${out}; ${new Set(complaints).size} complaints`);
process.exit(complaints.length ? 1 : 0);
