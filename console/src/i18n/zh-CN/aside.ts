import type { Texts } from "../types";

export const aside = {
  title: "已搁置",
  lead: "服务器无法处理的内容，搁置后其余照常进行。系统会自行重试，间隔逐渐变长。",
  none: "没有搁置的内容",
  noneHint: "数据源和管理员的改动均已处理。",
  follower: {
    reconcile: "成员资格与频道",
    merged: "被认定为同一人的人员",
    bursts: "集中冻结",
    membership: "频道中的人员进出提示",
    places: "告知人员其成员资格的变化",
    transmitter: "账号变化的对外告知",
    handover: "交接",
    approvals: "申请",
  },
  closed: "在此之前被拒绝一切访问",
  denied: (n: number) => `在处理之前，${n} 人被拒绝一切访问，因为无法确定其权限。`,
  events: (n: number) => (n === 1 ? "1 项变更等待处理" : `${n} 项变更按顺序等待处理`),
  attempts: (n: number) => `已尝试 ${n} 次`,
  since: "始于",
  next: "下次",
  retry: "立即重试",
  retried: "正在重试。",
  home: (n: number, denied: number) => `有 ${n} 项无法处理` + (denied === 0 ? "。" : `；在处理之前，${denied} 人被拒绝一切访问。`),
  personClosed: "有关此人的内容无法处理。在处理之前，此人被拒绝一切访问。",
  personOpen: "有关此人的内容无法处理，但其访问权不取决于此。",
} satisfies Texts["aside"];
