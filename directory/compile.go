package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
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
	head string     // of a text that may be long: the beginning of it that is indexed
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
	case ColFamilyName, ColTitle, ColDepartment, ColEmployeeNumber:
		return column{sql: "records." + string(c), kind: looseText, head: "substr(lower(records." + string(c) + "), 1, 200)"}, true
	case ColGivenName, ColDivision, ColOrganization, ColCompany, ColCostCenter, ColEmployeeType, ColLocale, ColTimeZone:
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
		return column{sql: "records.main_email", kind: foldedText}, true
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
	source  id.Source // whose rows are asked for; empty: everybody's
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
		if sql, ok := c.oneOf(w); ok {
			return sql, nil
		}
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

// oneOf takes an "or" that asks one column for any of several words: one look into its index for each.
func (c *compiler) oneOf(parts Or) (string, bool) {
	var words []string
	var asked Column
	for _, part := range parts {
		w, _ := part.(Compare)
		word, _ := w.Value.(string)
		if w.Op != Eq || word == "" || storable("", word) != nil || len(words) > 0 && w.Column != asked {
			return "", false
		}
		asked, words = w.Column, append(words, word)
	}
	col, ok := c.table.columns(asked)
	if len(words) < 2 || !ok || c.element != "" || col.kind != exactText {
		return "", false
	}
	words = db.Pad(words)
	for _, word := range words {
		c.args = append(c.args, word)
	}
	return "(" + col.sql + " <> '' and " + col.sql + " in (?" + strings.Repeat(", ?", len(words)-1) + "))", true
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
	if names(w.Of, w.Kind) { // few: they are found first
		return c.among("records.link", "select c.link from record_contacts c where c.kind = ? and "+inner), err
	}
	return "exists (select 1 from record_contacts c where c.link = records.link and c.kind = ? and " + inner + ")", err
}

// names tells whether a condition holds only where column has one of a few values, however much else it says.
func names(w Where, column Column) bool {
	switch w := w.(type) {
	case Compare:
		return w.Column == column && w.Op == Eq && w.Value != ""
	case And:
		return slices.ContainsFunc(w, func(part Where) bool { return names(part, column) })
	case Or:
		return len(w) > 0 && !slices.ContainsFunc(w, func(part Where) bool { return !names(part, column) })
	}
	return false
}

func (c *compiler) compare(w Compare) (string, error) {
	if strings.HasPrefix(string(c.element), rawPrefix) {
		col, ok := c.table.rawSource(true).column(w.Column)
		if !ok {
			return "", errColumn
		}
		return c.plain(col, w)
	}
	col, ok := c.table.column(w.Column)
	if !ok || c.element != "" && col.of != c.element {
		return "", errColumn
	}
	switch col.kind {
	case contacts:
		if c.element != "" {
			return c.plain(column{sql: col.sql, kind: col.want}, w)
		}
		return c.anyContact(col, w)
	case memberships:
		return c.member(col, w)
	}
	return c.plain(col, w)
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
		c.args = append(c.args, col.of, head(fold(value)))
		return c.among("records.link", "select c.link from record_contacts c where c.kind = ? and c.value_fold = ?"), nil
	}
	c.args = append(c.args, col.of)
	inner, err := c.plain(column{sql: col.sql, kind: col.want}, w)
	return not + "exists (select 1 from record_contacts c where c.link = records.link and c.kind = ? and " + inner + ")", err
}

// among holds where a column is one of what a query answers. PostgreSQL looks an array up in an index also where the
// condition stands beside others in an "or".
func (c *compiler) among(column, query string) string {
	if c.table.engine == db.Postgres {
		return column + " = any (array(" + query + "))"
	}
	return column + " in (" + query + ")"
}

// member compares memberships: only equality and presence.
func (c *compiler) member(col column, w Compare) (string, error) {
	records := c.table.name == "records"
	if w.Op == Pr {
		if records {
			return "exists (select 1 from group_members m where m.source_id = records.source_id and m.value = records.record_key)", nil
		}
		return "exists (select 1 from group_members m where m.group_id = directory_groups.id)", nil
	}
	value, ok := w.Value.(string)
	if !ok || w.Op != Eq && w.Op != Ne {
		return "", errColumn
	}
	if storable("", value) != nil {
		return constant(w.Op == Ne), nil
	}
	var sql string
	switch {
	case c.source == "" && records:
		c.args = append(c.args, value)
		sql = "exists (select 1 from group_members m where m.source_id = records.source_id and m.value = records.record_key and m.group_id = ?)"
	case c.source == "":
		c.args = append(c.args, value)
		sql = "exists (select 1 from group_members m where m.group_id = directory_groups.id and m.value = ?)"
	case records:
		c.args = append(c.args, value, c.source)
		sql = c.among("records.record_key", "select m.value from group_members m where m.group_id = ? and m.source_id = ?")
	default:
		c.args = append(c.args, c.source, value)
		sql = c.among("directory_groups.id", "select m.group_id from group_members m where m.source_id = ? and m.value = ?")
	}
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
