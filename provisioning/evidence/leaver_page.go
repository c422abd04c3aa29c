package evidence

import (
	"io"
	"strconv"
	"strings"
	"time"
)

func count(n int) string { return strconv.Itoa(n) }

// writeLeaver writes the record of a leaver as a page.
func writeLeaver(w io.Writer, lang Lang, d *Document, l *Leaver) error {
	p := NewPage(w, lang, "Record of a leaver", "离职证据记录")
	p.Facts([3]string{"Person", "人员", l.Person.DisplayName}, [3]string{"Employee number", "工号", l.Person.EmployeeNumber},
		[3]string{"User name", "用户名", l.Person.UserName}, [3]string{"Id", "标识", string(l.Person.ID)})
	g := l.Leaving
	p.Section("From the source's instant to the fence", "从来源时刻到生效")
	said := map[string][2]string{SaidEnd: {"the end of the employment", "雇佣结束时间"}, SaidEffective: {"the instant of the termination", "终止生效时刻"}, SaidCall: {"none named: the call's own", "来源未指明，取调用时刻"}}[g.SourceSaid]
	p.Facts([3]string{"Source", "来源", strings.TrimSpace(g.Source.Name + " " + p.Word(Sources, string(g.Source.Kind)))}, [3]string{"By", "操作者", p.Name(l.Names, g.Actor)},
		[3]string{"Cause", "原因类别", p.Word(Freezing, string(g.Cause))}, [3]string{"Call", "调用", string(g.Request)},
		[3]string{"Source's instant", "来源时刻", Moment(g.SourceAt) + " (" + p.Say(said[0], said[1]) + ")"}, [3]string{"Call arrived", "调用到达", Moment(g.ArrivedAt)},
		[3]string{"Recorded", "写入", Moment(g.RecordedAt)}, [3]string{"In force everywhere", "全面生效", orSay(p, Moment(g.FencedAt), "not noted", "未记录")},
		[3]string{"Known by", "依据", p.Word(Fencing, string(g.FencedBy))}, [3]string{"From arrival to force", "到达至生效", measured(g.FencedAt, g.DelayUS)},
		[3]string{"Entered late by", "迟录", measured(g.FencedAt, g.LateUS)}, [3]string{"Access again", "恢复访问", Moment(g.OverAt)}, [3]string{"Veto", "否决恢复", yes(p, g.Veto)})
	p.Section("Freezes", "冻结")
	p.Table([2]string{"Cause", "原因"}, [2]string{"Since", "起"}, [2]string{"In force everywhere", "全面生效"}, [2]string{"Lifted", "解除"}, [2]string{"Contested by a source", "来源异议"}, [2]string{"Freeze", "标识"})
	for _, f := range l.Freezes {
		p.Row(p.Word(Freezing, string(f.Cause)), Moment(later(f.From, f.CreatedAt)), Moment(f.FencedAt), Moment(f.LiftedAt), Moment(f.ContestedAt), string(f.ID))
	}
	p.Close()
	p.Section("Sessions and tokens that ended: "+count(len(l.Sessions)+len(l.Tokens)), "已结束的会话与令牌："+count(len(l.Sessions)+len(l.Tokens)))
	p.Table([2]string{"Session or token", "会话或令牌"}, [2]string{"Begun", "开始"}, [2]string{"Last used", "最后使用"}, [2]string{"Ended", "结束"}, [2]string{"Cause", "原因"})
	for _, e := range append(append([]Ended{}, l.Sessions...), l.Tokens...) {
		p.Row(e.ID, Moment(e.CreatedAt), Moment(e.LastAt), Moment(e.EndedAt), p.Word(Ends, e.Cause))
	}
	p.Close()
	p.Section("Memberships: "+count(len(l.Memberships)), "成员资格："+count(len(l.Memberships)))
	p.Table([2]string{"Project group", "项目组"}, [2]string{"Role", "角色"}, [2]string{"Since", "起"}, [2]string{"Ended", "结束"}, [2]string{"Cause", "原因"})
	for _, m := range l.Memberships {
		ended := Moment(m.EndedAt)
		if m.Suspended {
			ended = p.Say("suspended behind the freeze", "冻结期间挂起")
		}
		p.Row(p.of(m.Names, m.Group), p.Word(Roles, m.Role), Moment(m.Since), ended, p.Word(Taken, m.Cause))
	}
	p.Close()
	p.Section("Handover", "交接")
	p.Table([2]string{"Thing", "事项"}, [2]string{"To", "接手人"}, [2]string{"Found by", "依据"}, [2]string{"State", "状态"}, [2]string{"Opened", "发起"}, [2]string{"Closed", "结束"})
	for _, h := range l.Handover {
		p.Row(p.Word(States, h.Kind)+" "+p.Name(l.Names, h.Thing), p.Name(l.Names, string(h.To)), p.Word(Found, h.Why), p.Word(States, string(h.State)), Moment(h.OpenedAt), Moment(h.ClosedAt))
	}
	p.Close()
	writeAccessed(p, l.Accessed)
	p.Section("Audit log", "审计日志")
	p.Table([2]string{"No.", "序号"}, [2]string{"Instant", "时间"}, [2]string{"Action", "动作"}, [2]string{"By", "操作者"}, [2]string{"About", "对象"})
	for _, a := range l.Acts {
		p.Row(strconv.FormatInt(a.Seq, 10), Moment(a.At), p.Word(Actions, a.Action), p.Name(l.Names, a.Actor), p.Name(l.Names, a.Subject))
	}
	p.Close()
	p.Section("What this cannot know", "本记录的局限")
	for _, limit := range l.Limits {
		p.Note(limit, limitsZH(limit))
	}
	p.Seal(d, l.Names)
	return p.End()
}

// of says the name that stands with a thing, in the page's language; else what it is known by.
func (p *Page) of(names map[string]string, known string) string {
	return p.Name(Names{known: names}, known)
}

func writeAccessed(p *Page, a *Accessed) {
	if a == nil {
		return
	}
	p.Section("What was open after the end, until it was entered", "结束后至录入前可访问的内容")
	p.Facts([3]string{"Since", "起", Moment(a.Since)}, [3]string{"Sessions and tokens used", "使用过的会话与令牌", count(len(a.Uses))}, [3]string{"Acts of the person", "本人操作", count(len(a.Acts))})
	p.Table([2]string{"Channel", "频道"}, [2]string{"Project group", "项目组"}, [2]string{"Role", "角色"}, [2]string{"Read position moved", "阅读位置移动"}, [2]string{"Messages written", "发出消息"})
	for _, c := range a.Channels {
		p.Row(p.of(c.Names, string(c.ID)), c.Group, p.Word(Roles, c.Role), Moment(c.ReadAt), count(c.Messages))
	}
	p.Close()
}

func orSay(p *Page, text, en, zh string) string {
	if text == "" {
		return p.Say(en, zh)
	}
	return text
}

func measured(fenced time.Time, us int64) string {
	if fenced.IsZero() || us == 0 {
		return ""
	}
	return span(us)
}

func yes(p *Page, is bool) string {
	if is {
		return p.Say("yes", "是")
	}
	return p.Say("no", "否")
}
