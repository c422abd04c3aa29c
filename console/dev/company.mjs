// A believable company in two languages, for looking at pages without a server. Never part of a build.
import { readFileSync } from "node:fs";

const now = Date.now();
export const before = (minutes) => new Date(now - minutes * 60_000).toISOString();
const days = (n) => before(n * 1440);

const unitRows = [
  ["acme", "", "Acme Robotics", "艾克机器人"],
  ["rnd", "acme", "Research & Development", "研发中心"],
  ["platform", "rnd", "Platform", "平台部"],
  ["vision", "rnd", "Vision", "视觉部"],
  ["motion", "rnd", "Motion control", "运动控制部"],
  ["sales", "acme", "Sales", "销售部"],
  ["sales-east", "sales", "Sales East", "华东销售"],
  ["sales-emea", "sales", "Sales EMEA", "欧洲销售"],
  ["people", "acme", "People & Culture", "人力资源部"],
  ["finance", "acme", "Finance", "财务部"],
  ["ops", "acme", "Operations", "运营部"],
  ["plant", "ops", "Plant Suzhou", "苏州工厂"],
];
export const units = unitRows.map(([key, parent, en, zh]) => ({ id: `unt_${key}`, key, name: en, names: { en, zh }, parent: parent ? `unt_${parent}` : null }));
const unitRef = (key) => {
  const { id, name, names } = units.find((u) => u.key === key);
  return { id, name, names };
};

const rows = [
  ["Lin Wei", "林伟", "rnd", "Head of R&D"],
  ["Amara Okafor", "", "platform", "Staff Engineer"],
  ["Chen Yutong", "陈雨桐", "platform", "Senior Engineer"],
  ["Jonas Brandt", "", "platform", "Engineer"],
  ["Zhao Ming", "赵明", "vision", "Engineering Manager"],
  ["Sofia Rossi", "", "vision", "Research Scientist"],
  ["Wang Jiahao", "王嘉豪", "vision", "Engineer"],
  ["Priya Raman", "", "motion", "Senior Engineer"],
  ["Liu Siyu", "刘思雨", "motion", "Control Engineer"],
  ["Tomás Herrera", "", "sales-emea", "Account Executive"],
  ["Zhou Lan", "周兰", "sales-east", "Regional Manager"],
  ["Emily Carter", "", "people", "People Partner"],
  ["Huang Zihan", "黄子涵", "people", "Recruiter"],
  ["Noor Haddad", "", "finance", "Controller"],
  ["Xu Qiang", "徐强", "plant", "Plant Manager"],
  ["Sun Yue", "孙悦", "plant", "Quality Engineer"],
  ["Marek Nowak", "", "ops", "Logistics Lead"],
  ["Hannah Fischer", "", "vision", "Intern"],
  ["Gao Peng", "高鹏", "platform", "Contractor"],
  ["Ouyang Jingyi", "欧阳静怡", "sales-east", "Account Executive"],
];
const statuses = { 9: "leave", 13: "notice", 17: "pending", 19: "terminated" };
export const people = [];
for (let round = 0; round < 6; round++) {
  rows.forEach(([latin, han, unit, title], i) => {
    const n = round * rows.length + i;
    const display = round === 0 ? han || latin : `${han || latin} ${round + 1}`;
    const user = `${latin.toLowerCase().normalize("NFD").replace(/[^a-z ]/g, "").split(" ").join(".")}${round || ""}`;
    people.push({
      id: `per_${String(n).padStart(3, "0")}`,
      display_name: display,
      given_name: latin.split(" ")[0],
      family_name: latin.split(" ").at(-1),
      user_name: user,
      email: `${user}@acme.example`,
      title,
      department: unitRef(unit).name,
      unit: unitRef(unit),
      status: round < 2 ? (statuses[i] ?? "active") : "active",
      frozen: (round === 0 && i === 6) || (round < 2 && (i === 17 || i === 19)),
      absent: round === 1 && i === 19,
      manager: i === 0 ? null : { id: "per_000", display_name: "林伟" },
      employee_number: `A${10020 + n}`,
      employee_type: title === "Contractor" ? "contractor" : title === "Intern" ? "intern" : "employee",
      cost_center: `CC-${1000 + (n % 12) * 10}`,
      organization: "Acme Robotics",
      locale: han ? "zh-CN" : "en",
      time_zone: han ? "Asia/Shanghai" : "Europe/Berlin",
      labels: {},
      created_at: days(400 - n),
      updated_at: days(n % 30),
    });
  });
}
export const ref = (p) => ({ id: p.id, display_name: p.display_name });

