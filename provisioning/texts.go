package provisioning

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/policies"
)

// Text is one sentence in the languages of the console.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

func roleText(r policies.Role) Text {
	switch r {
	case policies.Owner:
		return Text{"owner", "负责人"}
	case policies.Participant:
		return Text{"participant", "参与者"}
	case policies.Collaborator:
		return Text{"collaborator", "协作者"}
	case policies.Vendor:
		return Text{"vendor", "供应商"}
	}
	return Text{string(r), string(r)}
}

func dayText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func ruleText(ref string, version int64, role policies.Role, when string) Text {
	t := roleText(role)
	return Text{fmt.Sprintf("Rule %s@%d makes everybody %s for whom: %s", ref, version, t.EN, when),
		fmt.Sprintf("规则 %s@%d 让满足以下条件的人成为%s：%s", ref, version, t.ZH, when)}
}

func missText(ref string, role policies.Role, when string) Text {
	t := roleText(role)
	return Text{fmt.Sprintf("Rule %s would make this person %s, but is not met: %s", ref, t.EN, when),
		fmt.Sprintf("规则 %s 可使此人成为%s，但条件不满足：%s", ref, t.ZH, when)}
}

// thenText says that a rule of a policy that was in force gave nothing then.
func thenText(ref string, version int64, role policies.Role, when string) Text {
	t := roleText(role)
	return Text{fmt.Sprintf("Rule %s of policy %d would have made this person %s, and gave nothing then: %s", ref, version, t.EN, when),
		fmt.Sprintf("当时生效的策略 %d 的规则 %s 可使此人成为%s，但当时未授予任何权限：%s", version, ref, t.ZH, when)}
}

// metText says that a rule is met and gives nothing all the same.
func metText(ref string, role policies.Role) Text {
	t := roleText(role)
	return Text{fmt.Sprintf("Rule %s is met and would make this person %s; something else stands against it", ref, t.EN),
		fmt.Sprintf("规则 %s 已满足，可使此人成为%s，但有其他原因阻止", ref, t.ZH)}
}

func factText(name, value string) Text {
	if value == "" {
		return Text{name + " is empty", name + " 为空"}
	}
	return Text{fmt.Sprintf("%s is %q", name, value), fmt.Sprintf("%s 为“%s”", name, value)}
}

// becameText says by what a person is in a unit that a rule calls by another name.
func becameText(s directory.Succession, by string) Text {
	en := map[directory.SuccessionKind]string{directory.Renumber: "was renumbered to", directory.Split: "was split, also into", directory.Merge: "was merged into"}[s.Kind]
	zh := map[directory.SuccessionKind]string{directory.Renumber: "改编为", directory.Split: "拆分，其一为", directory.Merge: "并入"}[s.Kind]
	since := momentText(s.At)
	return Text{fmt.Sprintf("The unit %q %s %q at %s, declared by %s", s.Old, en, s.New, since, by), fmt.Sprintf("部门“%s”自 %s 起%s“%s”，由 %s 声明", s.Old, since, zh, s.New, by)}
}

