package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

// columnKind is how a column compares.
type columnKind int

const (
	exactText   columnKind = iota // byte for byte
	foldedText                    // stored folded: the value is folded too
	looseText                     // lower case of the engine
	truth                         // bool
	moments                       // time.Time
	contacts                      // rows of record_contacts
	memberships                   // rows of group_members
	numbers                       // float64
)

type column struct {
	sql  string
	kind columnKind
	want columnKind // of a contacts column: how its own column compares
	of   Column     // of a contacts column: e-mail or phone
}

type tableColumns struct {
	name    string
	id      string
	columns func(Column) (column, bool)
	engine  db.Engine
}

// column answers a column of the table, or of the raw form of its rows.
func (t tableColumns) column(c Column) (column, bool) {
	if col, ok := t.columns(c); ok {
		return col, true
	}
	return t.rawSource(false).column(c)
}

var errColumn = fmt.Errorf("%w: the filter names something that cannot be compared like this", ErrInvalid)

func recordColumn(c Column) (column, bool) {
	switch c {
	case ColID:
		return column{sql: "records.link"}, true
	case ColExternalID:
		return column{sql: "records.external_id"}, true
	case ColManager:
		return column{sql: "records.manager_key"}, true
	case ColUserName:
		return column{sql: "records.user_name_fold", kind: foldedText}, true
	case ColDisplayName:
		return column{sql: "records.display_name_fold", kind: foldedText}, true
	case ColGivenName, ColFamilyName, ColTitle, ColDepartment, ColDivision, ColOrganization, ColCompany, ColCostCenter, ColEmployeeNumber,
		ColEmployeeType, ColLocale, ColTimeZone:
		return column{sql: "records." + string(c), kind: looseText}, true
	case ColActive:
		return column{sql: "records.active", kind: truth}, true
	case ColCreated:
		return column{sql: "records.created_at", kind: moments}, true
	case ColModified:
		return column{sql: "records.updated_at", kind: moments}, true
	case ColStart:
		return column{sql: "records.start_at", kind: moments}, true
	case ColEnd:
		return column{sql: "records.end_at", kind: moments}, true
	case ColEmail:
		return column{sql: "c.value_fold", kind: contacts, want: foldedText, of: ColEmail}, true
	case ColEmailType:
		return column{sql: "c.type_fold", kind: contacts, want: foldedText, of: ColEmail}, true
	case ColEmailPrimary:
		return column{sql: "c.is_primary", kind: contacts, want: truth, of: ColEmail}, true
	case ColPhone:
		return column{sql: "c.value_fold", kind: contacts, want: foldedText, of: ColPhone}, true
	case ColPhoneType:
		return column{sql: "c.type_fold", kind: contacts, want: foldedText, of: ColPhone}, true
	case ColPhonePrimary:
		return column{sql: "c.is_primary", kind: contacts, want: truth, of: ColPhone}, true
	case ColGroup:
		return column{sql: "m.group_id", kind: memberships}, true
	case ColMainEmail:
		return column{sql: mainContact(ColEmail), kind: foldedText}, true
	case ColMainPhone:
		return column{sql: mainContact(ColPhone), kind: foldedText}, true
	}
	return column{}, false
}

func groupColumn(c Column) (column, bool) {
	switch c {
	case ColID:
		return column{sql: "directory_groups.id"}, true
	case ColExternalID:
		return column{sql: "directory_groups.external_id"}, true
	case ColDisplayName:
		return column{sql: "directory_groups.display_name_fold", kind: foldedText}, true
	case ColCreated:
		return column{sql: "directory_groups.created_at", kind: moments}, true
	case ColModified:
		return column{sql: "directory_groups.updated_at", kind: moments}, true
	case ColMember:
		return column{sql: "m.value", kind: memberships}, true
	}
	return column{}, false
}

func recordTable(engine db.Engine) tableColumns {
	return tableColumns{"records", "records.link", recordColumn, engine}
}