export const sources = [
  { id: "src_entra", name: "entra", kind: "scim", priority: 10, created_at: days(310), synced_at: before(2), records: 118 },
  { id: "src_ldap", name: "openldap", kind: "ldap", priority: 20, created_at: days(305), synced_at: before(38), records: 96 },
  { id: "src_hr", name: "hr", kind: "hrfeed", priority: 5, created_at: days(290), synced_at: before(600), records: 120 },
];

export function personPage(p) {
  const source = (id) => sources.find((s) => s.id === id);
  const stop = p.status === "terminated" ? "deleted" : p.status === "pending" ? "pending" : "security";
  return {
    ...p,
    affiliations: [{ id: `aff_${p.id}`, kind: p.employee_type, unit: p.unit, start_at: p.status === "pending" ? days(-12) : days(420), end_at: p.status === "notice" ? days(-20) : undefined, active: p.status !== "terminated" }],
    freezes: p.frozen
      ? [
          { id: `frz_${p.id}`, cause: stop, slot: stop, source: stop === "security" ? null : { id: "src_entra", name: "entra" }, from: days(1), reason: stop === "security" ? "Laptop reported stolen" : undefined, veto: stop === "security", created_at: days(1) },
          ...(stop === "security" ? [{ id: `frz_${p.id}_d`, cause: "disabled", slot: "disabled.src_entra", source: { id: "src_entra", name: "entra" }, from: before(90), created_at: before(90) }] : []),
        ]
      : [],
    records: [
      { link: `lnk_${p.id}_1`, source: source("src_hr"), external_id: p.employee_number, user_name: p.user_name, active: true, updated_at: days(3) },
      { link: `lnk_${p.id}_2`, source: source("src_entra"), external_id: `aad-${p.id.slice(4)}`, user_name: p.email, active: !p.frozen, updated_at: before(90), deleted_at: p.status === "terminated" ? days(2) : undefined },
      { link: `lnk_${p.id}_3`, source: source("src_ldap"), key: "5f1c2a3e-6f0e-4f2b-9a46-0d6b1e1a77c1", user_name: p.user_name, active: true, updated_at: before(38), absent_since: p.absent ? days(4) : undefined },
    ],
  };
}

const channel = (group, key, en, zh, labels = [], access = {}) => ({ id: `chn_${group}_${key}`, key, name: { en, zh }, labels, access: { owner: "manage", participant: "post", collaborator: "post", vendor: "none", ...access } });
export const groups = [
  { id: "grp_apollo", key: "apollo", name: { en: "Apollo", zh: "阿波罗" }, channels: [channel("apollo", "general", "General", "综合", ["internal"]), channel("apollo", "vision", "Vision stack", "视觉栈"), channel("apollo", "suppliers", "Suppliers", "供应商", ["external"], { vendor: "post" })] },
  { id: "grp_factory", key: "factory", name: { en: "Suzhou factory", zh: "苏州工厂" }, channels: [channel("factory", "shifts", "Shifts", "班次"), channel("factory", "quality", "Quality", "质量")] },
  { id: "grp_company", key: "company", name: { en: "Company", zh: "全公司" }, channels: [channel("company", "news", "News", "公告", ["internal"], { participant: "read", collaborator: "none" }), channel("company", "lunch", "Lunch", "午餐")] },
  { id: "grp_hermes", key: "hermes", name: { en: "Hermes (EMEA launch)", zh: "赫尔墨斯（欧洲上市）" }, channels: [channel("hermes", "launch", "Launch", "上市")] },
];
const inGroup = {
  grp_apollo: (p) => ["unt_platform", "unt_vision", "unt_motion", "unt_rnd"].includes(p.unit.id),
  grp_factory: (p) => ["unt_plant", "unt_ops"].includes(p.unit.id),
  grp_company: () => true,
  grp_hermes: (p) => p.unit.id.startsWith("unt_sales") || p.id === "per_001",
};
const rule = { grp_apollo: "rnd", grp_factory: "plant", grp_company: "everybody", grp_hermes: "sales" };
for (const g of groups) g.members = people.filter((p) => p.status !== "terminated" && inGroup[g.id](p)).length;

