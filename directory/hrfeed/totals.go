package hrfeed

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

var (
	totals = regexp.MustCompile(`^(\p{Han}{0,8}(合计|总计|小计|共计|汇总|总数|人数)|(grand|sub|report|page|sheet|department|overall)?totals?(employees|people|persons|headcount|staff|rows)?|` +
		`sum|summe|gesamt|count|headcount|numberof(employees|people|persons|staff|rows))[:=]?(共)?[0-9,.]*(人|名|行|people|persons|employees|rows)?$`)
	remarks = regexp.MustCompile(`^(制表|审核|填表|复核|打印|导出|批准|经办)(人|日期|时间)?:`)
	signers = regexp.MustCompile(`^(制表|审核|填表|复核|打印|导出|批准|经办)(人|日期|时间)?$`) // where a number ought to stand, the name behind it
)

// isTotal tells whether a row is a line of totals or a remark below a list: its key is such a word, or it has no key and one of its cells is, or what
// stands for a name is nothing else.
func (r *reader) isTotal(at row) bool {
	key := r.cell(at, r.m.key())
	if key != "" {
		name := r.cell(at, fDisplay)
		return saysTotal(key) || signers.MatchString(folded(key)) || saysTotal(name) && plainHeading(name) != "sum" && plainHeading(name) != "count"
	}
	return slices.ContainsFunc(at.cells, func(c cell) bool { return saysTotal(c.text) })
}

// cell answers what stands in the column of a field; empty where there is none.
func (r *reader) cell(at row, field string) string {
	if i := slices.Index(r.c.fields, field); i >= 0 && i < len(at.cells) {
		return at.cells[i].text
	}
	return ""
}

func folded(text string) string {
	return strings.ReplaceAll(strings.ToLower(norm.NFKC.String(text)), " ", "")
}

func saysTotal(text string) bool {
	text = folded(text)
	return totals.MatchString(text) || remarks.MatchString(text)
}
