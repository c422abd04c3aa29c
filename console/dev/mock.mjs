// A stand-in for the server, with made-up people and in memory only: node dev/mock.mjs [port]. Serves the built app under the
// same policy as console.go. POST /mock/say|gone|revoke {channel} makes things happen; ?as=nobody at sign-in refuses.
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import * as co from "./company.mjs";
import { directoryRoutes, sourceRoutes } from "./sources.mjs";

const port = Number(process.argv[2] ?? 8480);
const dist = new URL("../dist/", import.meta.url).pathname;
const me = co.people[1];
let signedIn = true;
const gone = new Set();
const read = new Map();
const sockets = new Set();

const problem = (status, code, detail) => ({ status, body: { title: code, status, code, detail, request_id: "req_01k3vmock" } });
const ok = (body) => ({ status: 200, body });
const page = (items, q) => {
  const limit = Number(q.get("limit") ?? 50);
  const from = Number(q.get("cursor") ?? 0);
  return ok({ items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : undefined, total: items.length });
};
// The real server refuses parameters that it does not know.
const unpaged = (items, q) => (q.size ? problem(422, "invalid", "validation failed") : ok({ items }));
const groupOf = (channel) => co.groups.find((g) => g.channels.some((c) => c.id === channel));
const mine = () => co.membershipsOf(me).flatMap((m) => co.groups.find((g) => g.id === m.group.id).channels.map((c) => [c, m])).filter(([c]) => !gone.has(c.id));
const send = (frame) => sockets.forEach((s) => writeFrame(s, JSON.stringify(frame)));

function say(channel, author, kind, text, more) {
  const log = co.logs.get(channel);
  const m = co.message(channel, log.length + 1, [author, kind === "code" ? "code" : "text", kind === "code" ? 0 : text], new Date().toISOString(), more);
  if (kind === "code") Object.assign(m, { text, html: undefined });
  log.push(m);
  if (!gone.has(channel)) send({ op: "event", channel, seq: m.seq, type: "message.created", at: m.at, message: m });
  return m;
}

const routes = [
  ["GET", /^\/me$/, () => ok({ person: { id: me.id, display_name: me.display_name, email: me.email, locale: "en" }, admin: true })],
  ["GET", /^\/people$/, (_, q) => page(co.people.filter((p) => (!q.get("q") || `${p.display_name} ${p.email}`.toLowerCase().includes(q.get("q").toLowerCase())) && (!q.get("frozen") || p.frozen) && (!q.get("status") || p.status === q.get("status")) && (!q.get("unit") || p.unit.id === q.get("unit"))), q)],
  ["GET", /^\/people\/(\w+)$/, ([id]) => (co.people.some((p) => p.id === id) ? ok(co.personPage(co.people.find((p) => p.id === id))) : problem(404, "not_found", "there is no such person"))],
  ["GET", /^\/people\/(\w+)\/memberships$/, ([id], q) => page(co.membershipsOf(co.people.find((p) => p.id === id)), q)],
  ["POST", /^\/people\/(\w+)\/(un)?freeze$/, ([id, un]) => ((co.people.find((p) => p.id === id).frozen = !un), ok({}))],
  ["GET", /^\/set-aside$/, (_, q) => unpaged([], q)],
  ["GET", /^\/units$/, (_, q) => unpaged(co.units, q)],
  ["GET", /^\/units\/successions$/, (_, q) => unpaged([], q)],
  ["GET", /^\/sources$/, (_, q) => unpaged(co.sources, q)],
  ...directoryRoutes({ ok, problem }),
  ...sourceRoutes({ ok, page, problem }),
  ["GET", /^\/groups$/, (_, q) => page(co.groups, q)],
  ["GET", /^\/memberships$/, (_, q) => page(co.membersOf(co.groups.find((g) => g.id === q.get("group"))), q)],
  ["GET", /^\/access\/explain$/, (_, q) => ok(co.explain(co.people.find((p) => p.id === q.get("person")), q.get("channel")))],
  ["GET", /^\/access\/channels\/(\w+)\/audience$/, ([id], q) => page(co.membersOf(groupOf(id)).map(({ person, role, since, suspended, reasons }) => ({ person, role, since, suspended, reasons })), q)],
  ["GET", /^\/policies$/, (_, q) => page(co.policies, q)],
  ["GET", /^\/policies\/(\d+)$/, ([v]) => ok({ ...co.policies.find((p) => p.version === Number(v)), source: [{ name: "policy.yaml", source: co.policyText }] })],
  ["GET", /^\/plans$/, (_, q) => page([], q)],
  ["GET", /^\/plans\/(\w+)$/, (_, q) => { const all = plan("groups:"); return ok({ ...all.body, changes: all.body.changes.filter((c) => !q.get("op") || c.op === q.get("op")) }); }],
  ["POST", /^\/plans$/, (_, __, body) => plan(body.files[0].source)],
  ["POST", /^\/plans\/(\w+)\/apply$/, (_, __, body) => (body.confirm ? ok({}) : problem(409, "held", "the guard holds this plan: 12 removals, the limit is 10"))],
  ["GET", /^\/holds$/, (_, q) => page(co.holds, q)],
  ["POST", /^\/holds\/(\w+)\/(release|reject)$/, ([id, what]) => (Object.assign(co.holds.find((h) => h.id === id), { state: what === "release" ? "released" : "rejected", decided_at: new Date().toISOString() }), ok({}))],
  ["GET", /^\/audit$/, (_, q) => page(co.audit, q)],
  ["GET", /^\/channels$/, (_, q) => page(mine().map(([c, m]) => channelOf(c, m)), q)],
  ["GET", /^\/channels\/(\w+)\/messages$/, ([id], q) => history(id, q)],
  ["POST", /^\/channels\/(\w+)\/messages$/, ([id], _, b) => (gone.has(id) ? problem(404, "not_found", "no such channel") : b.text === "fail" ? problem(503, "unavailable", "the database cannot be reached") : ok(say(id, 1, b.kind, b.text, { client_id: b.client_id, language: b.language })))],
  ["POST", /^\/channels\/(\w+)\/read$/, ([id], _, b) => (read.set(id, Math.max(b.seq, read.get(id) ?? 0)), { status: 204 })],
];

