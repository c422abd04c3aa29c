package hrfeed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Mapping says how the columns of a source's files are read. The zero value knows the usual English and Chinese headings.
type Mapping struct {
	// Columns gives the field of a heading: "岗位级别": "label.grade". "-" leaves a column out.
	Columns map[string]string `koanf:"columns" json:"columns,omitempty" doc:"field by heading; - leaves a column out"`
	// Key is the field that says who it is: employee_number, or external_id.
	Key string `koanf:"key" json:"key,omitempty" enum:"employee_number,external_id" doc:"the field that says who somebody is"`
	// NumberLength is how many characters every employee number has; 0: learned from those that are known; -1: any.
	NumberLength int `koanf:"number_length" json:"number_length,omitempty" minimum:"-1" maximum:"64" doc:"how many characters an employee number has; 0: as those that are known; -1: any"`
	// DateOrder says how 03/04/2026 is read: "dmy" or "mdy". Empty: such a date is refused.
	DateOrder string `koanf:"date_order" json:"date_order,omitempty" enum:"dmy,mdy" doc:"how 03/04/2026 is read; empty: it is refused"`
	// Actions and Statuses give what a word of those columns means, beside the words that are known: "产假": "leave".
	Actions  map[string]string `koanf:"actions" json:"actions,omitempty" doc:"action by word"`
	Statuses map[string]string `koanf:"statuses" json:"statuses,omitempty" doc:"status by word"`
	// Sheet is the name of the sheet of a workbook; empty: the first that is not hidden.
	Sheet string `koanf:"sheet" json:"sheet,omitempty"`
	// PathSeparator stands between the units of a unit_path.
	PathSeparator string `koanf:"path_separator" json:"path_separator,omitempty" maxLength:"8" doc:"between the units of a unit_path; / where nothing is said"`
	// TimeZone is where days begin for people of whom nothing nearer is known.
	TimeZone string `koanf:"time_zone" json:"time_zone,omitempty" doc:"where days begin for people of whom nothing nearer is known, as Asia/Shanghai"`
	// TimeZones gives the zone of people whose rows name none, by unit key or company.
	TimeZones map[string]string `koanf:"time_zones" json:"time_zones,omitempty" doc:"zone by unit or company, for rows that name none"`
}

// Fields of a row.
const (
	fNumber, fExternal, fUserName, fDisplay, fGiven, fFamily = "employee_number", "external_id", "user_name", "display_name", "given_name", "family_name"
	fEmail, fPhone, fMobile, fTitle, fDepartment, fDivision  = "email", "phone", "mobile", "title", "department", "division"
	fOrganization, fCompany, fCostCenter, fType              = "organization", "company", "cost_center", "employee_type"
	fUnit, fUnitName, fUnitPath, fManager, fZone, fLocale    = "unit", "unit_name", "unit_path", "manager", "time_zone", "locale"
	fStart, fEnd, fLeaveFrom, fLeaveUntil, fEffective        = "start", "end", "leave_from", "leave_until", "effective"
	fDisclose                                                = "disclose"
	fAction, fStatus, fReason                                = "action", "status", "reason"
	labelPrefix                                              = "label."
)

