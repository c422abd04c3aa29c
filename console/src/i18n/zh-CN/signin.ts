import type { Texts } from "../types";

export const signin = {
  title: "登录 Rollcall",
  lead: "请使用公司账号登录，Rollcall 不保存任何密码。",
  button: "登录",
  again: "重新登录",
  refused: "登录未成功",
  errors: {
    idp_refused: "身份提供商拒绝了这次登录。",
    person_unknown: "目录中还没有你的账号。如果你是新同事，入职信息录入后即可登录。",
    person_frozen: "你的账号目前没有访问权限。这由目录决定，与登录无关。如有疑问，请联系管理员。",
    identity_conflict: "已有其他账号以此人身份登录，请联系管理员。",
    login_state: "登录耗时过长，或是在另一个窗口开始的，请重新登录。",
    login_issuer: "应答来自另一个身份提供商，请重新登录。",
    login_code: "无法验证此次登录，请重新登录。",
    id_token: "无法验证此次登录，请重新登录。",
    idp_unavailable: "暂时无法连接身份提供商，请稍后再试。",
    internal: "服务器出现问题，请再试一次。",
  },
  other: (code: string) => `登录被拒绝（${code}）。`,
  signedOut: "你已退出登录",
  signedOutLead: "现在可以关闭此窗口。",
  ended: "你的访问已结束",
  endedLead: "你已被登出 Rollcall，此页面加载过的内容已全部清除。",
  endedHint: "如有疑问，请联系管理员。",
  expiredTitle: "会话已结束",
  expiredLead: "会话已过期，或已在别处结束。重新登录后可继续之前的操作。",
} satisfies Texts["signin"];
