import type { Texts } from "../types";

export const sources = {
  title: "数据源",
  lead: "告诉我们谁在这里工作的系统。每个属性以数字最小的数据源为准。",
  none: "尚未连接数据源",
  noneHint: "在此添加，或使用 `rollcall source add`。",
  priority: "优先级",
  created: "连接于",
  lastSync: "最近消息",
  records: "记录数",
  advisory: "仅补充属性",
  guests: "由内部人员邀请的访客",
  tokenEnds: "令牌即将到期",
  kind: "类型",
  name: "名称",
  state: { ok: "正常", failed: "失败", stale: "长时间无消息", never: "尚无数据" },
} satisfies Texts["sources"];
