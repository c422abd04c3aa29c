// What the stand-in says about one source: counts, traffic, the last requests with bodies, a connection test.
import * as co from "./company.mjs";

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const root = "/scim/v2";
const find = (id) => co.sources.find((s) => s.id === id);

Object.assign(find("src_entra"), {
  mode: "live",
  correlate: ["employee_number"],
  tokens: [
    { id: "tok_01k3next", name: "2026", scope: "write", created_at: ago(190), last_used_at: ago(2) },
    { id: "tok_01k3main", name: "2025", scope: "write", created_at: ago(400_000), last_used_at: ago(160), expires_at: ago(-9 * 1440) },
    { id: "tok_01k2past", name: "2024", scope: "write", created_at: ago(900_000), last_used_at: ago(400_100), revoked_at: ago(400_000) },
  ],
});

const user = (p) => ({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"], id: `lnk_${p.id}`, userName: p.email, displayName: p.display_name, active: !p.frozen, title: p.title });
const error = (status, scimType, detail) => ({ schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], scimType, detail, status: String(status) });
const patch = (...operations) => ({ schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations: operations });
const seen = Array.from({ length: 70 }, (_, i) => {
  const p = co.people[(i * 5 + 3) % co.people.length];
  const shapes = [
    () => ["GET", "/Users", `filter=userName+eq+%22${encodeURIComponent(p.email)}%22`, 200, null, { totalResults: 1, Resources: [user(p)] }],
    () => ["PATCH", `/Users/lnk_${p.id}`, "", 200, patch({ op: "Replace", path: "title", value: p.title }), user(p)],
    () => ["POST", "/Users", "", 201, { ...user(p), id: undefined, password: "***", favouriteTea: "龙井" }, user(p)],
    () => ["PATCH", "/Groups/dgr_01k3apollo", "", 204, patch({ op: "Add", path: "members", value: [{ value: `lnk_${p.id}` }] }), null],
    () => ["POST", "/Users", "", 409, { ...user(p), id: undefined }, error(409, "uniqueness", "userName already exists")],
    () => ["GET", "/Users", "filter=members+eq", 400, null, error(400, "invalidFilter", "The filter ends where a value is expected.")],
    () => ["PATCH", `/Users/lnk_${p.id}`, "", 200, patch({ op: "Replace", path: "active", value: "False" }), user(p)],
  ];
  const [method, path, query, status, asked, told] = shapes[[0, 1, 0, 3, 0, 6, 2, 0, 4, 0, 3, 1, 5][i % 13]]();
  const body = (b) => ({ text: b ? JSON.stringify(b) : "", bytes: b ? JSON.stringify(b).length : 0 });
  return {
    id: `req_${String(7000 - i)}`, at: ago(i * 1.7), method, path: root + path, query, status, failed: status >= 400, scim_type: told?.scimType, detail: told?.detail, ms: 1.4 + ((i * 7) % 23),
    resource: path.split("/")[2], token: "tok_01k3next", ignored: asked?.favouriteTea ? ["favouriteTea"] : undefined, client: "Microsoft.Azure.ActiveDirectory.SyncFabric", request_body: body(asked), answer_body: body(told),
  };
});

const counts = { records: 118, active: 109, groups: 14, units: 0, pending_members: 2, pending_managers: 1, pending_units: 0 };
const traffic = {
  requests: 1841, failed: 37, limited: 4, strangers: 3, dropped: 0, rate: 50, burst: 100, bodies: true, keep_hours: 24,
  ignored: [{ attribute: "favouriteTea", requests: 61, last_at: ago(8) }, { attribute: "urn:ietf:params:scim:schemas:extension:acme:2.0:User:badge", requests: 12, last_at: ago(700) }],
};

function trial(s, lang) {
  const step = (name, request, expected, got, ok = true, hint = undefined) => ({ name, request, expected, got, ok, ms: 3 + name.length, hint });
  const steps = [
    step("address", "", "an https address", "https://im.corp.example"),
    step("configuration", "GET /ServiceProviderConfig", "200", "200 OK, SCIM"),
    step("unknown_user", "GET /Users?filter=userName eq \"…\"", "200, an empty list", "200 OK, a list of 0"),
    step("groups", "GET /Groups?count=1", "200, a list", "200 OK, a list of 14"),
    step("no_token", "GET /Users?count=1", "401 without a token", "401 Unauthorized"),
    step("patch", "PATCH /Users/connection-test", "404 from the service provider: PATCH arrives", "403 Forbidden, a web page", false, { en: "A proxy or firewall refuses PATCH. SCIM needs GET, POST, PUT, PATCH and DELETE on /scim/.", zh: "代理或防火墙拒绝 PATCH。SCIM 需要在 /scim/ 上允许 GET、POST、PUT、PATCH、DELETE。" }),
  ];
  return { at: ago(0), source: s.name, kind: s.kind, target: "https://im.corp.example/scim/v2", ok: false, steps, text: `Rollcall connection test: source ${s.name} (${lang})` };
}

/** routesOf answers the routes of sources; ok, page and problem make answers. */
export function sourceRoutes({ ok, page, problem }) {
  const detail = (s) => ({ ...s, tokens: s.tokens ?? [], scim_url: s.kind === "scim" ? "http://127.0.0.1:8480/scim/v2" : undefined, counts: s.id === "src_new" ? Object.fromEntries(Object.keys(counts).map((k) => [k, 0])) : counts });
  const wants = (r, q) => (q.get("status") !== "failed" || r.failed) && (!q.get("q") || JSON.stringify(r).toLowerCase().includes(q.get("q").toLowerCase()));
  return [
    ["GET", /^\/sources\/(\w+)$/, ([id]) => (find(id) ? ok(detail(find(id))) : problem(404, "not_found", "there is no such source"))],
    ["POST", /^\/sources$/, (_, __, b) => (co.sources.some((s) => s.name === b.name) ? problem(409, "exists", "name already exists") : (co.sources.push({ id: "src_new", name: b.name, kind: b.kind, priority: b.priority, mode: b.dry_run ? "dry_run" : "live", created_at: ago(0), tokens: [] }), ok(co.sources.at(-1))))],
    ["GET", /^\/sources\/(\w+)\/traffic$/, ([id]) => ok(id === "src_entra" ? traffic : { ...traffic, requests: 0, failed: 0, limited: 0, ignored: [] })],
    ["GET", /^\/sources\/(\w+)\/requests$/, ([id], q) => page(id === "src_entra" ? seen.filter((r) => wants(r, q)) : [], q)],
    ["GET", /^\/sources\/(\w+)\/requests\/(\w+)$/, ([, id]) => ok(seen.find((r) => r.id === id))],
    ["POST", /^\/sources\/(\w+)\/tokens$/, ([id], _, b) => (find(id).tokens.unshift({ id: `tok_${Date.now()}`, name: b.name, scope: b.scope, created_at: ago(0), expires_at: b.expires_at }), ok({ ...find(id).tokens[0], secret: `rcs_${"x".repeat(49)}` }))],
    ["DELETE", /^\/sources\/(\w+)\/tokens\/(\w+)$/, ([id, token]) => ((find(id).tokens.find((t) => t.id === token).revoked_at = ago(0)), { status: 204 })],
    ["POST", /^\/sources\/(\w+)\/test$/, ([id], _, b) => ok(trial(find(id), b.lang))],
    ["POST", /^\/sources\/(\w+)\/sync$/, () => ok({ people: 96, groups: 12, units: 9, written: 0, absent: 0, seconds: 0.4 })],
  ];
}

const run = (minutes, kind, ok, counts, more = {}) => ({ id: `run_${minutes}`, kind, started_at: ago(minutes), ended_at: new Date(Date.now() - minutes * 60_000 + 1840).toISOString(), ok, counts, findings: [], proof: ok ? "page_end person=96 unit=9 group=12" : "", ...more });
const runs = [
  run(3, "live", true, { written: 2 }),
  run(41, "full", true, { person: 96, unit: 9, group: 12, written: 1 }, { findings: [{ severity: "info", code: "manager_unknown", text: "3 people name a manager who is not in the directory" }] }),
  run(160, "full", false, {}, { error: "directory was not read completely: nobody was marked absent: the server cut the answer short", findings: [{ severity: "error", code: "incomplete", text: "the server cut the answer short: lift the account's size and time limits" }] }),
];
const health = {
  src_hr: { state: "ok", follows: "files", verified_at: ago(300), last_run: run(300, "full", true, { rows: 118, new: 3, changed: 9, refused: 2 }), holds: 0 },
  src_entra: { state: "ok", follows: "push", verified_at: ago(2), holds: 1 },
  src_ldap: { state: "failing", follows: "stream", verified_at: ago(23), lag_ms: 84, error: { code: "unreachable", text: "dial ldaps://dc1.corp.example: ldap server cannot be reached: connection refused", failures: 14 }, last_run: runs[0], holds: 1 },
};
for (const s of co.sources) s.health = health[s.id] ?? { state: s.kind === "scim" ? "quiet" : "never", follows: s.kind === "hrfeed" ? "files" : "push", verified_at: s.kind === "scim" ? ago(2000) : undefined, holds: 0 };

const defaults = { display_name: "displayname,cn", user_name: "uid,samaccountname", email: "mail", employee_number: "employeenumber,employeeid", employee_type: "employeetype", title: "title", department: "department,departmentnumber", division: "division", organization: "o,company", company: "", cost_center: "costcenter", given_name: "givenname", family_name: "sn", phone: "telephonenumber", mobile: "mobile", locale: "preferredlanguage", time_zone: "", external_id: "" };
const split = (list) => list.split(",").map((n) => n.trim()).filter((n) => n && n !== "-");
let kept = { mapping: { title: "extensionattribute1,title" }, labels: { site: "l" } };
const versions = [{ version: 1, at: ago(5000), actor: co.people[1].id, file: false, ...kept }];
const mapping = () => ({ fields: Object.entries(defaults).map(([field, list]) => ({ field, from: split(kept.mapping?.[field] ?? list), defaults: split(list), own: kept.mapping?.[field] !== undefined })), labels: Object.entries(kept.labels ?? {}).map(([label, from]) => ({ label, from })), version: versions.length, file: false, versions: [...versions].reverse() });
const entries = co.people.slice(20, 25).map((p, i) => ({ cn: p.display_name, displayname: p.display_name, uid: p.email.split("@")[0], mail: p.email, title: p.title, department: p.department ?? "R&D", employeenumber: `E${2000 + i}`, extensionattribute1: `${p.title} (P${5 + i})`, l: ["Suzhou", "Berlin"][i % 2], objectclass: "inetOrgPerson" }));
const madeOf = (e, m) => [...Object.entries(defaults).map(([field, list]) => [field, split(m?.mapping?.[field] ?? list)]), ...Object.entries(m?.labels ?? {}).map(([label, from]) => [`label.${label}`, [from]])]
  .map(([field, names]) => [field, names.map((n) => n.toLowerCase()).find((n) => e[n])])
  .filter(([, from]) => from)
  .map(([field, from]) => ({ field, value: e[from], from }));
let probed;
const look = () => (probed = {
  at: ago(0), ok: false, ms: 41, capabilities: { vendor: "ad", id_attribute: "objectguid", tls: "TLS 1.3", position: true, paging: true, content_sync: false, sample: { person: 500, unit: 41, group: 212 }, latency_ms: 2.4 },
  findings: [{ severity: "error", code: "no_id", text: "12 of 500 entries (person) show no objectguid: the account may not read it, or id_attribute is wrong" }, { severity: "warning", code: "no_replication_right", text: "the account may not replicate changes: Give it the right \"Replicating Directory Changes\" on DC=corp,DC=example" }],
});
const filesTaken = [
  { run: "run_f2", file: "2026-03.full.csv", kind: "full", origin: "folder", at: ago(300), seconds: 0.8, applied: true, counts: { rows: 118, refused: 2, people: 116, new: 3, changed: 9, ended: 1, deleted: 0, unchanged: 103, absent: 0, units: 1 }, findings: [{ line: 17, column: "入职日期", key: "E0017", code: "bad_date", text: "there is no such day" }, { line: 60, key: "60", code: "lost_zeros", text: "the number has 2 characters, all known ones have 5" }] },
  { run: "run_f1", file: "people.csv", origin: "post", at: ago(1700), seconds: 0.1, applied: false, error: "the file does not say whether it is full or a delta", counts: { rows: 0, refused: 0, people: 0, new: 0, changed: 0, ended: 0, deleted: 0, unchanged: 0, absent: 0, units: 0 }, findings: [] },
];
const report = { run: "run_f3", file: "people.full.csv", kind: "full", format: "csv gb18030", preview: true, mode: "live", at: ago(0), seconds: 0.4, complete: true,
  counts: { rows: 118, refused: 1, people: 117, new: 2, changed: 3, ended: 1, deleted: 0, unchanged: 110, absent: 1, units: 0 }, unknown_columns: ["岗位级别"], notes: [], refused: [{ line: 9, column: "最后工作日", key: "E0009", code: "bad_date", text: "it is no date; write 2026-01-31", value: "下周五" }],
  people: [{ line: 4, key: "E0004", name: co.people[4].display_name, outcome: "changed", fields: [{ field: "title", before: "工程师", now: "高级工程师" }] }, { line: 12, key: "E0012", name: co.people[12].display_name, outcome: "ended", fields: [{ field: "end", before: null, now: ago(0) }] }, { line: 0, key: "E0031", name: co.people[31].display_name, outcome: "absent" }],
  losses: [{ person: co.people[12].id, name: co.people[12].display_name, group: "apollo", role: "participant" }] };

/** directoryRoutes answers the routes of directories that are read and of personnel files. */
export function directoryRoutes({ ok, problem }) {
  return [
    ["GET", /^\/sources\/(\w+)\/runs$/, ([id]) => ok({ items: id === "src_ldap" ? runs : [] })],
    ["GET", /^\/sources\/(\w+)\/ldap$/, () => ok({ connection: { urls: ["ldaps://dc1.corp.example", "ldaps://dc2.corp.example"], security: "ldaps", own_ca: true, bind_dn: "CN=svc-rollcall,OU=Service,DC=corp,DC=example", base: "DC=corp,DC=example", page_size: 500, poll_seconds: 0.25 }, mapping: mapping(), probe: probed })],
    ["POST", /^\/sources\/(\w+)\/probe$/, () => ok(look())],
    ["POST", /^\/sources\/(\w+)\/samples$/, (_, __, b) => ok({ items: entries.filter((e) => !b.name || e.uid === b.name || e.mail === b.name).map((e) => ({ dn: `CN=${e.cn},OU=People,DC=corp,DC=example`, key: e.employeenumber, active: true, attributes: [...Object.entries(e).map(([name, v]) => ({ name, values: [v] })), { name: "unicodepwd", values: [], hidden: true }], made: madeOf(e, kept), proposed: b.mapping ? madeOf(e, b) : undefined })) })],
    ["POST", /^\/sources\/(\w+)\/mapping\/preview$/, (_, __, b) => ok({ people: 96, changed: 41, complete: true, missing: [], foreseen: true, seconds: 1.2, base_version: versions.length, hash: "abc", findings: [{ severity: "warning", code: "emptied", text: "department is lost by 60 of 96 people" }], groups: [{ group: "apollo", added: 4, removed: 2, roles: 0 }], fields: Object.keys(b.mapping ?? { title: "" }).map((field) => ({ field, changed: 41, gained: 3, lost: 8, examples: entries.slice(0, 3).map((e) => ({ person: e.cn, before: e.title, after: e.extensionattribute1 })) })) })],
    ["PUT", /^\/sources\/(\w+)\/mapping$/, (_, __, b) => ((kept = b.file ? { mapping: {}, labels: {} } : { mapping: b.mapping, labels: b.labels }), versions.push({ version: versions.length + 1, at: ago(0), actor: co.people[1].id, file: !!b.file, ...kept }), ok(mapping()))],
    ["GET", /^\/sources\/(\w+)\/feed$/, ([id]) => (find(id)?.kind === "hrfeed" ? ok({ mapping: { time_zone: "Asia/Shanghai" }, saved: { columns: { 级别: "label.grade" } }, saved_at: ago(4000), configured: true, folder: true, hook: `/hooks/${id}`, files: filesTaken }) : problem(409, "not_hrfeed", "the source is of another kind"))],
    ["POST", /^\/sources\/(\w+)\/feed$/, (_, q) => ok({ ...report, preview: q.get("preview") === "true" })],
    ["PUT", /^\/sources\/(\w+)\/feed\/mapping$/, (_, __, b) => ok(b)],
  ];
}
