// Package demo makes up the demo company: Aurora, some two hundred bilingual people in twelve units, and the
// policies they live under. It is data only: the same number of people always gives the same company.
package demo

import (
	_ "embed"
	"fmt"
)

//go:embed policy.yaml
var policy []byte

// Policy is the demo company's policy file.
func Policy() []byte { return policy }

// Employee is one person as the demo HR system or the demo directory knows them.
type Employee struct {
	Number, UserName, GivenName, FamilyName, DisplayName, Email string
	Title, Department, Division, Manager                        string // Manager is a number
	Type, Locale, TimeZone                                      string
}

// Unit is a department of the demo company.
type Unit struct {
	Key, Parent, English, Chinese string
	share                         int // of the people, in percent
	zone                          string
}

// Plant tells whether the unit and its people are known to the LDAP directory and not to HR.
func (u Unit) Plant() bool { return u.Key == "plant" }

// Units lists the twelve units, parents first. The people of the last one, the plant, come from LDAP.
func Units() []Unit {
	return []Unit{
		{"aurora", "", "Aurora", "极光科技", 2, "Asia/Shanghai"},
		{"rnd", "aurora", "R&D", "研发中心", 3, "Asia/Shanghai"},
		{"platform", "rnd", "Platform", "平台研发部", 16, "Asia/Shanghai"},
		{"mobile", "rnd", "Mobile", "移动研发部", 12, "Asia/Shanghai"},
		{"ai", "rnd", "Applied AI", "智能应用部", 10, "Asia/Shanghai"},
		{"sales", "aurora", "Sales", "销售中心", 3, "Europe/Berlin"},
		{"sales-cn", "sales", "Sales China", "中国销售部", 12, "Asia/Shanghai"},
		{"sales-eu", "sales", "Sales Europe", "欧洲销售部", 12, "Europe/Berlin"},
		{"finance", "aurora", "Finance", "财务部", 7, "Asia/Shanghai"},
		{"hr", "aurora", "People", "人力资源部", 6, "Asia/Shanghai"},
		{"it", "aurora", "IT", "信息技术部", 7, "Asia/Shanghai"},
		{"plant", "aurora", "Suzhou Plant", "苏州工厂", 10, "Asia/Shanghai"},
	}
}

var (
	families = []string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "罗"}
	givens   = []string{"伟", "芳", "娜", "敏", "静", "磊", "洋", "艳", "勇", "杰", "娟", "涛", "明", "超", "秀英", "晓东", "雨桐", "子轩", "欣怡", "浩然", "佳宁", "思远"}
	pinyin   = map[string]string{"王": "wang", "李": "li", "张": "zhang", "刘": "liu", "陈": "chen", "杨": "yang", "赵": "zhao", "黄": "huang", "周": "zhou", "吴": "wu",
		"徐": "xu", "孙": "sun", "胡": "hu", "朱": "zhu", "高": "gao", "林": "lin", "何": "he", "郭": "guo", "马": "ma", "罗": "luo",
		"伟": "wei", "芳": "fang", "娜": "na", "敏": "min", "静": "jing", "磊": "lei", "洋": "yang", "艳": "yan", "勇": "yong", "杰": "jie", "娟": "juan", "涛": "tao", "明": "ming",
		"超": "chao", "秀英": "xiuying", "晓东": "xiaodong", "雨桐": "yutong", "子轩": "zixuan", "欣怡": "xinyi", "浩然": "haoran", "佳宁": "jianing", "思远": "siyuan"}
	firsts = []string{"Anna", "Lukas", "Marie", "Jonas", "Sofia", "Noah", "Emma", "Liam", "Elena", "Oskar", "Nina", "Paul", "Ines", "Hugo", "Clara", "Felix"}
	lasts  = []string{"Müller", "Schmidt", "Novak", "Rossi", "Dubois", "García", "Kowalski", "Jensen", "Virtanen", "Silva", "Bauer", "Moreau", "Keller", "Lindqvist"}
	grades = []string{"Engineer", "Senior Engineer", "Specialist", "Analyst", "Senior Analyst", "Coordinator"}
)

// People makes n people (at least 24), managers first. Those of the plant are the last tenth.
func People(n int) []Employee {
	n = max(n, 24)
	var out []Employee
	taken := map[string]int{}
	root := ""
	heads := map[string]string{}
	units := Units()
	left := n
	for i, u := range units {
		size := max(n*u.share/100, 1)
		if i == len(units)-1 {
			size = left
		}
		left -= size
		for k := range size {
			e := makeup(len(out)+1, u, taken)
			switch {
			case root == "":
				e.Title, root = "Chief Executive", e.Number
			case k == 0:
				e.Title = "Director, " + u.English
				if e.Manager = heads[u.Parent]; e.Manager == "" {
					e.Manager = root
				}
			default:
				e.Manager = heads[u.Key]
			}
			if k == 0 {
				heads[u.Key] = e.Number
			}
			out = append(out, e)
		}
	}
	return out
}

func makeup(number int, u Unit, taken map[string]int) Employee {
	e := Employee{Number: fmt.Sprintf("A%05d", number), Department: u.English, Division: division(u), Type: "employee", TimeZone: u.zone, Title: grades[number%len(grades)]}
	handle := ""
	if u.zone == "Europe/Berlin" {
		e.GivenName, e.FamilyName, e.Locale = firsts[(number*7)%len(firsts)], lasts[(number*5)%len(lasts)], "en"
		e.DisplayName = e.GivenName + " " + e.FamilyName
		handle = plain(e.GivenName) + "." + plain(e.FamilyName)
	} else {
		e.FamilyName, e.GivenName, e.Locale = families[(number*7)%len(families)], givens[(number*13)%len(givens)], "zh-CN"
		e.DisplayName = e.FamilyName + e.GivenName
		handle = pinyin[e.GivenName] + "." + pinyin[e.FamilyName]
	}
	if taken[handle]++; taken[handle] > 1 {
		handle = fmt.Sprint(handle, taken[handle])
	}
	if number%19 == 0 {
		e.Type = "contractor"
	}
	e.UserName, e.Email = handle, handle+"@aurora.example"
	return e
}

func division(u Unit) string {
	if u.Parent == "" || u.Parent == "aurora" {
		return u.English
	}
	for _, parent := range Units() {
		if parent.Key == u.Parent {
			return parent.English
		}
	}
	return u.English
}

var ascii = map[rune]string{'ü': "ue", 'í': "i", 'é': "e", 'ö': "oe"}

// plain is name in lower-case ASCII letters, for a handle.
func plain(name string) string {
	out := ""
	for _, r := range name {
		switch {
		case ascii[r] != "":
			out += ascii[r]
		case r >= 'A' && r <= 'Z':
			out += string(r + 'a' - 'A')
		case r >= 'a' && r <= 'z':
			out += string(r)
		}
	}
	return out
}