func groupTable(engine db.Engine) tableColumns {
	return tableColumns{"directory_groups", "directory_groups.id", groupColumn, engine}
}

// compiler turns a Where into SQL over one table. Every value is an argument; no text of a caller becomes SQL. Conditions never are NULL, so
// that "not" is what it says.
type compiler struct {
	table   tableColumns
	args    []any
	element Column // inside an Element: which contacts c stands for
	depth   int
}

// maxDepth bounds nesting; a caller has its own limit before.
const maxDepth = 200

func (c *compiler) where(w Where) (string, error) {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		return "", fmt.Errorf("%w: the filter is nested too deep", ErrInvalid)
	}
	switch w := w.(type) {
	case nil, Always:
		return "1 = 1", nil
	case Never:
		return "1 = 0", nil
	case And:
		return c.list(w, " and ", "1 = 1")
	case Or:
		return c.list(w, " or ", "1 = 0")
	case Not:
		sql, err := c.where(w.Of)
		return "not (" + sql + ")", err
	case Element:
		return c.elementOf(w)
	case Compare:
		return c.compare(w)
	}
	return "", fmt.Errorf("%w: filter %T", ErrInvalid, w)
}

func (c *compiler) list(parts []Where, between, empty string) (string, error) {
	if len(parts) == 0 {
		return empty, nil
	}
	sql := make([]string, len(parts))
	for i, p := range parts {
		var err error
		if sql[i], err = c.where(p); err != nil {
			return "", err
		}
	}
	return "(" + strings.Join(sql, between) + ")", nil
}

func (c *compiler) elementOf(w Element) (string, error) {
	if strings.HasPrefix(string(w.Kind), rawPrefix) {
		return c.rawElement(w)
	}
	if c.element != "" || c.table.name != "records" || w.Kind != ColEmail && w.Kind != ColPhone {
		return "", errColumn
	}
	c.element = w.Kind
	c.args = append(c.args, w.Kind)
	inner, err := c.where(w.Of)
	c.element = ""
	return "exists (select 1 from record_contacts c where c.link = records.link and c.kind = ? and " + inner + ")", err
}

func (c *compiler) compare(w Compare) (string, error) {
	if strings.HasPrefix(string(c.element), rawPrefix) {
		col, ok := c.table.rawSource(true).column(w.Column)
		if !ok {
			return "", errColumn
		}
		return c.plain(col.sql, col.kind, w)
	}
	col, ok := c.table.column(w.Column)
	if !ok || c.element != "" && col.of != c.element {
		return "", errColumn
	}
	switch col.kind {
	case contacts:
		if c.element != "" {
			return c.plain(col.sql, col.want, w)
		}
		return c.anyContact(col, w)
	case memberships:
		return c.member(col, w)
	}
	return c.plain(col.sql, col.kind, w)
}

// anyContact holds where any contact compares so; "ne" where none is equal.
func (c *compiler) anyContact(col column, w Compare) (string, error) {
	not := ""
	if w.Op == Ne {
		not, w.Op = "not ", Eq
	}
	if w.Op == Eq && col.want == foldedText && col.sql == "c.value_fold" && not == "" { // by the index on values
		value, ok := w.Value.(string)
		if !ok {
			return "", errColumn
		}
		if storable("", value) != nil {
			return "1 = 0", nil
		}
		c.args = append(c.args, col.of, fold(value))
		return "records.link in (select c.link from record_contacts c where c.kind = ? and c.value_fold = ?)", nil
	}
	c.args = append(c.args, col.of)
	inner, err := c.plain(col.sql, col.want, w)
	return not + "exists (select 1 from record_contacts c where c.link = records.link and c.kind = ? and " + inner + ")", err
}

