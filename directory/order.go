package directory

import (
	"fmt"
	"slices"
)

// mainContact answers the value that stands for all e-mails or phones of a record: the primary one, else the first.
func mainContact(kind Column) string {
	return "coalesce((select c.value_fold from record_contacts c where c.link = records.link and c.kind = '" + string(kind) + "' order by c.is_primary desc, c.ord limit 1), '')"
}

// order answers an "order by" that is total.
func (t tableColumns) order(by Column, descending bool) (string, error) {
	direction := ""
	if descending {
		direction = " desc"
	}
	if by == "" {
		return t.id + direction, nil
	}
	col, ok := t.column(by)
	if !ok || col.kind == memberships || col.want == truth {
		return "", errColumn
	}
	switch col.kind {
	case numbers:
		return "case when " + col.sql + " is null then 1 else 0 end" + direction + ", " + col.sql + direction + ", " + t.id, nil
	case contacts: // of the first one
		col.sql = fmt.Sprintf("coalesce((select %s from record_contacts c where c.link = records.link and c.kind = '%s' and c.ord = 0), '')", col.sql, col.of)
	case looseText:
		col.sql = "lower(" + col.sql + ")"
	case exactText, foldedText:
		if by == ColUserName {
			col.sql = "records.user_name_key"
		}
		if slices.Contains([]Column{ColID, ColUserName}, by) || t.name == "directory_groups" && by == ColDisplayName {
			return col.sql + direction + ", " + t.id + direction, nil // never empty: the index's own order
		}
	default:
		return col.sql + direction + ", " + t.id + direction, nil
	}
	// RFC 7644 section 3.4.2.3: what has no value is last in ascending order and first in descending order.
	return emptyLast(col.sql) + direction + ", " + col.sql + direction + ", " + t.id + direction, nil
}

// emptyLast sorts what has no value behind everything.
func emptyLast(sql string) string { return "(case when " + sql + " = '' then 1 else 0 end)" }