function membership(p, g) {
  const lead = /Head|Manager|Lead/.test(p.title) && g.id !== "grp_company";
  const external = p.employee_type === "contractor";
  const reasons = [{ kind: "rule", ref: `${g.key}/${rule[g.id]}`, policy_version: 7 }];
  if (p.id === "per_001" && g.id === "grp_hermes") reasons.splice(0, 1, { kind: "grant", ref: "launch support", until: days(-30), text: { en: "Granted by 林伟 for launch support", zh: "林伟授权：支持上市" } });
  if (lead) reasons.push({ kind: "rule", ref: `${g.key}/leads`, policy_version: 4 });
  return { id: `mem_${p.id}_${g.key}`, person: ref(p), group: { id: g.id, key: g.key, name: g.name }, role: lead ? "owner" : external ? "vendor" : "participant", since: days(30 + (Number(p.id.slice(4)) % 200)), suspended: !!p.frozen, reasons, channels: g.channels.map(({ id, key, name }) => ({ id, key, name })) };
}
export const membershipsOf = (p) => groups.filter((g) => p.status !== "terminated" && inGroup[g.id](p)).map((g) => membership(p, g));
export const membersOf = (g) => people.filter((p) => p.status !== "terminated" && inGroup[g.id](p)).map((p) => membership(p, g));

export function explain(p, channelID) {
  const g = groups.find((x) => x.channels.some((c) => c.id === channelID));
  const member = membershipsOf(p).find((m) => m.group.id === g.id);
  const tuple = (user, relation, object) => ({ kind: "tuple", user, relation, object, text: { en: `${user} ${relation} ${object}`, zh: `${user} ${relation} ${object}` } });
  if (!member) {
    return {
      allowed: false,
      action: "view",
      path: [{ kind: "fact", text: { en: `${p.display_name} belongs to ${p.unit.names.en}`, zh: `${p.display_name} 属于${p.unit.names.zh}` }, source: "entra" }],
      missing: [
        { kind: "rule", text: { en: `Rule ${rule[g.id]} of ${g.name.en} does not match`, zh: `${g.name.zh}的规则 ${rule[g.id]} 不匹配` }, expression: 'within("rnd") && person.status == "active"' },
        { kind: "tuple", text: { en: `No grant to ${g.name.en}`, zh: `没有对${g.name.zh}的授权` }, user: `user:${p.id}`, relation: "participant", object: `project:${g.id}` },
      ],
      index: false,
      openfga: false,
    };
  }
  const path = [
    { kind: "rule", text: { en: `Rule ${rule[g.id]} of ${g.name.en}, policy version 7`, zh: `${g.name.zh}的规则 ${rule[g.id]}，策略版本 7` }, expression: rule[g.id] === "rnd" ? 'within("rnd")' : 'person.status != "terminated"' },
    { kind: "fact", text: { en: `${p.display_name} belongs to ${p.unit.names.en}`, zh: `${p.display_name} 属于${p.unit.names.zh}` }, source: "entra" },
    { kind: "reason", text: { en: `So ${p.display_name} is a ${member.role} of ${g.name.en}`, zh: `因此 ${p.display_name} 是${g.name.zh}的成员` }, since: member.since },
    { ...tuple(`user:${p.id}`, member.role, `project:${g.id}`), since: member.since },
    tuple(`project:${g.id}#${member.role}`, "writer", `channel:${channelID}`),
  ];
  const missing = p.frozen ? [{ kind: "freeze", ref: `frz_${p.id}`, text: { en: "All access is frozen: it was frozen by an administrator", zh: "所有访问已冻结：已被管理员冻结" }, since: days(1) }, tuple(`user:${p.id}`, "subject", "freeze:security")] : [];
  return { allowed: !p.frozen, action: "view", role: member.role, since: member.since, path, missing, index: !p.frozen, openfga: !p.frozen };
}

export const policyText = `apiVersion: rollcall/v1
# Who belongs where. Keys never change; names may.
groups:
  - key: apollo
    name: {en: Apollo, zh: 阿波罗}
    channels:
      - key: general
        name: {en: General, zh: 综合}
        labels: [internal]
        access: {owner: manage, participant: post, collaborator: post, vendor: none}
        default_history: full
      - key: suppliers
        name: {en: Suppliers, zh: 供应商}
        labels: [external]
        access: {vendor: post}
    rules:
      - key: rnd
        role: participant
        when: within("rnd")
      - key: leads
        role: owner
        when: person.title.contains("Manager") && within("rnd")
  - key: factory
    name: {en: Suzhou factory, zh: 苏州工厂}
    channels:
      - key: shifts
        name: {en: Shifts, zh: 班次}
    rules:
      - key: plant
        role: participant
        when: within("ops")
guard: {absence: {people: 10, percent: 2}, cleanup: {people: 10, percent: 5}}
`;
export const policies = [7, 6, 5, 4].map((version) => ({ version, author: "per_000", at: days((8 - version) * 9), hash: `sha256:${version}`, in_force: version === 7 }));

