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
} satisfies Texts["groups"];
