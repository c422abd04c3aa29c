import type { Texts } from "../types";

export const relink: Texts["relink"] = {
  title: "重新关联人员",
  door: "目录已重新载入，或 id_attribute 已更改？",
  why: "已知人员在目录中有了另一个标识，因此不采用目录中的任何内容。请查看谁是谁；在您确认之前不写入任何内容。",
  hint: "用于重新载入的目录，或改用另一属性标识人员的目录。读取所有人一次，不写入。",
  preview: "查看谁是谁",
  again: "重新查看",
  apply: "重新关联",
  linked: "重新关联",
  same: "标识未变",
  unsure: "不确定",
  fresh: "新人",
  missing: "未找到",
  known: "识别依据：",
  by: { employee_number: "工号", user_name: "登录名", dn: "目录树中的位置（DN）" },
  person: "人员",
  as: "识别依据",
  was: "原标识",
  now: "目录中的标识",
  incomplete: "目录没有读取完整，因此无法关联任何人：",
  nothing: "没有可以重新关联的人。",
  stays: (units: number, groups: number) =>
    `重新关联的人保留其人员、成员资格、冻结和历史，只有标识不同。${units + groups > 0 ? `${units} 个部门和 ${groups} 个组按其在目录树中的位置关联。` : ""}`,
  doubts: "不确定",
  doubtsHint: "这些条目不会关联：它们作为新人进入，可能对应的人在您决定之前视为缺失",
  doubt: {
    several: "不止一人有它的某个名称。",
    contradiction: "它的工号与其可能对应的人不同。",
    taken: "另一条目可能是同一个人。",
  },
  mayBe: "可能是：",
  more: (n: number) => `另有 ${n} 个`,
  confirmTitle: (n: number) => `重新关联 ${n} 人？`,
  confirmText: (unsure: number, missing: number) =>
    `重新关联的人不会失去任何东西。${unsure + missing > 0 ? `${unsure} 个条目作为新人进入，${missing} 人视为缺失：其将失去的成员资格由保护机制把关。` : ""}随后读取全部内容。`,
  done: (n: number) => `已重新关联 ${n} 人；正在读取目录。`,
};
