package hrfeed

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A line of totals or a remark below a list is nobody; it does not keep a full file from being whole. A row that has a number and no name, where the file
// has names, makes nobody either.
func TestFooter(t *testing.T) {
	run(t, func(w *world) {
		rep := w.file("a.full.csv", "工号,姓名,部门\n00017,张伟,研发\n00018,李娜,研发\n00019,王芳,市场\n合计,3,\n")
		same(t, "refused", lines(rep.Refused), "5 no_name")
		same(t, "people", fmt.Sprint(rep.Counts.People, rep.Counts.New, rep.Complete), "3 3 true")
		for i, footer := range []string{"Total: 120,,", ",合  计,120", "小计：３,,", "3,总计,", "制表人：李四,,", ",Grand total,3", "共计3人,,", "汇总,7,", "部门合计,7,", "本页小计,7,", "员工总数,7,", "总 数,7,", "在职人数,7,", "审核,李四,", "Headcount,7,", "Number of employees,7,", "Report total,,7"} {
			rep = w.file(fmt.Sprintf("b%d.full.csv", i), "工号,姓名,部门\n00017,张伟,研发\n00018,李娜,研发\n00019,王芳,市场\n"+footer+"\n")
			if got := lines(rep.Refused); got != "5 no_name" || rep.Counts.New != 0 || !rep.Complete {
				t.Errorf("%s: %q, %+v, complete %v", footer, got, rep.Counts, rep.Complete)
			}
			same(t, "delta", lines(w.file(fmt.Sprintf("c%d.delta.csv", i), "工号,姓名,部门\n"+footer+"\n").Refused), "2 no_name")
		}
		// Somebody whose number is a mistake may stand in such a row: then nobody is missing.
		rep = w.file("d.full.csv", "工号,姓名,部门\n00017,张伟,研发\n00018,李娜,研发\n00120,,\n")
		same(t, "refused", lines(rep.Refused), "4 no_name")
		same(t, "complete", fmt.Sprint(rep.Complete, rep.Counts.Absent), "false 0")
		// Who is known needs no name, nor does anybody in a file without names; a name may be a word.
		rep = w.file("e.full.csv", "工号,姓,名,部门\n00017,Sum,,研发\n00018,,,研发\n00019,Total,Mei,市场\n")
		same(t, "refused", lines(rep.Refused), "")
		rep = w.file("f.full.csv", "工号,部门\n00017,研发\n00018,研发\n00019,市场\n00020,市场\n")
		same(t, "new", fmt.Sprint(rep.Counts.New, lines(rep.Refused)), "1")
	})
}

// Words of an action and a status may be said in the mapping; one that nobody knows is refused with those that are.
func TestWords(t *testing.T) {
	run(t, func(w *world) {
		c := w.f.Configs[w.source]
		c.Mapping.Actions = map[string]string{"入职登记": "hire", "Kündigung": "terminate", "离职": "terminate_now"}
		c.Mapping.Statuses = map[string]string{"工伤": "leave"}
		w.f.Configs[w.source] = c
		rep := w.file("a.delta.csv", "工号,姓名,操作,生效日期\n00017,张伟,入职登记,\n00018,李娜,入职,\n00019,王芳,join,\n00020,赵六,入职办理,\n00021,x,飞升,\n")
		same(t, "refused", lines(rep.Refused), "6 unknown_action")
		text := rep.Refused[0].Text
		same(t, "where and which", rep.Refused[0].Column+rep.Refused[0].Value+fmt.Sprint(strings.Contains(text, "hire (join, ") && strings.Contains(text, "入职登记") && strings.Contains(text, "产假")), "操作飞升true")
		rep = w.file("b.delta.csv", "工号,操作,生效日期\n00017,Kündigung,2026-04-30\n00018,产假,2026-03-01\n00019,辞退,2026-05-31\n00020,离职,\n")
		same(t, "refused", lines(rep.Refused), "")
		same(t, "end", w.record("00017").EndAt.IsZero() || w.record("00019").EndAt.IsZero(), false)
		same(t, "leave", w.record("00018").LeaveFrom.IsZero(), false)
		same(t, "its own word", w.record("00020").Active, false)
		rep = w.file("c.delta.csv", "工号,操作,员工状态\n00018,返岗,\n00019,,工伤\n00017,,神游\n")
		same(t, "refused", lines(rep.Refused), "4 unknown_status")
		same(t, "words", strings.Contains(rep.Refused[0].Text, "工伤"), true)
		same(t, "leaves", fmt.Sprint(w.record("00018").LeaveFrom.IsZero(), w.record("00019").LeaveFrom.IsZero()), "true false")
		err := Mapping{Actions: map[string]string{"x": "fly", " ": "hire"}, Statuses: map[string]string{"y": ""}}.Check()
		if !errors.Is(err, ErrMapping) || !strings.Contains(err.Error(), `actions.x: "fly" is not one of hire, change`) || !strings.Contains(err.Error(), "statuses.y") || !strings.Contains(err.Error(), "a word is empty") {
			t.Error(err)
		}
	})
}

