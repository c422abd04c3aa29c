package evidence

import "strings"

// Pages say what the documents name by a word. Of each list what is not in it is said as it is.

// say answers the English and the Chinese of a word.
type say map[string][2]string

// topic names a list of words.
type topic string

// The lists of words.
const (
	Roles    topic = "roles"
	Freezing topic = "freezing" // causes of freezes
	Ends     topic = "ends"     // why sessions and tokens ended
	Taken    topic = "taken"    // why memberships ended
	States   topic = "states"   // of handovers
	Found    topic = "found"    // how a successor was found
	Fencing  topic = "fencing"  // how it is known when a freeze was in force
	Changes  topic = "changes"  // attributes that make a move
	Actions  topic = "actions"  // of the audit log
	Reviews  topic = "reviews"  // what a review is of, who reviews, decisions, outcomes
	Sources  topic = "sources"
)

// Word says a word of a list for people; words that belong together with a blank between stay so.
func (p *Page) Word(of topic, what string) string {
	if both, known := words(of)[what]; known {
		return p.Say(both[0], both[1])
	}
	if first, rest, more := strings.Cut(what, " "); more {
		return p.Word(of, first) + " " + p.Word(Roles, rest)
	}
	return what
}

// Words says several words of a list.
func (p *Page) Words(of topic, list []string) string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = p.Word(of, one)
	}
	return strings.Join(out, p.Say(", ", "、"))
}

func words(of topic) say {
	switch of {
	case Roles:
		return say{"owner": {"owner", "负责人"}, "participant": {"participant", "参与者"}, "collaborator": {"collaborator", "协作者"}, "vendor": {"vendor", "供应商"}}
	case Freezing:
		return say{"disabled": {"account disabled", "账号停用"}, "deleted": {"record deleted", "记录删除"}, "ended": {"employment ended", "雇佣结束"}, "veto": {"terminated at once", "立即终止"},
			"pending": {"not started yet", "尚未入职"}, "leave": {"on leave", "休假"}, "security": {"frozen by an administrator", "管理员冻结"}, "quarantine": {"may be somebody kept out", "待核身份"}}
	case Ends:
		return say{"frozen": {"access was frozen", "访问被冻结"}, "ended": {"ended", "被结束"}, "revoked": {"revoked", "被撤销"}, "signed out": {"signed out", "退出登录"},
			"ended by an administrator": {"ended by an administrator", "管理员结束"}, "identity unlinked": {"identity unlinked", "解除身份关联"}}
	case Taken:
		return say{"join": {"a reason appeared", "出现理由"}, "move": {"moved", "调动"}, "cleanup": {"has left", "已离职"}, "absence": {"missed by every source", "各来源均缺失"}, "policy": {"another policy", "策略变更"},
			"expiry": {"ran out", "到期"}, "planned": {"planned", "按计划"}, "release": {"a hold was released", "放行暂缓"}, "undo": {"undone", "撤销"}, "burst": {"many frozen at once", "批量停用"},
			"revoked": {"a grant was taken", "授权被收回"}, "merge": {"linked to another person", "关联到另一人"}}
	case States:
		return say{"waiting": {"waiting for an administrator", "待管理员处理"}, "offered": {"offered", "已请接手"}, "accepted": {"accepted", "已接受"}, "refused": {"refused", "已拒绝"}, "ended": {"ended", "已结束"},
			"group": {"project group", "项目组"}}
	case Found:
		return say{"manager": {"the manager", "上级"}, "person": {"named in the policy", "策略中指定"}, "admin": {"named by an administrator", "管理员指定"}, "member": {"a member as", "项目组成员"}}
	case Fencing:
		return say{"barrier": {"the barrier of the call", "调用的屏障"}, "clock": {"the clock", "时钟"}, "late": {"found in force afterwards", "事后发现已生效"}}
	case Changes:
		return say{"unit": {"unit", "部门"}, "manager": {"manager", "上级"}, "title": {"title", "职务"}, "department": {"department", "部门名称"}, "division": {"division", "事业部"}, "organization": {"organization", "组织"},
			"company": {"company", "公司"}, "cost_center": {"cost center", "成本中心"}, "employee_type": {"type of employment", "用工类型"}}
	case Sources:
		return say{"scim": {"SCIM", "SCIM"}, "ldap": {"LDAP", "LDAP"}, "hrfeed": {"personnel files", "人事文件"}}
	case Reviews:
		return say{"group": {"a project group", "项目组"}, "channel": {"a channel", "频道"}, "reason": {"a kind of reason", "一类理由"}, "outside": {"people from outside", "外部人员"},
			"owner": {"the owner of the group", "项目组负责人"}, "manager": {"the manager", "上级"}, "person": {"somebody named", "指定人员"},
			"keep": {"keep", "保留"}, "remove": {"remove", "移除"}, "silence": {"nobody answered", "未答复"}, "grant": {"granted", "授权"}, "join": {"joined by themselves", "自行加入"}, "approval": {"approved", "审批"},
			"kept": {"kept", "已保留"}, "removed": {"removed", "已移除"}, "finding": {"a finding: a rule gives it", "发现：由规则授予"}, "held": {"the guard holds it", "被护栏保留"}, "gone": {"ended before", "此前已结束"}}
	case Actions:
		return actionWords()
	}
	return nil
}

