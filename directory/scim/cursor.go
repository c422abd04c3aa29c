package scim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	engine "github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"

	"github.com/rollcall-im/rollcall/directory"
)

// Pages by cursor (RFC 9865). A cursor says behind which resource the next page begins, by its id and by what the list
// is sorted by: whatever is created, changed or deleted meanwhile, a page neither repeats nor skips what stayed in its place.

// cursorLife is how long a cursor is taken.
const cursorLife = 24 * time.Hour

// cursor is where a page ended. Sum ties it to the source and the query, so that no other query takes it.
type cursor struct {
	ID    string `json:"i"`
	Value string `json:"v,omitempty"`
	At    int64  `json:"t"`
	Sum   string `json:"s"`
}

// sumOf is what Sum must be.
func (c *call) sumOf(k cursor) string {
	h := sha256.New()
	for _, part := range []string{string(c.source.ID), c.kind.endpoint, c.query.filter, c.query.sortBy, strconv.FormatBool(c.descending()), k.ID, k.Value, strconv.FormatInt(k.At, 10)} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// writeCursor makes the opaque form of where a page ended.
func (c *call) writeCursor(id, value string) string {
	k := cursor{ID: id, Value: value, At: c.h.now().Unix()}
	k.Sum = c.sumOf(k)
	plain, _ := json.Marshal(k)
	return base64.RawURLEncoding.EncodeToString(plain)
}

// readCursor reads it back; an empty one is the beginning.
func (c *call) readCursor(s string) (cursor, error) {
	var k cursor
	if s == "" {
		return k, nil
	}
	invalid := refuse(scimerrors.ScimType("invalidCursor"), "The cursor is not one of this query.")
	plain, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(plain, &k) != nil || k.ID == "" || k.Sum != c.sumOf(k) {
		return cursor{}, invalid
	}
	if c.h.now().Sub(time.Unix(k.At, 0)) > cursorLife {
		return cursor{}, refuse(scimerrors.ScimType("expiredCursor"), "The cursor is older than %v: begin again without one.", cursorLife)
	}
	return k, nil
}

// prepareCursor checks the paging of a query by cursor.
func (c *call) prepareCursor() error {
	if c.query.cursor == nil {
		return nil
	}
	if c.query.startIndex != "" {
		return invalidValue("A page is asked for by cursor or by startIndex, not by both.")
	}
	if n, err := strconv.Atoi(c.query.count); c.query.count != "" && (err != nil || n < 0) {
		return refuse(scimerrors.ScimType("invalidCount"), "count is not a number from 0.")
	}
	k, err := c.readCursor(*c.query.cursor)
	c.from = k
	return err
}

// seek is the condition of being behind the cursor, in the order of the list. Instants and texts compare by value;
// false comes before true.
func (c *call) seek() directory.Where {
	k := c.from
	if k.ID == "" {
		return c.where
	}
	where := c.where
	if where == nil {
		where = directory.Always{}
	}
	beyond := directory.Gt
	if c.descending() {
		beyond = directory.Lt
	}
	after := directory.Compare{Column: directory.ColID, Op: beyond, Value: k.ID}
	if c.sort == "" {
		return directory.And{where, after}
	}
	past, same := c.past(beyond)
	return directory.And{where, directory.Or{past, directory.And{same, after}}}
}

// past is the condition of being sorted behind the cursor's value, and same that of having that value.
func (c *call) past(beyond directory.Op) (past, same directory.Where) {
	is := func(op directory.Op, v any) directory.Where {
		return directory.Compare{Column: c.sort, Op: op, Value: v}
	}
	switch c.sortTarget.leaf().AttributeType() {
	case "boolean":
		value := c.from.Value == "true"
		if past = (directory.Never{}); value == c.descending() {
			past = is(directory.Ne, value)
		}
		return past, is(directory.Eq, value)
	case "dateTime":
		if c.sort == directory.ColCreated || c.sort == directory.ColModified {
			at, _ := time.Parse(time.RFC3339Nano, c.from.Value)
			return is(beyond, at), is(directory.Eq, at)
		}
		return c.pastNumber(beyond, is)
	case "integer", "decimal":
		return c.pastNumber(beyond, is)
	}
	return c.pastText(c.from.Value, beyond), is(directory.Eq, c.from.Value)
}

func (c *call) pastNumber(beyond directory.Op, is func(directory.Op, any) directory.Where) (past, same directory.Where) {
	some := is(directory.Pr, nil)
	number, err := strconv.ParseFloat(c.from.Value, 64)
	if err != nil {
		return c.pastText("", beyond), directory.Not{Of: some}
	}
	if c.descending() {
		return directory.And{is(beyond, number), some}, is(directory.Eq, number)
	}
	return directory.Or{is(beyond, number), directory.Not{Of: some}}, is(directory.Eq, number)
}

// pastText is the condition of being sorted behind a value, apart from equal ones. What has no value is last in
// ascending order and first in descending order.
func (c *call) pastText(value any, beyond directory.Op) directory.Where {
	some := directory.Compare{Column: c.sort, Op: directory.Pr}
	past := directory.Compare{Column: c.sort, Op: beyond, Value: value}
	switch {
	case value != "" && !c.descending():
		return directory.Or{past, directory.Not{Of: some}}
	case value != "":
		return directory.And{past, some}
	case c.descending():
		return some
	}
	return directory.Never{}
}

// recordValue answers what the list is sorted by, of a record.
func (c *call) recordValue(r directory.Record) string {
	contact := func(n int, at func(int) (string, bool)) string {
		main := ""
		for i := range n {
			value, primary := at(i)
			if primary {
				return value
			}
			if i == 0 {
				main = value
			}
		}
		return main
	}
	switch c.sort {
	case directory.ColCreated:
		return r.CreatedAt.Format(time.RFC3339Nano)
	case directory.ColModified:
		return r.UpdatedAt.Format(time.RFC3339Nano)
	case directory.ColActive:
		return strconv.FormatBool(r.Active)
	case directory.ColManager:
		return r.ManagerKey
	case directory.ColMainEmail:
		return contact(len(r.Emails), func(i int) (string, bool) { return r.Emails[i].Value, r.Emails[i].Primary })
	case directory.ColMainPhone:
		return contact(len(r.Phones), func(i int) (string, bool) { return r.Phones[i].Value, r.Phones[i].Primary })
	}
	texts := map[directory.Column]string{directory.ColID: string(r.Link), directory.ColExternalID: r.ExternalID, directory.ColUserName: r.UserName,
		directory.ColDisplayName: r.DisplayName, directory.ColGivenName: r.GivenName, directory.ColFamilyName: r.FamilyName, directory.ColTitle: r.Title,
		directory.ColDepartment: r.Department, directory.ColDivision: r.Division, directory.ColOrganization: r.Organization, directory.ColCompany: r.Company,
		directory.ColCostCenter: r.CostCenter, directory.ColEmployeeNumber: r.EmployeeNumber, directory.ColEmployeeType: r.EmployeeType, directory.ColTimeZone: r.TimeZone}
	if value, ok := texts[c.sort]; ok {
		return value
	}
	return c.rawValue(r.Raw)
}

// groupValue answers what the list is sorted by, of a group.
func (c *call) groupValue(g directory.GroupRecord) string {
	switch c.sort {
	case directory.ColCreated:
		return g.CreatedAt.Format(time.RFC3339Nano)
	case directory.ColModified:
		return g.UpdatedAt.Format(time.RFC3339Nano)
	case directory.ColID:
		return string(g.ID)
	case directory.ColExternalID:
		return g.ExternalID
	case directory.ColDisplayName:
		return g.DisplayName
	}
	return c.rawValue(g.Raw)
}

// rawValue answers what the list is sorted by, of a raw form; of several values the main one's.
func (c *call) rawValue(raw json.RawMessage) string {
	holder, err := parseRaw(raw)
	if err != nil || c.sort == "" {
		return ""
	}
	t := c.sortTarget
	if t.urn != "" {
		holder, _ = holder[t.urn].(map[string]any)
	}
	v := holder[instantName(t.attr)]
	if list, ok := v.([]any); ok {
		v = mainOf(list)
	}
	if t.sub != nil {
		element, _ := v.(map[string]any)
		v = element[instantName(*t.sub)]
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	if t.leaf().AttributeType() == "boolean" {
		return strconv.FormatBool(v == true)
	}
	return ""
}

// mainOf answers the primary one of several values, or the first.
func mainOf(list []any) any {
	for _, e := range list {
		if element, ok := e.(map[string]any); ok && element["primary"] == true {
			return e
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// page reads one page, by index or by cursor: find reads, mark answers id and sort value of the last of n found.
func (c *call) page(params engine.ListRequestParams, find func(where directory.Where, offset, limit int, total bool) (n, all int, err error), mark func(i int) (id, value string)) (total, keep int, err error) {
	count := min(params.Count, maxResults)
	if c.query.cursor == nil {
		keep, total, err = find(c.where, params.StartIndex-1, count, true)
		return total, keep, err
	}
	if _, total, err = find(c.where, 0, 0, true); err != nil || count == 0 {
		return total, 0, err
	}
	keep, _, err = find(c.seek(), 0, count+1, false)
	if err == nil && keep > count {
		keep = count
		c.next = c.writeCursor(mark(count - 1))
	}
	return total, keep, err
}

// sortable answers the column to sort by for one that is compared by.
func sortable(column directory.Column) (directory.Column, bool) {
	switch column {
	case directory.ColEmail:
		return directory.ColMainEmail, true
	case directory.ColPhone:
		return directory.ColMainPhone, true
	}
	return column, !slices.Contains([]directory.Column{directory.ColEmailType, directory.ColEmailPrimary, directory.ColPhoneType,
		directory.ColPhonePrimary, directory.ColGroup, directory.ColMember}, column)
}