export const holds = [
  { id: "hld_1", cause: "absence", state: "open", created_at: before(140), source: "src_ldap", count: 14, removals: people.slice(20, 34).map((p) => ({ membership: `mem_${p.id}`, person: ref(p), group: { id: "grp_company", key: "company", name: { en: "Company", zh: "全公司" } } })), reason: "14 of 96 people at once; the limit is 10", people: people.slice(20, 34).map(ref) },
  { id: "hld_2", cause: "cleanup", state: "released", created_at: days(20), decided_at: days(19), people: people.slice(50, 62).map(ref) },
];

const actions = ["person.frozen", "membership.added", "person.changed", "record.changed", "source.synced", "policy.applied", "person.created", "membership.removed", "session.started", "record.created"];
export const audit = Array.from({ length: 120 }, (_, i) => {
  const p = people[(i * 7) % people.length];
  const action = actions[i % actions.length];
  const subject = action === "source.synced" ? "src_ldap" : action === "policy.applied" ? "pln_01k3v" : p.id;
  return { seq: 4120 - i, at: before(4 + i * 37), actor: ["src_entra", "system", "per_000", "src_ldap"][i % 4], action, subject, cause: i % 10 === 0 ? "Laptop reported stolen" : undefined, request_id: `req_${4120 - i}`, public: { source: "entra" }, personal: subject === p.id ? { display_name: p.display_name } : undefined };
});

const snippets = JSON.parse(readFileSync(new URL("code.json", import.meta.url), "utf8"));
const talk = [
  [4, "text", "早上好！新的标定流程已经上线，视觉组可以开始验证了。"],
  [5, "text", "Great, I will run the **calibration suite** on both lines. Results by noon."],
  [5, "text", "One thing: the `exposure` default changed from 8 ms to 6 ms, see the [notes](/docs)."],
  [1, "code", 0],
  [2, "text", "这里 `frozen` 先判断，所以后面不会再问 OpenFGA，对吗？"],
  [1, "text", "Right. A frozen person is denied before anything else is looked at:\n\n1. freeze\n2. block\n3. role"],
  [7, "text", "Motion is fine with that. We saw no regressions in last night's run."],
  [8, "code", 1],
  [8, "text", "重试逻辑我改成了指数退避，请帮忙看看。"],
  [0, "text", "> 请帮忙看看\n\n看起来不错，合并吧。"],
  [3, "text", "Deploying to staging now."],
  [3, "code", 2],
];
const paragraph = (text) =>
  text
    .split("\n\n")
    .map((p) => (p.startsWith("> ") ? `<blockquote><p>${p.slice(2)}</p></blockquote>` : /^1\. /.test(p) ? `<ol>${p.split("\n").map((l) => `<li>${l.slice(3)}</li>`).join("")}</ol>` : `<p>${p}</p>`))
    .join("")
    .replace(/\*\*(.+?)\*\*/g, "<strong>$1</strong>")
    .replace(/`(.+?)`/g, "<code>$1</code>")
    .replace(/\[(.+?)\]\((.+?)\)/g, '<a href="$2">$1</a>');
export function message(channelID, seq, [author, kind, body], at, more = {}) {
  const code = kind === "code" ? snippets[body] : null;
  const p = people[author];
  return { id: `msg_${channelID}_${seq}`, channel: channelID, seq, kind, text: code ? code.text : body, language: code?.language, html: code ? code.html : paragraph(body), author: { id: p.id, name: p.display_name }, at, ...more };
}
export const logs = new Map();
groups.forEach((g, gi) =>
  g.channels.forEach((c, ci) => {
    const n = gi === 0 && ci === 0 ? 130 : 6 + gi * 3 + ci;
    logs.set(c.id, Array.from({ length: n }, (_, i) => message(c.id, i + 1, talk[(i + 12 * 20 - n) % talk.length], before((n - i) * (i % 12 === 0 ? 9 : 7) + (i < n - 40 ? 1440 : 0)))));
  }),
);
