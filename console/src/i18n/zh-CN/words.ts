import type { Texts } from "../types";

export const words = {
  status: { pending: "待入职", active: "在职", leave: "休假", notice: "离职交接", terminated: "已离职" },
  frozen: "已冻结",
  suspended: "已暂停",
  absent: "数据源中已不存在",
  role: { owner: "负责人", participant: "参与者", collaborator: "协作者", vendor: "供应商" },
  access: { manage: "可管理", post: "可读写", read: "只读", none: "无权限" },
  affiliation: { employee: "员工", contractor: "合同工", intern: "实习生", vendor: "供应商" },
  source: { scim: "SCIM", ldap: "LDAP", hrfeed: "HR 数据", console: "控制台" },
  freeze: {
    disabled: "数据源中账号已停用",
    deleted: "数据源删除了该记录",
    pending: "尚未入职",
    ended: "已到计划结束日期",
    leave: "休假中",
    security: "被管理员停止",
  },
  reason: {
    rule: (ref: string, version?: number) => `规则 ${ref}${version ? `（策略 v${version}）` : ""}`,
    grant: (ref: string) => `授权${ref ? ` ${ref}` : ""}`,
    approval: (ref: string) => `审批${ref ? ` ${ref}` : ""}`,
    join: () => "自行加入",
    keep: () => "因暂缓而保留",
  },
  since: (when: string) => `始于 ${when}`,
  until: (when: string) => `至 ${when}`,
  people: (n: number) => `${n} 人`,
  channels: (n: number) => `${n} 个频道`,
  none: "无",
  yes: "是",
  no: "否",
} satisfies Texts["words"];
