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
