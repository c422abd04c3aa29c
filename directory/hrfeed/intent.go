package hrfeed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// action is what a row asks for.
type action string

// The actions. An empty one says how somebody is.
const (
	hire         action = "hire"
	change       action = "change"
	move         action = "move"
	leave        action = "leave"
	comeBack     action = "return"
	terminate    action = "terminate"
	terminateNow action = "terminate_now"
	rescind      action = "rescind"
	remove       action = "delete"
)

// meaning is a thing that a word may mean, with the words for it; the first is its own name.
type meaning[T ~string] struct {
	means T
	words []string
}

// allActions are the actions with the words for them.
func allActions() []meaning[action] {
	return []meaning[action]{
		{"", []string{"", "none", "无"}},
		{hire, []string{"hire", "join", "joiner", "new hire", "onboarding", "rehire", "入职", "新入职", "录用", "入职办理", "再入职", "返聘"}},
		{change, []string{"change", "update", "变更", "修改", "更新", "信息变更"}},
		{move, []string{"move", "mover", "transfer", "promotion", "demotion", "调动", "转岗", "调岗", "转部门", "晋升", "降职", "异动"}},
		{leave, []string{"leave", "leave of absence", "loa", "maternity leave", "paternity leave", "parental leave", "sick leave", "unpaid leave", "休假", "请假", "产假", "陪产假", "育儿假", "病假", "事假", "停薪留职", "长假"}},
		{comeBack, []string{"return", "return from leave", "back from leave", "返岗", "复职", "复岗", "复工", "销假", "休假结束"}},
		{terminate, []string{"terminate", "termination", "leaver", "resign", "resignation", "dismissal", "retirement", "离职", "辞职", "辞退", "解雇", "退休", "终止", "解除合同", "合同终止"}},
		{terminateNow, []string{"terminate_now", "terminate now", "immediate termination", "立即离职", "立即终止", "立即停用"}},
		{rescind, []string{"rescind", "withdraw", "cancel", "撤销", "撤回", "取消"}},
		{remove, []string{"delete", "remove", "删除"}},
	}
}

// byWord answers what each word means: of those that are known, and of own, which stand over them.
func byWord[T ~string](known []meaning[T], own map[string]string) map[string]T {
	out := map[string]T{}
	for _, k := range known {
		for _, w := range k.words {
			out[plainHeading(w)] = k.means
		}
	}
	for word, means := range own {
		out[plainHeading(word)] = T(means)
	}
	return out
}