// member compares memberships: only equality and presence.
func (c *compiler) member(col column, w Compare) (string, error) {
	from := "group_members m where m.group_id = directory_groups.id"
	if c.table.name == "records" {
		from = "group_members m where m.source_id = records.source_id and m.value = records.record_key"
	}
	if w.Op == Pr {
		return "exists (select 1 from " + from + ")", nil
	}
	value, ok := w.Value.(string)
	if !ok || w.Op != Eq && w.Op != Ne {
		return "", errColumn
	}
	if storable("", value) != nil {
		return constant(w.Op == Ne), nil
	}
	c.args = append(c.args, value)
	sql := "exists (select 1 from " + from + " and " + col.sql + " = ?)"
	if w.Op == Ne {
		sql = "not " + sql
	}
	return sql, nil
}

func constant(b bool) string {
	if b {
		return "1 = 1"
	}
	return "1 = 0"
}

func (c *compiler) plain(sql string, kind columnKind, w Compare) (string, error) {
	if !slices.Contains([]Op{Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le, Pr}, w.Op) {
		return "", errColumn
	}
	switch kind {
	case truth:
		return c.bool(sql, w)
	case moments:
		return c.moment(sql, w)
	case numbers:
		return c.number(sql, w)
	}
	return c.text(sql, kind, w)
}

func (c *compiler) bool(sql string, w Compare) (string, error) {
	if w.Op == Pr {
		return "1 = 1", nil
	}
	value, ok := w.Value.(bool)
	if !ok || w.Op != Eq && w.Op != Ne {
		return "", errColumn
	}
	c.args = append(c.args, value == (w.Op == Eq))
	return sql + " = ?", nil
}

func (c *compiler) moment(sql string, w Compare) (string, error) {
	if w.Op == Pr {
		return sql + " is not null", nil
	}
	value, ok := w.Value.(time.Time)
	if !ok {
		return "", errColumn
	}
	if w.Op == Ne {
		c.args = append(c.args, db.At(value))
		return "(" + sql + " is null or " + sql + " <> ?)", nil
	}
	sign, ok := map[Op]string{Eq: "=", Gt: ">", Ge: ">=", Lt: "<", Le: "<="}[w.Op]
	if !ok {
		return "", errColumn
	}
	c.args = append(c.args, db.At(value))
	return "(" + sql + " is not null and " + sql + " " + sign + " ?)", nil
}

func (c *compiler) text(sql string, kind columnKind, w Compare) (string, error) {
	if w.Op == Pr {
		return sql + " <> ''", nil
	}
	value, ok := w.Value.(string)
	if !ok {
		return "", errColumn
	}
	if storable("", value) != nil { // nothing that is stored holds such text
		return constant(w.Op == Ne), nil
	}
	left, right := sql, "?"
	switch kind {
	case foldedText:
		value = fold(value)
	case looseText:
		left, right = "lower("+sql+")", "lower(?)"
	}
	add := func(values ...any) { c.args = append(c.args, values...) }
	if w.Column == ColUserName && w.Op == Eq && value != "" { // by the unique index; the key is NULL only where there is no userName
		add(value)
		return "(records.user_name_key is not null and records.user_name_key = ?)", nil
	}
	if value == "" && slices.Contains([]Op{Co, Sw, Ew, Ge}, w.Op) {
		return sql + " <> ''", nil
	}
	switch w.Op {
	case Co:
		add(value)
		return "replace(" + left + ", " + right + ", '') <> " + left, nil
	case Sw:
		add(value, value)
		return "substr(" + left + ", 1, length(" + right + ")) = " + right, nil
	case Ew:
		add(value, value, value)
		return "(length(" + left + ") >= length(" + right + ") and substr(" + left + ", length(" + left + ") - length(" + right + ") + 1) = " + right + ")", nil
	}
	sign := map[Op]string{Eq: "=", Ne: "<>", Gt: ">", Ge: ">=", Lt: "<", Le: "<="}[w.Op]
	add(value)
	if w.Op == Lt || w.Op == Le { // what is not there is not less than anything
		return "(" + sql + " <> '' and " + left + " " + sign + " " + right + ")", nil
	}
	return left + " " + sign + " " + right, nil
}