// actionWords are the actions that the documents of this package cite.
func actionWords() say {
	return say{"person.created": {"person created", "新增人员"}, "person.frozen": {"frozen", "冻结访问"}, "person.unfrozen": {"unfrozen", "解除冻结"}, "person.restored": {"restored", "恢复访问"},
		"person.fenced": {"freeze in force everywhere", "冻结全面生效"}, "person.terminated": {"terminated at once", "立即终止"}, "person.effective": {"a planned day came", "计划日期生效"},
		"person.merged": {"linked to another person", "人员关联到另一人"}, "person.names_forgotten": {"former names hidden", "已隐藏曾用名"}, "person.erased": {"erased", "已抹除个人数据"},
		"record.created": {"record created", "新增记录"}, "record.changed": {"record changed", "记录变更"}, "record.deleted": {"record deleted", "记录删除"}, "record.restored": {"record restored", "记录恢复"},
		"record.linked": {"record linked", "记录关联"}, "record.absent": {"record missing", "记录缺失"}, "record.present": {"record present again", "记录重新出现"}, "record.rekeyed": {"record has another key", "记录更换标识"},
		"veto.contested": {"a source says otherwise", "来源有异议"}, "veto.uncontested": {"no source says otherwise any more", "来源已无异议"}, "session.ended": {"sessions and tokens ended", "会话与令牌结束"},
		"session.opened": {"signed in", "登录"}, "session.refused": {"sign-in refused", "登录被拒绝"}, "run.undone": {"a run was undone", "撤销数据源的改动"},
		"hold.opened": {"held back by the guard", "批次暂缓"}, "hold.released": {"hold released", "放行暂缓"}, "hold.rejected": {"hold rejected", "驳回暂缓"}, "hold.restored": {"hold undone", "撤销暂缓"},
		"hold.listed": {"listed in a burst", "列入批量停用"}, "hold.vanished": {"hold ended by itself", "暂缓自行消除"},
		"membership.added": {"place added", "新增成员资格"}, "membership.changed": {"role changed", "角色变更"}, "membership.removed": {"place removed", "移除成员资格"}, "membership.reasons": {"reasons changed", "资格理由变更"},
		"membership.held": {"removal held", "移除已暂缓"}, "membership.kept": {"place kept", "成员资格保留"},
		"handover.offered": {"handover offered", "交接已提出"}, "handover.waiting": {"handover waits", "交接待处理"}, "handover.accepted": {"handover accepted", "交接已接受"}, "handover.refused": {"handover refused", "交接已拒绝"},
		"handover.ended": {"handover ended", "交接结束"}, "review.begun": {"review begun", "发起访问复核"}, "review.decided": {"decided", "复核决定"}, "review.silence": {"nobody answered", "未答复"},
		"review.reassigned": {"another reviewer", "更换复核人"}, "review.kept": {"kept", "复核后保留"}, "review.removed": {"removed", "复核后移除"}, "review.finding": {"a rule gives it", "规则授予了该资格"},
		"review.held": {"removal held", "复核的移除被保留"}, "review.gone": {"ended before", "复核前已结束"}, "review.closed": {"review closed", "访问复核结束"}}
}

// Names says what ids are called, by language; "" stands for every language.
type Names map[string]map[string]string

// Name says what an id is called in the page's language; the id where nobody knows. What is not a thing of its own, as "system", is said in words.
func (p *Page) Name(names Names, id string) string {
	called := names[id]
	if name := called[string(p.lang)[:2]]; name != "" {
		return name
	}
	for _, language := range []string{"", "en", "zh"} {
		if called[language] != "" {
			return called[language]
		}
	}
	switch id {
	case "system":
		return p.Say("the system", "系统")
	case "anonymous":
		return p.Say("nobody signed in", "未登录")
	case "silence":
		return p.Word(Reviews, id)
	}
	return id
}
