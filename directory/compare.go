package directory

import (
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
)

func (c *compiler) plain(col column, w Compare) (string, error) {
	if !slices.Contains([]Op{Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le, Pr}, w.Op) {
		return "", errColumn
	}
	switch col.kind {
	case truth:
		return c.bool(col.sql, w)
	case moments:
		return c.moment(col.sql, w)
	case numbers:
		return c.number(col.sql, w)
	}
	return c.text(col, w)
}

func (c *compiler) bool(sql string, w Compare) (string, error) {
	if w.Op == Pr {
		return "1 = 1", nil
	}
	value, ok := w.Value.(bool)
	if !ok || w.Op != Eq && w.Op != Ne {
		return "", errColumn
	}
	if sql == "records.active" { // in words of the index on the inactive
		if value == (w.Op == Eq) {
			return sql, nil
		}
		return "not " + sql, nil
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

func (c *compiler) text(col column, w Compare) (string, error) {
	sql := col.sql
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
	switch col.kind {
	case foldedText:
		value = fold(value)
		if w.Column != ColUserName {
			value = head(value)
		}
	case looseText:
		left, right = "lower("+sql+")", "lower(?)"
	}
	add := func(values ...any) { c.args = append(c.args, values...) }
	switch {
	case w.Op == Eq && value != "" && w.Column == ColManager: // in words of its index
		add(value)
		return "(" + sql + " <> '' and " + sql + " = ?)", nil
	case w.Op == Eq && col.head != "":
		add(value, value)
		return "(" + col.head + " = substr(" + right + ", 1, 200) and " + left + " = " + right + ")", nil
	case w.Op == Eq && value != "" && w.Column == ColDisplayName && c.table.name == "records", w.Op == Eq && value != "" && w.Column == ColMainEmail:
		add(value)
		return "(" + emptyLast(sql) + " = 0 and " + sql + " = ?)", nil
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
	if w.Column == ColUserName && value != "" && (w.Op == Eq || w.Op == Gt || w.Op == Ge) { // by the unique index; the key is NULL only where there is no userName
		return "(records.user_name_key is not null and records.user_name_key " + sign + " ?)", nil
	}
	return left + " " + sign + " " + right, nil
}
