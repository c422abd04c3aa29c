package directory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// tellingOf answers by which words texts may speak of who is being erased: what tells them apart now, and what did before.
func (w *work) tellingOf(e Erased, rows []personRow, records []Record) ([]string, error) {
	var words, names, numbers []string
	for _, row := range rows {
		words, names = append(words, row.UserName, row.Email), append(names, row.DisplayName)
	}
	for _, r := range records {
		words, numbers = append(words, r.UserName), append(numbers, r.Key, r.ExternalID, r.EmployeeNumber)
		names = append(names, r.DisplayName, r.GivenName+" "+r.FamilyName, r.FamilyName+r.GivenName)
		for _, m := range r.Emails {
			words = append(words, m.Value)
		}
		for _, p := range r.Phones {
			words = append(words, p.Value)
		}
	}
	var former []string
	if err := w.tx.Raw("select words from former_names where person_id in ?", e.People).Scan(&former).Error; err != nil {
		return nil, fmt.Errorf("read former names: %w", err)
	}
	for _, text := range former { // display name, family and given name, given name, user name, address: see rename
		if lines := strings.Split(text, "\n"); len(lines) == 5 {
			names, words = append(names, lines[:2]...), append(words, lines[3:]...)
		}
	}
	for _, table := range []string{"kept_values", "record_looks"} {
		var said []struct {
			Hint  Hint
			Value string
		}
		if len(e.Links) == 0 {
			break
		}
		if err := w.tx.Raw("select hint, value from "+table+" where link in ? and hint <> ?", e.Links, hintClaims).Scan(&said).Error; err != nil {
			return nil, fmt.Errorf("read former values: %w", err)
		}
		for _, v := range said {
			if v.Hint == HintUserName {
				words = append(words, v.Value)
			} else {
				numbers = append(numbers, v.Value)
			}
		}
	}
	return w.telling(e.People, words, names, numbers)
}

// sameWord answers of whom a source says the same login, number, key or address; each part is a look into an index.
const sameWord = `select coalesce(person_id, '') from records where user_name_fold = ?
	union select coalesce(person_id, '') from records where employee_number = ? and employee_number <> ''
	union select coalesce(r.person_id, '') from sources s join records r on r.source_id = s.id and r.external_id = ?
	union select coalesce(r.person_id, '') from sources s join records r on r.source_id = s.id and r.record_key = ?
	union select coalesce(r.person_id, '') from record_contacts c join records r on r.link = c.link where c.value_fold = ?`

// telling chooses the words that tell these people apart. What somebody else is called as well speaks of them too: it is none. Where it is but
// a part of what somebody else is called, or a short number, it counts where it is all that a text within JSON says; of a name it never does.
func (w *work) telling(people []id.Person, words, names, numbers []string) (out []string, err error) {
	others := func(sql string, args ...any) bool {
		var found []id.Person
		if err == nil {
			err = w.tx.Raw(sql, args...).Scan(&found).Error
		}
		return slices.ContainsFunc(found, func(p id.Person) bool { return !slices.Contains(people, p) })
	}
	for kind, list := range [][]string{words, numbers, names} {
		slices.Sort(list)
		for _, word := range slices.Compact(list) {
			folded := fold(word)
			switch {
			case word == "" || kind != 1 && len(word) < 5:
			case others(sameWord, folded, word, word, word, folded):
			case len(word) >= 5 && !others(`select id from persons where id not in ? and search like ? escape '\' limit 1`, people, "%"+likeText(folded)+"%"):
				out = append(out, word)
			case kind != 2:
				out = append(out, `"`+word+`"`)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for others of that name: %w", err)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