// headings are the fields with the headings they are known by, beside their own names.
func headings() map[string][]string {
	return map[string][]string{
		fNumber:       {"employee number", "employee id", "employee no", "emp no", "emp id", "staff id", "staff no", "personnel number", "工号", "员工编号", "员工号", "人员编号", "员工工号", "职工号"},
		fExternal:     {"external id", "externalid", "外部编号", "外部id"},
		fUserName:     {"user name", "login", "account", "用户名", "账号", "登录名", "域账号"},
		fDisplay:      {"display name", "name", "full name", "姓名", "员工姓名", "名字", "显示名"},
		fGiven:        {"given name", "first name", "名"},
		fFamily:       {"family name", "last name", "surname", "姓"},
		fEmail:        {"email", "e-mail", "mail", "email address", "work email", "邮箱", "邮箱地址", "电子邮箱", "电子邮箱地址", "工作邮箱", "邮件", "邮件地址", "电子邮件", "电子邮件地址", "公司邮箱"},
		fPhone:        {"phone", "telephone", "phone number", "work phone", "office phone", "联系电话", "电话", "电话号码", "办公电话", "座机", "固定电话"},
		fMobile:       {"mobile", "mobile phone", "mobile number", "cell phone", "手机", "手机号", "手机号码", "移动电话"},
		fTitle:        {"title", "job title", "position", "岗位", "职务", "职位", "岗位名称"},
		fDepartment:   {"department", "dept", "department name", "部门", "部门名称", "所属部门"},
		fDivision:     {"division", "business unit", "事业部", "板块"},
		fOrganization: {"organization", "organisation", "组织", "集团"},
		fCompany:      {"company", "legal entity", "employer", "公司", "公司名称", "法人公司", "合同主体", "所属公司"},
		fCostCenter:   {"cost center", "cost centre", "成本中心"},
		fType:         {"employee type", "employment type", "worker type", "员工类型", "用工类型", "用工性质", "人员类别", "雇佣类型"},
		fUnit:         {"unit", "unit id", "unit code", "department id", "department code", "dept code", "部门编号", "部门编码", "部门代码", "组织编号", "组织编码"},
		fUnitName:     {"unit name", "组织名称"},
		fUnitPath:     {"unit path", "department path", "org path", "部门路径", "组织路径", "部门全路径", "组织全路径"},
		fManager:      {"manager", "manager id", "manager number", "manager employee number", "supervisor id", "reports to", "line manager", "supervisor", "直属上级", "上级", "直接上级", "直属领导", "直接主管", "汇报对象", "直属上级工号", "上级工号", "直接上级工号", "主管工号", "汇报对象工号", "经理工号", "直属领导工号", "直接主管工号", "直属主管工号"},
		fZone:         {"time zone", "timezone", "时区"},
		fLocale:       {"locale", "language", "语言"},
		fStart:        {"start", "start date", "hire date", "date of joining", "入职日期", "入职时间", "到岗日期", "雇佣开始日期", "开始日期"},
		fEnd:          {"end", "end date", "last day", "last working day", "termination date", "contract end", "离职日期", "离职时间", "最后工作日", "合同到期日", "雇佣结束日期"},
		fLeaveFrom:    {"leave from", "leave start", "休假开始", "休假开始日期", "请假开始日期"},
		fLeaveUntil:   {"leave until", "leave end", "leave to", "休假结束", "休假结束日期", "请假结束日期"},
		fEffective:    {"effective", "effective date", "effective from", "valid from", "生效日期", "生效时间"},
		fDisclose:     {"disclose", "disclose from", "disclosure date", "announce from", "announcement date", "公开日期", "公布日期", "可公开日期"},
		fAction:       {"action", "event", "event type", "change type", "操作", "异动类型", "变动类型", "事件", "动作"},
		fStatus:       {"status", "employment status", "employee status", "状态", "员工状态", "在职状态", "人员状态"},
		fReason:       {"reason", "原因", "离职原因"},
	}
}

