package directory

import "fmt"

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
	if !ok || col.kind == memberships || col.kind == numbers || col.want == truth {
		return "", errColumn
	}
	switch col.kind {
	case contacts: // of the first one
		return fmt.Sprintf("coalesce((select %s from record_contacts c where c.link = records.link and c.kind = '%s' and c.ord = 0), '')%s, %s", col.sql, col.of, direction, t.id), nil
	case looseText:
		return "lower(" + col.sql + ")" + direction + ", " + t.id, nil
	}
	return col.sql + direction + ", " + t.id, nil
}