func reasonText(r Reason, author string) Text {
	since := dayText(r.CreatedAt)
	switch r.Kind {
	case KindRule:
		if author == "" {
			return Text{fmt.Sprintf("By rule %s@%d since %s", r.Ref, r.Version, since), fmt.Sprintf("依据规则 %s@%d，自 %s", r.Ref, r.Version, since)}
		}
		return Text{fmt.Sprintf("By rule %s@%d since %s; version %d was applied by %s", r.Ref, r.Version, since, r.Version, author),
			fmt.Sprintf("依据规则 %s@%d，自 %s；版本 %d 由 %s 应用", r.Ref, r.Version, since, r.Version, author)}
	case KindKeep:
		return Text{fmt.Sprintf("Kept until %s: the removal was refused or undone (%s)", dayText(r.Until), r.Ref), fmt.Sprintf("保留至 %s：移除已被驳回或撤销（%s）", dayText(r.Until), r.Ref)}
	}
	if r.Kind == KindHandover {
		t := roleText(r.Role)
		from := dayText(r.From)
		return Text{fmt.Sprintf("Moved away at %s: keeps channel %s as %s until %s, for the handover", from, r.Ref, t.EN, dayText(r.Until)),
			fmt.Sprintf("%s 调离：为便于交接，以%s身份保留频道 %s 至 %s", from, t.ZH, r.Ref, dayText(r.Until))}
	}
	if r.Kind == KindGuest {
		return Text{fmt.Sprintf("A guest: let into channel %s on %s, until %s", r.Ref, since, dayText(r.Until)), fmt.Sprintf("访客：%s 获准进入频道 %s，至 %s", since, r.Ref, dayText(r.Until))}
	}
	_, request, _ := strings.Cut(r.Ref, "/")
	t := Text{fmt.Sprintf("By %s %s since %s", r.Kind, r.Ref, since), fmt.Sprintf("依据 %s %s，自 %s", r.Kind, r.Ref, since)}
	switch {
	case r.Kind == KindJoin:
		t = Text{"Joined by themselves on " + since + ", as the group lets them", "符合条件而自行加入，自 " + since}
	case r.lifts():
		t = Text{"A stronger role for some time, approved on " + since + " (" + request + ")", "临时提升角色，" + since + " 获批（" + request + "）"}
	case r.Kind == KindApproval:
		t = Text{"Asked for, approved on " + since + " (" + request + ")", "经申请，" + since + " 获批（" + request + "）"}
	}
	if !r.Until.IsZero() {
		t = Text{t.EN + ", until " + dayText(r.Until), t.ZH + "，至 " + dayText(r.Until)}
	}
	return t
}

func freezeText(f directory.Freeze, by string) Text {
	causes := map[directory.FreezeCause]Text{
		directory.CauseDisabled:   {"the account was disabled", "账号已停用"},
		directory.CauseDeleted:    {"the account was deleted", "账号已删除"},
		directory.CausePending:    {"the person has not started yet", "尚未入职"},
		directory.CauseEnded:      {"the employment has ended", "雇佣已结束"},
		directory.CauseLeave:      {"the person is on leave", "正在休假"},
		directory.CauseSecurity:   {"it was frozen by an administrator", "已被管理员冻结"},
		directory.CauseQuarantine: {"the person may be somebody who is kept out; an administrator decides the work item", "此人可能是已被拒之门外的某人；须由管理员处理待办事项"},
		directory.CauseVeto:       {"the person was terminated at once; no source lifts this", "已被立即解雇；任何来源均不能解除"},
	}
	t := causes[f.Cause]
	switch f.Slot {
	case directory.SlotOfGuests(directory.GuestsOfCompany):
		t = Text{"their company is suspended", "所属公司已暂停"}
	case directory.SlotOfGuests(directory.GuestsAll):
		t = Text{"everybody from outside is kept out", "所有外部人员均被暂停"}
	case directory.SlotOfGuests(directory.GuestItself):
		t = Text{"the guest is suspended", "该访客已暂停"}
	case directory.SlotOfGuests(directory.GuestsTerms):
		t = Text{"the guest has not accepted the terms", "该访客尚未接受条款"}
	}
	if by != "" {
		t = Text{t.EN + " (" + by + ")", t.ZH + "（" + by + "）"}
	}
	since := f.From
	if since.IsZero() {
		since = f.CreatedAt
	}
	t = Text{"All access is frozen since " + dayText(since) + ": " + t.EN, "所有访问自 " + dayText(since) + " 起冻结：" + t.ZH}
	if !f.Until.IsZero() {
		t = Text{t.EN + ", until " + dayText(f.Until), t.ZH + "，至 " + dayText(f.Until)}
	}
	return t
}

// undoneText says that a freeze of a source is set aside, by whom and until when.
func undoneText(f directory.Freeze, source, actor string) Text {
	says := Text{"says the person is inactive", "仍称此人已停用"}
	if f.Cause == directory.CauseDeleted {
		says = Text{"has no record of the person any more", "已没有此人的记录"}
	}
	return Text{fmt.Sprintf("Access was restored by %s until %s although source %s %s; then it is frozen again", actor, dayText(f.From), source, says.EN),
		fmt.Sprintf("%s 已恢复访问至 %s，尽管来源 %s %s；届时将再次冻结", actor, dayText(f.From), source, says.ZH)}
}