// plainHeading is what of a heading tells it from others: letters and digits, without a remark in brackets.
func plainHeading(s string) string {
	for _, open := range []string{"(", "（", "[", "【"} {
		if before, _, cut := strings.Cut(s, open); cut && strings.TrimSpace(before) != "" {
			s = before
		}
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// Check answers an ErrMapping that names everything for which m cannot be used.
func (m Mapping) Check() error {
	var wrong []string
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	fields := headings()
	unknown := false
	for _, heading := range slices.Sorted(maps.Keys(m.Columns)) {
		field := m.Columns[heading]
		label, isLabel := strings.CutPrefix(field, labelPrefix)
		if _, ok := fields[field]; !ok && field != "-" && (!isLabel || label == "") {
			fault("columns.%s: %q is no field", heading, field)
			unknown = true
		}
		if plainHeading(heading) == "" {
			fault("columns: a heading is empty")
		}
	}
	if unknown {
		wrong[len(wrong)-1] += "; the fields are " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ") + ", label.NAME and -"
	}
	if m.Key != "" && m.Key != fNumber && m.Key != fExternal {
		fault("key: %q is not one of %s, %s: nobody is known by an address or a name", m.Key, fNumber, fExternal)
	}
	if m.DateOrder != "" && m.DateOrder != "dmy" && m.DateOrder != "mdy" {
		fault("date_order: %q is not one of dmy, mdy", m.DateOrder)
	}
	wrong = append(wrong, checkWords("actions", m.Actions, allActions())...)
	wrong = append(wrong, checkWords("statuses", m.Statuses, allStatuses())...)
	if m.NumberLength < -1 || m.NumberLength > 64 {
		fault("number_length: wants -1 to 64")
	}
	if _, err := time.LoadLocation(m.TimeZone); err != nil {
		fault("time_zone: %q is no time zone, as Asia/Shanghai is", m.TimeZone)
	}
	for _, of := range slices.Sorted(maps.Keys(m.TimeZones)) {
		if _, err := time.LoadLocation(m.TimeZones[of]); err != nil || m.TimeZones[of] == "" {
			fault("time_zones.%s: %q is no time zone, as Asia/Shanghai is", of, m.TimeZones[of])
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrMapping, strings.Join(wrong, "; "))
}

// over answers m with what more says put over it.
func (m Mapping) over(more Mapping) Mapping {
	out := m
	for _, f := range []struct {
		to   *map[string]string
		from map[string]string
	}{{&out.Columns, more.Columns}, {&out.TimeZones, more.TimeZones}, {&out.Actions, more.Actions}, {&out.Statuses, more.Statuses}} {
		if *f.to = maps.Clone(*f.to); *f.to == nil {
			*f.to = map[string]string{}
		}
		maps.Copy(*f.to, f.from)
	}
	for _, f := range []struct {
		to   *string
		from string
	}{{&out.Key, more.Key}, {&out.DateOrder, more.DateOrder}, {&out.Sheet, more.Sheet}, {&out.PathSeparator, more.PathSeparator}, {&out.TimeZone, more.TimeZone}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if more.NumberLength != 0 {
		out.NumberLength = more.NumberLength
	}
	return out
}

func (m Mapping) key() string {
	if m.Key == "" {
		return fNumber
	}
	return m.Key
}

func (m Mapping) separator() string {
	if m.PathSeparator == "" {
		return "/"
	}
	return m.PathSeparator
}

// columns are the fields of a header, by column.
type columns struct {
	fields  []string // empty: left out, or unknown
	names   []string
	unknown []string
	twice   []Finding // columns that are left out beside another one of their field
	width   int       // up to the last field, of files whose rows have all columns; else 0
	most    int       // columns that a row of CSV may have, empty ones too; 0: any
	last    int       // the last that the header names
}

// measure finds out how wide rows are. Separators that end every row are part of none.
func (c *columns) measure(header row, rows []row) {
	last := 0
	for i, name := range c.names {
		if c.fields[i] != "" {
			c.width = i + 1
		}
		if name != "" {
			last = i + 1
		}
	}
	if header.wide == 0 {
		return
	}
	least := 0
	for _, r := range rows {
		if r.wrong == "" && (least == 0 || r.wide < least) {
			least = r.wide
		}
	}
	c.most = max(last, header.wide, least)
	c.last = last
}

// tooWide tells why a row has more than the header names: a separator within a text moves everything behind it.
func (c columns) tooWide(r row) string {
	filled := 0
	for i, cell := range r.cells {
		if cell.text != "" {
			filled = i + 1
		}
	}
	if c.most == 0 || r.wide <= c.most && filled <= c.last {
		return ""
	}
	return fmt.Sprintf("it has %d columns, and the header names %d: a text that holds a separator stands in quotes", max(filled, r.wide), c.last)
}

// saysNumber tells whether a heading speaks of a number, and not of a name.
func saysNumber(heading string) bool {
	heading = strings.ToLower(heading)
	words := strings.FieldsFunc(heading, func(r rune) bool { return !unicode.IsLetter(r) })
	return strings.Contains(heading, "工号") || strings.Contains(heading, "编号") ||
		slices.ContainsFunc(words, func(w string) bool { return w == "number" || w == "no" || w == "id" })
}

// match finds the fields of a header. One that the mapping says counts before one that is known by its heading, the first telephone before another, and
// the manager's number before the name beside it. Any other two columns of one field are an error: nobody knows which of them counts. It names all of them.
func (m Mapping) match(names []string) (columns, error) {
	known := map[string]string{}
	for field, list := range headings() {
		known[plainHeading(field)] = field
		for _, h := range list {
			known[plainHeading(h)] = field
		}
	}
	own := map[string]string{}
	for heading, field := range m.Columns {
		own[plainHeading(heading)] = field
	}
	c := columns{fields: make([]string, len(names)), names: names}
	taken, chosen := map[string]string{}, map[string]bool{} // by field: the column; whether the mapping says so
	numbered := false                                       // a column is the manager's number
	for _, name := range names {
		field := own[plainHeading(name)]
		if field != "" {
			chosen[field] = true
		}
		numbered = numbered || field == "" && known[plainHeading(name)] == fManager && saysNumber(name)
	}
	leave := func(name, field string) {
		c.twice = append(c.twice, Finding{Column: cutText(name), Code: "column_twice", Text: "another column is the " + field + "; this one was left out"})
	}
	var wrong []string
	for i, name := range names {
		plain := plainHeading(name)
		field, said := own[plain]
		if !said {
			field = known[plain]
			if label, ok := strings.CutPrefix(strings.ToLower(name), labelPrefix); ok && label != "" {
				field = labelPrefix + name[len(labelPrefix):]
			}
		}
		switch {
		case field == "-" || name == "":
			continue
		case field == "":
			c.unknown = append(c.unknown, cutText(name))
			continue
		case !said && chosen[field], taken[field] != "" && (field == fPhone || field == fMobile), !said && field == fManager && numbered && !saysNumber(name):
			leave(name, field)
			continue
		case taken[field] != "":
			wrong = append(wrong, fmt.Sprintf("the columns %q and %q are both %s; say in the mapping which one counts", cutText(taken[field]), cutText(name), field))
			continue
		}
		taken[field], c.fields[i] = name, field
	}
	if taken[m.key()] == "" {
		wrong = append(wrong, fmt.Sprintf("no column says who somebody is (%s); the columns are %s. Name it in the mapping", m.key(), cutText(strings.Join(names, ", "))))
	}
	if len(wrong) > 0 {
		return c, fmt.Errorf("%w: %s", ErrUnreadable, strings.Join(wrong, "; "))
	}
	slices.Sort(c.unknown)
	return c, nil
}
