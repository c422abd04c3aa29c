import type { Texts } from "../types";

export const home = {
  title: "首页",
  lead: "一切正常吗？",
  allRight: "没有需要处理的事项。",
  people: "人员",
  frozen: "已冻结",
  holds: "暂缓的批次",
  noHolds: "没有暂缓的批次。",
  holdsWait: (n: number) => `${n} 个批次等待你的决定`,
  sources: "数据源",
  noSources: "尚未连接数据源。",
  lastAudit: "最近变更",
  all: "查看全部",
  atLeast: (n: number) => `${n}+`,
} satisfies Texts["home"];