function channelOf(c, m) {
  const last = co.logs.get(c.id).length;
  const seen = read.get(c.id) ?? (c.id === "chn_apollo_general" ? last - 3 : c.id === "chn_hermes_launch" || c.id === "chn_company_lunch" ? last - 4 : last);
  return { id: c.id, key: c.key, name: c.name, group: m.group, labels: c.labels, role: m.role, can_post: c.access[m.role] !== "read", unread: last - seen, last_seq: last, read_seq: seen };
}

function history(id, q) {
  if (gone.has(id)) return problem(404, "not_found", "there is no such channel");
  const limit = Number(q.get("limit") ?? 50);
  const log = co.logs.get(id).filter((m) => (!q.get("before") || m.seq < Number(q.get("before"))) && (!q.get("after") || m.seq > Number(q.get("after"))));
  const items = q.get("after") ? log.slice(0, limit) : log.slice(-limit);
  return ok({ items, next: items.length < log.length ? String(q.get("after") ? items.at(-1).seq : items[0].seq) : undefined });
}

function plan(source) {
  if (!source.includes("groups:")) return problem(422, "policy_syntax", "policy.yaml:3:5: unknown key \"grups\"; did you mean \"groups\"?");
  const change = (op, i, role, from_role) => ({ op, person: co.people[i].id, person_name: co.people[i].display_name, group: "apollo", role, from_role, cause: "policy" });
  return ok({ id: "pln_1", hash: "sha256:9f2c", summary: { added: 5, removed: 12, changed: 2 }, verdict: { held: true, reasons: ["12 removals in 24 hours; the limit is 10"] }, shapes: [{ op: "add", group: "apollo", channel: "suppliers" }, { op: "change", group: "factory", fields: ["names"] }], changes: [...[3, 8, 14, 15, 16].map((i) => change("add", i, "participant")), ...Array.from({ length: 12 }, (_, i) => change("remove", 22 + i, "participant")), change("role", 4, "owner", "participant"), change("role", 7, "collaborator", "participant")] });
}

function writeFrame(socket, text) {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
  socket.write(Buffer.concat([head, payload]));
}

function serveFile(url, response) {
  const headers = { "X-Content-Type-Options": "nosniff" };
  const file = join(dist, url.pathname);
  if (url.pathname !== "/" && extname(url.pathname) && file.startsWith(dist) && existsSync(file)) {
    const types = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
    response.writeHead(200, { ...headers, "Content-Type": types[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
    return;
  }
  const nonce = randomBytes(16).toString("base64").replace(/=+$/, "");
  const policy = `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
  response.writeHead(200, { ...headers, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy }).end(readFileSync(join(dist, "index.html"), "utf8").replaceAll("__CSP_NONCE__", nonce));
}

const happenings = {
  say: ({ channel, text = "刚刚部署完成，一切正常。" }) => say(channel, 3, "text", text),
  gone: ({ channel }) => (gone.add(channel), send({ op: "channel.gone", channel })),
  revoke: () => ((signedIn = false), sockets.forEach((s) => s.destroy())),
  drop: () => sockets.forEach((s) => s.destroy()),
  reset: () => ((signedIn = true), gone.clear(), read.clear()),
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  let raw = "";
  for await (const chunk of request) raw += chunk;
  const body = raw && request.headers["content-type"] === "application/json" ? JSON.parse(raw) : {};
  const answer = ({ status, body: b }) => response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" }).end(status === 204 ? undefined : JSON.stringify(b));
  if (url.pathname.startsWith("/mock/")) return happenings[url.pathname.slice(6)](body), answer(ok({}));
  if (url.pathname === "/auth/login") {
    signedIn = true;
    return response.writeHead(302, { Location: url.searchParams.get("return_to") ?? "/" }).end();
  }
  if (url.pathname === "/auth/methods") return answer(ok({ oidc: true, password: false }));
  if (url.pathname === "/auth/logout") return (signedIn = false), answer({ status: 204 });
  if (!url.pathname.startsWith("/api/v1/")) return serveFile(url, response);
  if (!signedIn) return answer(problem(401, "person_frozen", "this person has no access now"));
  const path = url.pathname.slice(7);
  for (const [method, pattern, fn] of routes) {
    const found = method === request.method && pattern.exec(path);
    if (found) return answer(fn(found.slice(1), url.searchParams, body));
  }
  return answer(problem(404, "not_found", "there is no such path"));
});
server.on("upgrade", (request, socket) => {
  if (!signedIn) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  const key = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket)).on("error", () => {}).on("data", () => {});
});
server.listen(port, "127.0.0.1", () => console.log(`mock at http://127.0.0.1:${port}`));
