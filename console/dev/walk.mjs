// A person's way through every page and through what changes something, in a real browser against a real server. Ends with 1 and says what was wrong.
//   dev/with-demo.sh walk.mjs   starts a demo company for it
import { api, base, browser, complaints, desk, open, phone } from "./browser.mjs";

const wrong = (what) => complaints.push(what);
const soon = { timeout: 20_000 };

/** shape is a path with its ids taken out: pages of one kind look alike. */
const shape = (path) => path.replace(/[a-z]{3}_[0-9a-z]{20,}/g, ":id").replace(/[?#].*$/, "");

/** look goes to a page and says what a reader would find wrong with it. */
async function look(page, path, locale) {
  await page.goto(base + path, { waitUntil: "domcontentloaded" });
  await page.locator("h1").first().waitFor(soon).catch(() => wrong(`${path}: no heading came`));
  await page.locator("[aria-busy=true]").first().waitFor({ state: "detached", ...soon }).catch(() => wrong(`${path}: is never ready`));
  const text = await page.locator("body").innerText();
  for (const sign of [/\bundefined\b/, /\bNaN\b/, /\[object Object\]/, /Invalid Date/]) if (sign.test(text)) wrong(`${path} (${locale}) shows ${sign}`);
  if ((await page.locator("html").getAttribute("lang"))?.slice(0, 2) !== locale.slice(0, 2)) wrong(`${path}: not in ${locale}`);
  if (locale === "zh-CN") for (const entry of await page.locator("nav a").allInnerTexts()) if (entry.trim() && !/[\u4e00-\u9fff]/.test(entry)) wrong(`${path}: "${entry}" in the menu is not Chinese`);
}

/** tour sees each kind of page that links lead to, and answers their paths. */
async function tour(locale) {
  const page = await open(locale, "light", desk);
  const seen = new Map();
  const ahead = ["/admin", "/inbox", "/groups", "/chat", "/admin/set-aside", "/guests"]; // nothing leads to the last where nothing is set aside
  while (ahead.length && seen.size < 70) {
    const path = ahead.shift();
    if (seen.has(shape(path))) continue;
    seen.set(shape(path), path);
    await look(page, path, locale);
    const links = await page.locator("a[href^='/']").evaluateAll((list) => list.map((a) => a.getAttribute("href")));
    ahead.push(...links.filter((l) => /^\/(admin|inbox|groups|guests|chat)/.test(l) && !seen.has(shape(l))));
  }
  await page.context().close();
  return [...seen.values()];
}

/** narrow sees that no page is wider than a phone. */
async function narrow(paths) {
  const page = await open("zh-CN", "light", phone);
  for (const path of paths) {
    await look(page, path, "zh-CN");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 1) wrong(`${path} is ${wide} pixels wider than a phone`);
  }
  await page.context().close();
}

/** mapping changes where titles are read from in the directory, sees it preview and applied, and takes it back. */
async function mapping() {
  const page = await open("en", "light", desk);
  const tree = (await api(page, "/api/v1/sources")).items.find((s) => s.kind === "ldap").id;
  const inForce = async () => (await api(page, `/api/v1/sources/${tree}/ldap`)).mapping;
  const before = await inForce();
  const apply = async () => {
    await page.locator("[data-preview-mapping]").click(soon);
    await page.locator("[data-diff]").waitFor(soon);
    await page.locator("[data-apply-mapping]").click(soon);
    await page.locator(".ant-modal-confirm .ant-btn-primary").click(soon);
    await page.locator(".ant-modal-confirm").waitFor({ state: "detached", ...soon });
  };
  const reached = async (version) => {
    for (let i = 0; i < 100; i++) {
      if ((await inForce()).version === version) return true;
      await page.waitForTimeout(100);
    }
    return false;
  };
  await page.goto(`${base}/admin/sources/${tree}/mapping`);
  await page.locator("[data-field=cost_center]").fill("employeeType", soon);
  await apply();
  if (!(await reached(before.version + 1))) wrong("mapping: what was applied is not in force");
  const made = async () => (await api(page, "/api/v1/people?limit=50")).items.filter((p) => p.cost_center).length;
  if ((await made()) === 0) wrong("mapping: nobody has the new attribute");
  await page.reload();
  await page.locator("[data-field=cost_center]").fill("", soon);
  await apply();
  if (!(await reached(before.version + 2))) wrong("mapping: what was taken back is still in force");
  if ((await made()) > 0) wrong("mapping: somebody keeps what nothing says");
  await page.context().close();
}

/** freeze stops somebody and lifts it again. */
async function freeze() {
  const page = await open("zh-CN", "light", desk);
  const person = (await api(page, "/api/v1/people?limit=50&status=active")).items.find((p) => !p.frozen).id;
  const frozen = async (want) => {
    for (let i = 0; i < 100; i++) {
      if ((await api(page, `/api/v1/people/${person}`)).frozen === want) return;
      await page.waitForTimeout(100);
    }
    wrong(`freeze: is never ${want ? "frozen" : "free"}`);
  };
  await page.goto(`${base}/admin/people/${person}`);
  await page.locator("main .ant-btn-dangerous").first().click(soon);
  await page.locator(".ant-modal input:not([type=checkbox])").fill("走查", soon);
  await page.locator(".ant-modal .ant-btn-dangerous").click(soon);
  await frozen(true);
  await page.locator("[data-lift]").first().click(soon);
  await page.locator(".ant-modal-confirm .ant-btn-primary").click(soon);
  await frozen(false);
  await page.context().close();
}

/** policy plans the policy in force anew with another word in it, applies that, and sees a version more. */
async function policy() {
  const page = await open("en", "light", desk);
  const newest = async () => (await api(page, "/api/v1/policies")).items[0].version;
  const before = await newest();
  await page.goto(`${base}/admin/policies`);
  await page.locator("header .ant-btn-primary").click(soon);
  await page.locator("[data-start-current]").click(soon);
  const text = page.locator("textarea").first();
  await text.fill(`${await text.inputValue()}\n# walked\n`);
  await page.locator("[data-make-plan]").click(soon);
  await page.locator("[data-apply]").click(soon);
  await page.locator(".ant-modal .ant-btn-primary").click(soon);
  for (let i = 0; i < 100 && (await newest()) === before; i++) await page.waitForTimeout(100);
  if ((await newest()) !== before + 1) wrong("policy: no version came of the plan");
  await page.context().close();
}

/** review asks about the places of a group, answers two at once and another with a reason, and looks at the page again on a phone. */
async function review() {
  const page = await open("zh-CN", "light", desk);
  await page.goto(`${base}/admin/groups/${(await api(page, "/api/v1/groups")).items[0].id}`);
  await page.locator("[data-begin-review]").click(soon);
  await page.locator(".ant-modal .ant-btn-primary").click(soon);
  await page.waitForURL("**/admin/evidence/reviews/*", soon);
  const path = new URL(page.url()).pathname;
  const box = page.locator(".ant-table-tbody .ant-checkbox-input");
  const answers = async (decision, want) => {
    for (let i = 0; i < 100; i++) {
      const lines = (await api(page, `/api/v1/reviews/${path.split("/").pop()}`)).lines;
      if (lines.filter((l) => l.decision === decision && (decision === "remove" || l.why === "走查")).length === want) return;
      await page.waitForTimeout(100);
    }
    wrong(`review: there are never ${want} answers to ${decision}`);
  };
  await page.locator("[data-ground=rule]").first().waitFor(soon).catch(() => wrong("review: no reason of a place shows"));
  await box.nth(0).click(soon);
  await box.nth(1).click(soon);
  await page.locator("[data-bulk] .ant-btn-dangerous").click(soon);
  await answers("remove", 2);
  await box.nth(2).click(soon);
  await page.locator("[data-bulk] .ant-btn:not(.ant-btn-dangerous)").click(soon);
  await page.locator(".ant-modal textarea").fill("走查", soon);
  await page.locator(".ant-modal .ant-btn-primary").click(soon);
  await answers("keep", 1);
  await page.context().close();
  await narrow([path]);
}

/** drill holds one and sees that it passed. */
async function drill() {
  const page = await open("zh-CN", "light", desk);
  await page.goto(`${base}/admin/drills`);
  await page.locator("[data-hold-drill]").click(soon);
  await page.locator("[data-drill=passed]").waitFor(soon).catch(() => wrong("drill: it did not pass"));
  await page.context().close();
}

/** guest lets somebody in from the channel, extends all of the project group by what a preview shows, refuses a file line by line, and ends it. */
async function guest() {
  const page = await open("zh-CN", "light", desk);
  const door = (await api(page, "/api/v1/me/guests/doors")).groups[0];
  const mine = async () => (await api(page, "/api/v1/me/guests")).items;
  const became = async (what, fine) => {
    for (let i = 0; i < 100; i++) {
      if (fine(await mine())) return;
      await page.waitForTimeout(100);
    }
    wrong(`guest: ${what}`);
  };
  await page.goto(`${base}/guests?invite=1&group=${door.group}&channel=${door.channels[0].id}`);
  const modal = page.locator(".ant-modal");
  await modal.locator(".ant-select").first().click(soon);
  await page.locator(".ant-select-item-option").first().click(soon);
  await modal.locator("input[type=email]").fill("walk@" + (await modal.innerText()).match(/[a-z]+\.example/)[0], soon);
  await modal.locator("input[maxlength='200']").fill("走查", soon);
  await modal.locator("input[maxlength='500']").fill("走查", soon);
  await modal.locator("[data-send-invitation]").click(soon);
  await modal.locator("[data-invited]").waitFor(soon).catch(() => wrong("guest: nobody was let in"));
  await became("is not among mine", (list) => list.some((g) => g.name === "走查" && g.state === "running"));
  const walked = (await mine()).find((g) => g.name === "走查");

  await page.goto(`${base}/guests/projects/${door.group}`);
  await page.locator(`[data-guest='${walked.id}'] input[type=checkbox]`).click(soon);
  await page.locator("[data-extend-many]").click(soon);
  await modal.locator("input[type=datetime-local]").fill("2099-01-01T00:00", soon);
  await modal.locator("input[maxlength='500']").fill("走查", soon);
  await modal.locator("[data-look-many]").click(soon);
  await modal.locator("[data-op=extend]").waitFor(soon).catch(() => wrong("guest: the preview does not extend"));
  if ((await mine()).find((g) => g.id === walked.id).until !== walked.until) wrong("guest: a preview extended");
  await modal.locator("[data-apply-many]").click(soon);
  await became("was not extended", (list) => list.find((g) => g.id === walked.id).until > walked.until);

  await page.goto(`${base}/guests`);
  await page.locator("[data-import]").click(soon);
  await modal.locator("textarea").fill(`company,email,name,group,channels,until,reason\n${walked.company},a@elsewhere.example,A,${door.key},${door.channels[0].key},2099-01-01,走查\n`, soon);
  await modal.locator("[data-look-file]").click(soon);
  await modal.locator("[data-op=refused]").waitFor(soon).catch(() => wrong("guest: a line of a file was not refused"));

  await page.goto(`${base}/admin/guests/${walked.id}`);
  await page.locator("[data-sees]").first().waitFor(soon).catch(() => wrong("guest: what they see does not show"));
  await page.locator("[data-end]").click(soon);
  await modal.locator(".ant-btn-dangerous").click(soon);
  await became("is not over", (list) => list.find((g) => g.id === walked.id).state === "over");
  await page.context().close();
}

/** chat writes a message, which comes back by the live stream in another window. */
async function chat() {
  const [one, two] = [await open("en", "light", desk), await open("zh-CN", "light", desk)];
  const channel = (await api(one, "/api/v1/channels")).items.find((c) => c.can_post !== false && c.access !== "read").id;
  for (const page of [one, two]) {
    await page.goto(`${base}/chat/${channel}`);
    await page.locator("textarea").first().waitFor(soon);
  }
  const words = `walked ${Date.now()}`;
  await one.locator("textarea").first().fill(words);
  await one.keyboard.press("Enter");
  await two.getByText(words).first().waitFor(soon).catch(() => wrong("chat: the message did not come"));
  for (const page of [one, two]) await page.context().close();
}

const steps = { mapping, freeze, policy, review, drill, guest, chat };
const paths = await tour("en");
await tour("zh-CN");
await narrow(paths);
for (const [name, step] of Object.entries(steps)) await step().catch((e) => wrong(`${name}: ${e.stack}`));
await browser.close();
for (const c of new Set(complaints)) console.error(c);
console.log(`${paths.length} kinds of pages, in both languages and on a phone; ${Object.keys(steps).length} ways that change something; ${new Set(complaints).size} complaints`);
process.exit(complaints.length ? 1 : 0);
