import type { Texts } from "../types";

export const signin = {
  title: "登录 Rollcall",
  lead: "请使用公司账号登录，Rollcall 不保存任何密码。",
  button: "登录",
  again: "重新登录",
  refused: "登录未成功",
  errors: {
    access_denied: "身份提供商拒绝了这次登录。",
    unknown_person: "目录中还没有你的账号。如果你是新同事，入职信息录入后即可登录。",
    not_linked: "身份提供商认识你的账号，但这里没有与之对应的人员。",
    frozen: "你的访问已被停止。如有疑问，请联系管理员。",
    pending: "你的访问将从入职当天开始。",
    terminated: "你已离职，访问权限随之终止。",
    state: "登录耗时过长，或是在另一个窗口开始的，请重新登录。",
    expired: "登录耗时过长，请重新登录。",
    provider: "暂时无法连接身份提供商，请稍后再试。",
    internal: "服务器出现问题，请再试一次。",
  },
  other: (code: string) => `登录被拒绝（${code}）。`,
  signedOut: "你已退出登录",
  signedOutLead: "现在可以关闭此窗口。",
  ended: "你的访问已结束",
  endedLead: "你已被登出 Rollcall，此页面加载过的内容已全部清除。",
  endedHint: "如有疑问，请联系管理员。",
  expiredTitle: "登录已过期",
  expiredLead: "重新登录后可继续之前的操作。",
} satisfies Texts["signin"];