// wordsFor says which words there are for what, for whoever used another.
func wordsFor[T ~string](known []meaning[T], own map[string]string) string {
	var out []string
	for _, k := range known {
		if k.means == "" {
			continue
		}
		words := slices.Clone(k.words[1:])
		for _, word := range slices.Sorted(maps.Keys(own)) {
			if own[word] == string(k.means) {
				words = append(words, word)
			}
		}
		text := string(k.means)
		if len(words) > 0 {
			text += " (" + strings.Join(words, ", ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// checkWords says what is wrong with the words of a mapping.
func checkWords[T ~string](name string, own map[string]string, known []meaning[T]) (wrong []string) {
	for _, word := range slices.Sorted(maps.Keys(own)) {
		var names []string
		for _, k := range known {
			if k.means != "" {
				names = append(names, string(k.means))
			}
		}
		if !slices.Contains(names, own[word]) {
			wrong = append(wrong, fmt.Sprintf("%s.%s: %q is not one of %s", name, word, own[word], strings.Join(names, ", ")))
		}
		if plainHeading(word) == "" {
			wrong = append(wrong, name+": a word is empty")
		}
	}
	return wrong
}

// status of a row, by word.
type status string

const (
	working    status = "active"
	disabled   status = "inactive"
	gone       status = "terminated"
	away       status = "leave"
	notStarted status = "pending"
)

// allStatuses are the statuses with the words for them.
func allStatuses() []meaning[status] {
	return []meaning[status]{
		{working, []string{"active", "employed", "true", "1", "yes", "在职", "在职员工", "正式", "正式员工", "试用", "试用期", "试用期员工", "实习", "实习生", "返聘", "退休返聘", "在岗"}},
		{disabled, []string{"inactive", "disabled", "suspended", "false", "0", "no", "停用", "禁用", "停职"}},
		{gone, []string{"terminated", "left", "resigned", "离职", "离职员工", "已离职", "已辞职", "已退休", "退休", "终止"}},
		{away, []string{"leave", "on leave", "休假", "休假中", "产假", "产假中", "病假", "病假中", "停薪留职", "长假"}},
		{notStarted, []string{"pending", "prehire", "pre-hire", "待入职", "未入职"}},
	}
}

// assign is one attribute that a row names; an empty value clears it.
type assign struct {
	field, value string
}

// intent is what one row says, before it is known of whom.
type intent struct {
	line, row                         int // where it stands; row of JSON only
	key                               string
	action                            action
	status                            status
	effective                         moment
	start, end, leaveFrom, leaveUntil moment
	disclose                          moment   // from when on what the row says of a time to come may be told
	texts                             []assign // in order of columns
	path                              []string // of units
	pathSaid                          bool
	zone                              *time.Location // nil: the row names none
	reason                            string
	numeric                           bool // a spreadsheet kept the key as a number
}

// words are what readers of rows look values up in.
type words struct {
	actions  map[string]action
	statuses map[string]status
}

// reader turns rows into intents.
type reader struct {
	words
	m     Mapping
	c     columns
	kind  Kind
	exact bool // a cell that a row lacks is empty
}

// wrong makes a finding about a cell.
func (r *reader) wrong(at row, i int, code, format string, args ...any) *Finding {
	f := &Finding{Line: at.line, Row: at.n, Code: code, Text: fmt.Sprintf(format, args...)}
	if i >= 0 {
		f.Column, f.Value = cutText(r.c.names[i]), cutText(at.cells[i].text)
	}
	return f
}

// silent tells whether a cell says nothing: in a delta an empty one does, in a full file it says that there is nothing.
func (r *reader) silent(c cell) bool {
	return c.sort == missing || c.sort == text && c.text == "" && r.kind == Delta
}

// read answers what a row says, or what is wrong with it. Notes are about cells that were left out.
func (r *reader) read(at row) (in intent, notes []Finding, wrong *Finding) {
	in.line, in.row = at.line, at.n
	if at.wrong != "" {
		return in, nil, r.wrong(at, -1, "unreadable", "%s", at.wrong)
	}
	if wide := r.c.tooWide(at); wide != "" {
		return in, nil, r.wrong(at, -1, "long_row", "%s", wide)
	}
	if r.isTotal(at) {
		return in, nil, r.wrong(at, -1, "no_name", "it is a line of totals or a remark, and nobody's")
	}
	keyAt := slices.Index(r.c.fields, r.m.key())
	if keyAt < 0 {
		return in, nil, r.wrong(at, -1, "no_key", "it does not say whose row it is")
	}
	at.cells = slices.Clip(at.cells)
	if keyAt >= len(at.cells) || at.cells[keyAt].text == "" && at.cells[keyAt].sort < formula {
		return in, nil, r.wrong(at, -1, "no_key", "it does not say whose row it is: %q is empty", r.c.names[keyAt])
	}
	key, err := readNumber(at.cells[keyAt])
	if err != nil {
		return in, nil, r.wrong(at, keyAt, "bad_key", "%v", err)
	}
	in.key, in.numeric = key, at.cells[keyAt].sort == number
	if !r.exact && r.c.width > len(at.cells) {
		notes = append(notes, Finding{Line: at.line, Key: key, Code: "short_row", Text: "it has fewer columns than the header; what they would say was left as it is"})
	}
	if note := r.unnamed(at); note != nil {
		note.Key = key
		notes = append(notes, *note)
	}
	for i, field := range r.c.fields {
		if field == "" {
			continue
		}
		if i >= len(at.cells) { // of a workbook, which leaves out empty cells: empty; else nothing is known of it
			if !r.exact || r.kind == Delta {
				continue
			}
			at.cells = append(at.cells, make([]cell, i+1-len(at.cells))...)
			at.cells[i].sort = text
		}
		if r.silent(at.cells[i]) {
			continue
		}
		note, wrong := r.field(&in, at, i, field)
		if wrong != nil {
			wrong.Key = key
			return in, nil, wrong
		}
		if note != nil {
			note.Key = key
			notes = append(notes, *note)
		}
	}
	return in, notes, nil
}

// unnamed notes the first cell of a workbook's row that the header has no name for, and that nobody reads.
func (r *reader) unnamed(at row) *Finding {
	if !r.exact {
		return nil
	}
	for i, c := range at.cells {
		if c.text == "" && c.sort <= number || i < len(r.c.names) && r.c.names[i] != "" {
			continue
		}
		return &Finding{Line: at.line, Column: columnName(i), Code: "no_header", Value: cutText(c.text), Text: "the header has no name for this column; what stands there was left out"}
	}
	return nil
}

// columnName is what a workbook calls a column; the first is 0.
func columnName(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return columnName(i/26-1) + string(rune('A'+i%26))
}

// field takes one cell.
func (r *reader) field(in *intent, at row, i int, field string) (note, wrong *Finding) {
	c := at.cells[i]
	for name, to := range map[string]*moment{fStart: &in.start, fEnd: &in.end, fLeaveFrom: &in.leaveFrom, fLeaveUntil: &in.leaveUntil, fEffective: &in.effective, fDisclose: &in.disclose} {
		if field != name {
			continue
		}
		m, err := readDate(c, r.m.DateOrder)
		if err != nil {
			return nil, r.wrong(at, i, "bad_date", "%v", err)
		}
		if !m.said && field != fEffective { // an empty cell of a full file
			m = moment{said: true, clear: true, blank: true}
		}
		*to = m
		return nil, nil
	}
	if c.sort == truth && field != fAction && field != fStatus && !strings.HasPrefix(field, labelPrefix) {
		return r.wrong(at, i, "bad_value", "true and false are no text; it was left as it was"), nil
	}
	var value string
	var err error
	if field == fNumber || field == fManager || field == fExternal {
		value, err = readNumber(c)
	} else {
		value, err = plain(c)
	}
	if err != nil {
		return nil, r.wrong(at, i, "bad_value", "%v", err)
	}
	if value == "-" {
		value = ""
	}
	switch field {
	case fAction:
		a, ok := r.actions[plainHeading(value)]
		if !ok {
			return nil, r.wrong(at, i, "unknown_action", "nobody knows this action; the words are: %s. Say in the mapping, under actions, what it means", wordsFor(allActions(), r.m.Actions))
		}
		in.action = a
	case fStatus:
		s, ok := r.statuses[plainHeading(value)]
		if !ok && value != "" {
			return nil, r.wrong(at, i, "unknown_status", "nobody knows this status; the words are: %s. Say in the mapping, under statuses, what it means", wordsFor(allStatuses(), r.m.Statuses))
		}
		in.status = s
	case fReason:
		in.reason = value
	case fZone:
		if value != "" {
			if in.zone, err = time.LoadLocation(value); err != nil {
				return nil, r.wrong(at, i, "bad_time_zone", "it is no time zone, as Asia/Shanghai is")
			}
		}
		in.texts = append(in.texts, assign{field, value})
	case fEmail:
		if value != "" && (!strings.Contains(value, "@") || strings.ContainsAny(value, " ,;，；")) {
			return r.wrong(at, i, "bad_email", "it is no address; it was left out"), nil
		}
		in.texts = append(in.texts, assign{field, value})
	case fUnitPath:
		in.path, in.pathSaid = nil, true
		for part := range strings.SplitSeq(value, r.m.separator()) {
			if part = trim(part); part != "" {
				in.path = append(in.path, part)
			}
		}
	default:
		in.texts = append(in.texts, assign{field, value})
	}
	if hidden := unseen(value); hidden != "" && field != r.m.key() && field != fManager { // of those see doubtNumbers
		return r.wrong(at, i, "invisible", "it holds %s, which nobody sees; it was taken as it stands", hidden), nil
	}
	return nil, nil
}

// says answers the value that a row names.
func (in intent) says(field string) (string, bool) {
	for _, a := range in.texts {
		if a.field == field {
			return a.value, true
		}
	}
	return "", false
}

// same tells whether two rows say the same.
func (in intent) same(other intent) bool {
	return in.action == other.action && in.status == other.status && in.effective == other.effective && in.start == other.start && in.end == other.end &&
		in.leaveFrom == other.leaveFrom && in.leaveUntil == other.leaveUntil && in.disclose == other.disclose && slices.Equal(in.texts, other.texts) && slices.Equal(in.path, other.path)
}
