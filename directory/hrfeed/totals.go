package hrfeed

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

var (
	totals  = regexp.MustCompile(`^(合计|总计|小计|共计|总人数|合计人数|total|totals|subtotal|grandtotal|sum|count)[:=]?(共)?[0-9,.]*(人|名|行|people|persons|employees|rows)?$`)
	remarks = regexp.MustCompile(`^(制表|审核|填表|复核|打印|导出)(人|日期|时间)?:`)
)

// isTotal tells whether a row is a line of totals or a remark below a list: its key is such a word, or it has no key and one of its cells is, or what
// stands for a name is nothing else.
func (r *reader) isTotal(at row) bool {
	key := r.cell(at, r.m.key())
	if key != "" {
		name := r.cell(at, fDisplay)
		return saysTotal(key) || saysTotal(name) && plainHeading(name) != "sum" && plainHeading(name) != "count"
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

func saysTotal(text string) bool {
	text = strings.ReplaceAll(strings.ToLower(norm.NFKC.String(text)), " ", "")
	return totals.MatchString(text) || remarks.MatchString(text)
}