// Days in full-width digits and in Chinese numerals are the days they say; what is none is refused.
func TestChineseDays(t *testing.T) {
	for said, want := range map[string]string{
		"２０２６－１１－２３": "2026-11-23", "２０２６／１／５": "2026-01-05", "2026年１１月２３日": "2026-11-23", "２０２６１１２３": "2026-11-23",
		"2026年3月1号": "2026-03-01", "2026.3.1": "2026-03-01", "2026年3月1号 0:00": "2026-03-01", "二〇二六年十一月二十三日": "2026-11-23", "二○二六年一月十日": "2026-01-10", "二零二六年十月三十一日": "2026-10-31", "一九九九年十二月二十号": "1999-12-20",
		"二〇二六年十三月一日": "", "二〇二六年二月三十日": "", "二〇二六年十一月二二日": "", "二六年十一月二日": "", "二〇二六年十十月二日": "", "０３／０４／２０２６": "",
	} {
		m, err := readDate(cell{text: said, sort: text}, "")
		if got := m.at.Format("2006-01-02"); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%s: %s, %v; want %q", said, got, err, want)
		}
	}
	if _, err := readDate(cell{text: "46000", sort: text}, ""); err == nil || !strings.Contains(err.Error(), "save the file as .xlsx") {
		t.Errorf("of text: %v", err)
	}
	if _, err := readDate(cell{text: "46000", sort: number, serial: true}, ""); err == nil || strings.Contains(err.Error(), ".xlsx") {
		t.Errorf("of a workbook: %v", err)
	}
}

// A manager who is said by a name is told; one who may still come is not doubted by their number.
func TestManagerByName(t *testing.T) {
	run(t, func(w *world) {
		c := w.f.Configs[w.source]
		c.Mapping.NumberLength = 5
		w.f.Configs[w.source] = c
		rep := w.file("a.full.csv", "工号,姓名,邮箱地址,直属上级工号\n00017,张伟,zhang@corp.example,李娜\n00018,李娜,li@corp.example,\n00019,王芳,,00018\n00020,x,,00099\n00021,y,,John Smith\n00022,z,,李娜（00018）\n00023,z,,Person 001\n00024,z,,li@corp.example\n00025,z,,00018 李娜\n00026,z,,00018-李娜\n00027,z,,Li Na (00018)\n00028,z,,00777 李娜\n00029,z,,00018/00017 李娜\n")
		same(t, "refused", lines(rep.Refused), "")
		same(t, "notes", lines(rep.Notes), "2 manager_name, 6 manager_name, 8 manager_name, 9 manager_name, 13 manager_name, 14 manager_name")
		for _, key := range []string{"00022", "00025", "00026", "00027"} {
			same(t, "the number beside a name", w.record(key).ManagerKey, "00018")
		}
		same(t, "value", rep.Notes[0].Value, "李娜")
		w.file("b.delta.csv", "工号,操作,直属上级\n00019,变更,李娜\n")
		same(t, "who is known stays", w.record("00019").ManagerKey, "00018")
		same(t, "address", w.record("00017").Emails[0].Value, "zhang@corp.example")
	})
}

// A list that has the manager's name and number in two columns is read by the number, in whatever order they stand.
func TestManagerInTwoColumns(t *testing.T) {
	run(t, func(w *world) {
		for i, c := range [][3]string{{"直属上级,直属上级工号", "李娜,00018", "00018"}, {"直属领导工号,直属领导", "00019,王芳", "00019"}, {"Manager,Manager ID", "李娜,00018", "00018"},
			{"上级（工号）,上级（姓名）", "00019,王芳", "00019"}} {
			rep := w.file(fmt.Sprintf("a%d.full.csv", i), "工号,姓名,"+c[0]+"\n00017,张伟,"+c[1]+"\n00018,李娜,,\n00019,王芳,,\n")
			same(t, c[0], lines(rep.Refused)+lines(rep.Notes), "0 column_twice")
			same(t, c[1], w.record("00017").ManagerKey, c[2])
		}
		if _, err := w.try("b.full.csv", "工号,姓名,上级工号,主管工号\n00017,张伟,00018,00019\n"); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "both manager") {
			t.Errorf("two numbers: %v", err)
		}
	})
}

// A list with a column of mobile numbers and one of others has both; a second one of either, and one beside what the mapping says, is noted and left out.
func TestTwoTelephones(t *testing.T) {
	run(t, func(w *world) {
		rep := w.file("a.full.csv", "工号,姓名,手机,电话,联系电话,办公电话\n00017,张伟,13800138000,010-1,010-2,010-3\n")
		same(t, "notes", lines(rep.Notes), "0 column_twice, 0 column_twice")
		same(t, "which", rep.Notes[0].Column+" "+rep.Notes[1].Column, "联系电话 办公电话")
		same(t, "phones", fmt.Sprint(w.record("00017").Phones), "[{010-1 work true} {13800138000 mobile false}]")
		w.file("b.full.csv", "工号,姓名,手机,电话\n00017,张伟,13800138000,\n")
		same(t, "one is gone", fmt.Sprint(w.record("00017").Phones), "[{13800138000 mobile true}]")

		if err := w.f.save(t.Context(), w.source, Mapping{Columns: map[string]string{"岗位": "title"}}, "adm", ""); err != nil {
			t.Fatal(err)
		}
		rep = w.file("c.full.csv", "工号,姓名,职务,岗位\n00017,张伟,经理,采购\n")
		same(t, "of the mapping", lines(rep.Notes)+" "+rep.Notes[0].Column+" "+w.record("00017").Title, "0 column_twice 职务 采购")
	})
}
