package directory

import (
	"strings"

	"github.com/rollcall-im/rollcall/internal/db"
)

// Columns of the raw form of a record or group: what a source asserted without a column of its own. They have no index,
// so a query by one reads the whole source. path holds member names from the outside in; a name of other characters than
// letters, digits and ":._$-" is no column. Inside an Element of RawList they are relative to the one value, and no path is the value.

// RawText compares text without regard to case; what is not there is empty.
func RawText(path ...string) Column { return rawColumn("text", path) }

// RawExact compares text byte for byte.
func RawExact(path ...string) Column { return rawColumn("exact", path) }

// RawBool compares a bool; what is not there is false.
func RawBool(path ...string) Column { return rawColumn("bool", path) }

// RawNumber compares a float64; what is not there is not present.
func RawNumber(path ...string) Column { return rawColumn("number", path) }

// RawList is a list, for Element.Kind.
func RawList(path ...string) Column { return rawColumn("list", path) }

// RawMain is what a list is sorted by: of, as it stands in the primary value or else in the first one.
func RawMain(of Column, list ...string) Column {
	return rawColumn("main", list) + mainOf + of
}

const (
	rawPrefix = "raw\x00"
	mainOf    = "\x01"
)

func rawColumn(kind string, path []string) Column {
	return Column(rawPrefix + kind + "\x00" + strings.Join(path, "\x00"))
}

// parseRaw takes a raw column apart; ok is false for other columns and for names that could be more than names in SQL.
func parseRaw(c Column) (kind string, path []string, ok bool) {
	rest, ok := strings.CutPrefix(string(c), rawPrefix)
	if !ok {
		return "", nil, false
	}
	kind, joined, _ := strings.Cut(rest, "\x00")
	if joined == "" {
		return kind, nil, true
	}
	path = strings.Split(joined, "\x00")
	for _, name := range path {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._$-") != "" {
			return "", nil, false
		}
	}
	return kind, path, true
}

// rawSource is the JSON that raw columns look into.
type rawSource struct {
	engine db.Engine
	json   string // the expression; in an Element the one value
	value  bool   // json is a value of a list
}

// column answers a raw column. Every expression is free of errors whatever the JSON holds, and NULL at most where compiler expects it.
func (s rawSource) column(c Column) (column, bool) {
	if list, of, main := strings.Cut(string(c), mainOf); main {
		return s.main(Column(list), Column(of))
	}
	kind, path, ok := parseRaw(c)
	if !ok || len(path) == 0 && (!s.value || kind == "list") {
		return column{}, false
	}
	switch kind {
	case "text":
		return column{sql: "coalesce(" + s.text(path) + ", '')", kind: looseText}, true
	case "exact":
		return column{sql: "coalesce(" + s.text(path) + ", '')"}, true
	case "bool":
		if s.engine == db.Postgres {
			return column{sql: "coalesce(" + s.text(path) + " = 'true', false)", kind: truth}, true
		}
		return column{sql: "coalesce(" + s.text(path) + " = '1', false)", kind: truth}, true
	case "number":
		return column{sql: s.number(path), kind: numbers}, true
	}
	return column{}, false
}

// main answers the column of, read in the main value of a list.
func (s rawSource) main(list, of Column) (column, bool) {
	kind, path, ok := parseRaw(list)
	one := s.element()
	col, known := one.column(of)
	if !ok || !known || kind != "main" || len(path) == 0 || s.value {
		return column{}, false
	}
	position, none := "e.key", map[columnKind]string{truth: "false", numbers: "null"}[col.kind]
	if s.engine == db.Postgres {
		position = "e.ord"
	}
	if none == "" {
		none = "''"
	}
	primary, _ := one.column(RawBool("primary"))
	col.sql = "coalesce((select " + col.sql + " from " + s.each(path) + " order by " + primary.sql + " desc, " + position + " limit 1), " + none + ")"
	return col, true
}

// element answers where raw columns look inside an Element.
func (s rawSource) element() rawSource {
	if s.engine == db.Postgres {
		return rawSource{s.engine, "e.value", true}
	}
	return rawSource{s.engine, "(case when e.type = 'object' then e.value end)", true}
}

// quoted writes a path for the engine: '$."a"."b"', or 'a', 'b'.
func (s rawSource) quoted(path []string) string {
	if s.engine == db.Postgres {
		return "'" + strings.Join(path, "', '") + "'"
	}
	return `'$."` + strings.Join(path, `"."`) + `"'`
}

func (s rawSource) text(path []string) string {
	switch {
	case s.engine == db.Postgres && len(path) == 0:
		return "(" + s.json + " #>> '{}')"
	case s.engine == db.Postgres:
		return "json_extract_path_text(" + s.json + ", " + s.quoted(path) + ")"
	case len(path) == 0:
		return "cast(e.value as text)"
	}
	return "cast(json_extract(" + s.json + ", " + s.quoted(path) + ") as text)"
}

func (s rawSource) number(path []string) string {
	text := s.text(path)
	switch {
	case s.engine == db.Postgres && len(path) == 0:
		return "(case when json_typeof(" + s.json + ") = 'number' then cast(" + text + " as double precision) end)"
	case s.engine == db.Postgres:
		return "(case when json_typeof(json_extract_path(" + s.json + ", " + s.quoted(path) + ")) = 'number' then cast(" + text + " as double precision) end)"
	case len(path) == 0:
		return "(case when e.type in ('integer', 'real') then cast(" + text + " as real) end)"
	}
	return "(case when json_type(" + s.json + ", " + s.quoted(path) + ") in ('integer', 'real') then cast(" + text + " as real) end)"
}

// rawSource answers where raw columns look, outside and inside an Element.
func (t tableColumns) rawSource(inList bool) rawSource {
	whole := rawSource{t.engine, "nullif(" + t.name + ".raw, '')", false}
	if t.engine == db.Postgres {
		whole.json = "cast(" + whole.json + " as json)"
	}
	if inList {
		return whole.element()
	}
	return whole
}

// each answers the "from" of the values of a list: they are e.
func (s rawSource) each(path []string) string {
	if s.engine == db.Postgres {
		list := "json_extract_path(" + s.json + ", " + s.quoted(path) + ")"
		return "json_array_elements(case when json_typeof(" + list + ") = 'array' then " + list + " else '[]' end) with ordinality as e(value, ord)"
	}
	at := s.json + ", " + s.quoted(path)
	return "json_each(case when json_type(" + at + ") = 'array' then json_extract(" + at + ") end) as e"
}

// rawElement holds where one value of a list satisfies what stands in the Element.
func (c *compiler) rawElement(w Element) (string, error) {
	kind, path, ok := parseRaw(w.Kind)
	if !ok || kind != "list" || len(path) == 0 || c.element != "" {
		return "", errColumn
	}
	c.element = w.Kind
	inner, err := c.where(w.Of)
	c.element = ""
	return "exists (select 1 from " + c.table.rawSource(false).each(path) + " where " + inner + ")", err
}

// number compares a float64.
func (c *compiler) number(sql string, w Compare) (string, error) {
	if w.Op == Pr {
		return sql + " is not null", nil
	}
	value, ok := w.Value.(float64)
	sign, known := map[Op]string{Eq: "=", Ne: "<>", Gt: ">", Ge: ">=", Lt: "<", Le: "<="}[w.Op]
	if !ok || !known {
		return "", errColumn
	}
	c.args = append(c.args, value)
	if w.Op == Ne {
		return "(" + sql + " is null or " + sql + " <> ?)", nil
	}
	return "(" + sql + " is not null and " + sql + " " + sign + " ?)", nil
}
