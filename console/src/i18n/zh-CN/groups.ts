import type { Texts } from "../types";

export const groups = {
  title: "项目组",
  lead: "每个项目组都有频道，每位成员都有在此的原因。",
  none: "还没有项目组",
  noneHint: "项目组由策略定义。",
  channels: "频道",
  members: "成员",
  noMembers: "此项目组没有成员。",
  labels: "标签",
  whoSees: "谁能看到",
  role: "角色",
  name: "姓名",
  since: "起始",
  why: "原因",
  plans: "将影响本组的计划",
  plansHint: "尚未生效；不含对人员预告的未来变更。",
  planCounts: (added: number, removed: number, changed: number) => `加入 ${added} 人，离开 ${removed} 人，变更 ${changed} 人`,
  planAt: (at: string) => `将于 ${at} 应用`,
  planOpen: "尚未应用",
  planShow: "涉及的人",
} satisfies Texts["groups"];
