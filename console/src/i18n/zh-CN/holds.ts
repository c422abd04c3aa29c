import type { Texts } from "../types";

export const holds = {
  title: "暂缓",
  lead: "被保护机制拦下的批量移除。在你决定之前，没有人会失去任何权限。",
  none: "没有暂缓的批次",
  noneHint: "当数据源或策略将一次移除许多人时，批次会在这里等待。",
  past: "已决定",
  people: (n: number) => `${n} 人将失去成员资格`,
  cause: { absence: "数据源中已找不到", cleanup: "清理离职人员", move: "调动", policy: "策略改动", expiry: "已到期", join: "加入", release: "放行", empty: "项目组将变空" },
  state: { open: "等待中", released: "已放行", rejected: "已驳回", vanished: "已自行消除", pending: "等待中" },
  release: "放行",
  releaseTitle: "执行这些移除？",
  releaseText: (n: number) => `${n} 人将立即失去此批次中的成员资格。`,
  reject: "驳回",
  rejectTitle: "保留这些成员资格？",
  rejectText: "移除将被取消；如果事实不变，它们会再次出现。",
  done: "已决定。",
  show: "显示人员",
  hide: "隐藏人员",
} satisfies Texts["holds"];
