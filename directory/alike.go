package directory

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Two values that look alike are the same number or login to whoever reads them: " 4711", "4711" with a no-break space behind it and "４７１１".
// They join nobody; but who may be somebody who is kept out is found by how a value looks, too.

// NumberLooks answers an employee number as it looks: compatibility forms and the digits of other scripts are plain, small letters are capital,
// and what is blank or cannot be seen is gone.
func NumberLooks(s string) string {
	if plain(s) {
		return strings.ToUpper(s)
	}
	return strings.ToUpper(fold(seen(s, unicode.IsSpace)))
}

// alikeName answers a userName as it looks, folded. A blank within it tells two apart.
func alikeName(s string) string {
	if plain(s) {
		return fold(s)
	}
	return norm.NFKC.String(fold(strings.TrimSpace(seen(s, func(rune) bool { return false }))))
}

// seen answers what is to be seen of a text, without what is left out besides.
func seen(s string, out func(rune) bool) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		if unseen(r) || out(r) {
			return -1
		}
		return digit(r)
	}, norm.NFKC.String(s)))
}

// alike tells whether two values are the same, or look so.
func alike(a, b string, looks func(string) string) bool {
	return a != "" && (a == b || looks(a) != "" && looks(a) == looks(b))
}

// plain tells whether a text is printable ASCII without blanks.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// unseen tells whether a character leaves no mark: a soft hyphen, a zero-width blank, a mark of direction, a filler, a cell without dots.
func unseen(r rune) bool {
	switch r {
	case '\u2800', '\U00016fe4', '\U0001d159', '\U00013441', '\U00013442': // the empty cell of Braille, a Khitan filler, no notehead, blanks among hieroglyphs
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) || r != '\t' && unicode.IsControl(r)
}

// digit answers a decimal digit of any script as that of ASCII; anything else as it is.
func digit(r rune) rune {
	if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
		return r
	}
	for _, of := range unicode.Nd.R16 {
		if low := rune(of.Lo); r >= low && r <= rune(of.Hi) {
			return '0' + (r-low)%10
		}
	}
	for _, of := range unicode.Nd.R32 {
		if low := rune(of.Lo); r >= low && r <= rune(of.Hi) {
			return '0' + (r-low)%10
		}
	}
	return r
}

// hintClaims is the hint of a look that is another's: a login that a record claims.
const hintClaims Hint = "claims"

// lookRow is how a value of a record looks, where that is not what it is.
type lookRow struct {
	Link  id.Link
	Hint  Hint
	Value string
}

func (lookRow) TableName() string { return "record_looks" }

func (r lookRow) values() []any { return []any{string(r.Link), string(r.Hint), r.Value} }

func lookRowsOf(rec Record) (rows []lookRow) {
	for _, v := range [...]struct {
		hint      Hint
		is, looks string
	}{{HintEmployeeNumber, rec.EmployeeNumber, NumberLooks(rec.EmployeeNumber)}, {HintUserName, fold(rec.UserName), alikeName(rec.UserName)}} {
		if v.is != v.looks && v.looks != "" {
			rows = append(rows, lookRow{rec.Link, v.hint, v.looks})
		}
	}
	if looks := alikeName(rec.Claims); looks != "" {
		rows = append(rows, lookRow{rec.Link, hintClaims, looks})
	}
	return rows
}

// lookAlikes looks once at the records that were written before anybody looked. It leaves the connections that read alone: one of SQLite that is
// there before the tables are filled plans as if they were empty.
func lookAlikes(ctx context.Context, d *db.DB) error {
	after, all := id.Link(""), false
	for !all {
		if err := d.Tx(ctx, func(tx *db.Tx) (err error) {
			after, all, err = lookAt(tx, after)
			return err
		}); err != nil {
			return fmt.Errorf("look at records: %w", err)
		}
	}
	return nil
}

// lookAt looks at the next records, and answers up to which; all: there are no more, or somebody looked at all.
func lookAt(tx *db.Tx, after id.Link) (last id.Link, all bool, err error) {
	var done int64
	if err := tx.Raw("select count(*) from record_looks where link = ''").Scan(&done).Error; err != nil || done > 0 {
		return after, true, err
	}
	var rows []recordRow
	if err := tx.Select("link, employee_number, user_name").Where("link > ?", after).Order("link").Limit(chunk).Find(&rows).Error; err != nil {
		return after, false, err
	}
	last, all = after, len(rows) < chunk
	var looks []lookRow
	for _, r := range rows {
		last = r.Link
		looks = append(looks, lookRowsOf(r.record())...)
	}
	if all {
		looks = append(looks, lookRow{Hint: "looked"})
	}
	if len(looks) == 0 {
		return last, all, nil
	}
	return last, all, tx.KeepFirst().CreateInBatches(looks, 200).Error
}
