package hrfeed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rollcall-im/rollcall/directory"
)

// gather puts the rows of each person together, in order of when they hold.
func (j *job) gather(*table) error {
	var err error
	if j.units, err = j.knownUnits(); err != nil {
		return err
	}
	j.doubtNumbers()
	e := &editor{m: j.m, delta: j.rep.Kind == Delta, names: j.names, zone: j.zone, now: j.rep.At, note: func(in intent, code, format string, args ...any) {
		j.rep.note(Finding{Line: in.line, Row: in.row, Key: in.key, Code: code, Text: fmt.Sprintf(format, args...)})
	}}
	byKey := map[string][]intent{}
	var order []string
	for _, in := range j.intents {
		if byKey[in.key] == nil {
			order = append(order, in.key)
		}
		byKey[in.key] = append(byKey[in.key], in)
		j.name(in.key)
	}
	j.rep.Counts.People = len(order)
	j.managersByName(byKey)
	for _, key := range order {
		rows, p := byKey[key], j.people[key]
		if len(rows) > 1 {
			rows = j.ordered(e, p, rows)
		}
		for _, in := range rows {
			if wrong := e.take(p, in); wrong != nil {
				if wrong.code == "unknown_person" || wrong.code == "no_name" {
					j.unsure++ // it may be somebody else's row
				}
				j.rep.refuse(Finding{Line: in.line, Row: in.row, Key: key, Code: wrong.code, Text: wrong.text})
				continue
			}
			j.units.take(in)
		}
	}
	return nil
}

// doubtNumbers refuses rows whose numbers may have lost their zeros, or are written in another case: nobody can say whose they are.
func (j *job) doubtNumbers() {
	known := map[string]bool{}
	for _, k := range j.keys {
		if k.DeletedAt.IsZero() {
			known[k.Key] = true
		}
	}
	j.numberedManagers(known)
	l := lengthsOf(j.m, known, j.intents)
	j.intents = slices.DeleteFunc(j.intents, func(in intent) bool {
		code, text := l.doubt(in.key)
		column := j.m.key()
		if code != "" {
			j.unsure++
		} else if manager, said := in.says(fManager); said && manager != "" {
			if code, text = l.doubt(manager); code == "bad_length" && j.isName(manager) {
				code = "" // it is no number: see managersByName
			}
			column = fManager
			j.name(in.key)
		}
		if code == "" {
			return false
		}
		j.rep.refuse(Finding{Line: in.line, Row: in.row, Column: column, Key: in.key, Code: code, Text: text})
		return true
	})
}

// numberedManagers reads the number of a manager who is said by name and number, in whatever order: "00021 李娜", "李娜（00021）". It is a number that is
// known or in the file; where none is, or two are, the text stays as it is: see managersByName.
func (j *job) numberedManagers(known map[string]bool) {
	named := map[string]bool{}
	for _, in := range j.intents {
		named[in.key] = true
	}
	for i, in := range j.intents {
		manager, _ := in.says(fManager)
		if !j.isName(manager) || known[manager] || named[manager] {
			continue
		}
		words := strings.FieldsFunc(manager, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.Is(unicode.Han, r) || unicode.In(r, unicode.Ps, unicode.Pe) || strings.ContainsRune(",，、;；:：/|", r)
		})
		var numbers []string
		for _, word := range words {
			if word = strings.Trim(word, "-_.#"); known[word] || named[word] {
				numbers = append(numbers, word)
			}
		}
		slices.Sort(numbers)
		if numbers = slices.Compact(numbers); len(numbers) != 1 {
			continue
		}
		texts := slices.Clone(in.texts)
		for k, a := range texts {
			if a.field == fManager {
				texts[k].value = numbers[0]
			}
		}
		j.intents[i].texts = texts
	}
}

// managersByName notes rows that say a manager by a name, without a number that is known: nobody is found by one. Where people are known by numbers it is none, and the manager who is known
// stays; else it may be the key of somebody who comes later.
func (j *job) managersByName(rows map[string][]intent) {
	known := map[string]bool{}
	for _, k := range j.keys {
		known[k.Key] = true
	}
	for _, of := range rows {
		for i, in := range of {
			manager, _ := in.says(fManager)
			if !j.isName(manager) || known[manager] || rows[manager] != nil {
				continue
			}
			text := "it looks like a name without the number of anybody who is known, and managers are found by their number alone (" + j.m.key() + "): "
			if j.m.key() == fNumber {
				of[i].texts = slices.DeleteFunc(slices.Clone(in.texts), func(a assign) bool { return a.field == fManager })
				text += "the manager was left as it was"
			} else {
				text += "no manager is known until somebody has it as theirs"
			}
			j.rep.note(Finding{Line: in.line, Row: in.row, Key: in.key, Column: fManager, Code: "manager_name", Value: cutText(manager), Text: text})
		}
	}
}

// isName tells whether a text looks like a name and not like a key of the source: it is in Chinese or of several words, with a number beside it or without;
// where people are known by numbers, also letters without a digit, or an e-mail address.
func (j *job) isName(text string) bool {
	words := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) ||
		strings.ContainsFunc(text, unicode.IsSpace) && strings.ContainsFunc(text, unicode.IsLetter)
	if words || j.m.key() != fNumber {
		return words
	}
	return strings.ContainsFunc(text, unicode.IsLetter) && !strings.ContainsFunc(text, unicode.IsDigit) || strings.Contains(text, "@")
}

// ordered answers the rows of one person by when they hold. Of a full file two rows that hold now and differ are both refused, and so is a row beside one
// that ends everything at once: nobody can say which of them counts.
func (j *job) ordered(e *editor, p *person, rows []intent) []intent {
	slices.SortStableFunc(rows, func(a, b intent) int {
		return a.effective.begin(e.zoneOf(p.rec, a)).Compare(b.effective.begin(e.zoneOf(p.rec, b)))
	})
	if j.rep.Kind == Delta {
		return rows
	}
	out := rows[:0:0]
	for i, in := range rows {
		twice := slices.IndexFunc(rows, func(o intent) bool {
			if o.line == in.line && o.row == in.row || o.same(in) {
				return false
			}
			return o.effective == in.effective && o.action == "" && in.action == "" || o.action == terminateNow || in.action == terminateNow
		})
		if twice >= 0 {
			where := fmt.Sprintf("line %d", rows[twice].line)
			if rows[twice].row > 0 {
				where = fmt.Sprintf("row %d", rows[twice].row)
			}
			j.rep.refuse(Finding{Line: in.line, Row: in.row, Key: in.key, Code: "twice", Text: where + " says something else of the same number"})
			continue
		}
		if i > 0 && in.same(rows[i-1]) {
			continue
		}
		out = append(out, in)
	}
	return out
}

// missing finds whom a full file does not name. Nothing is taken from what a file does not say where any row could not be told whose it is.
func (j *job) missing(*table) error {
	if j.rep.Kind != Full {
		return nil
	}
	live, met := 0, 0
	for _, k := range j.keys {
		if !k.DeletedAt.IsZero() {
			continue
		}
		live++
		switch {
		case j.named[k.Key]:
			met++
		case k.AbsentSince.IsZero():
			j.absent = append(j.absent, k.Key)
		}
	}
	const enough = 5
	switch {
	case live > 0 && j.rep.Counts.People == 0:
		return fmt.Errorf("%w: it names nobody, and %d are known", ErrImplausible, live)
	case live >= enough && met == 0:
		return fmt.Errorf("%w: none of the %d people it names is among the %d that are known; is it of another company, or is the key another one?", ErrImplausible, j.rep.Counts.People, live)
	}
	if j.rep.Complete = j.unsure == 0; !j.rep.Complete {
		j.absent = nil
		j.rep.note(Finding{Code: "not_complete", Text: fmt.Sprintf("nobody was taken for missing: of %d rows nobody can say whose they are", j.unsure)})
	}
	return nil
}

// units are the units that a file names, with those that the source has.
type units struct {
	known map[string]directory.Unit
	want  map[string]directory.Unit
	order []string // parents first
}

func (j *job) knownUnits() (*units, error) {
	list, err := j.Store.UnitsOf(j.ctx, j.source.ID)
	if err != nil {
		return nil, err
	}
	u := &units{known: map[string]directory.Unit{}, want: map[string]directory.Unit{}}
	for _, unit := range list {
		u.known[unit.Key] = unit
	}
	return u, nil
}

// take notes the units that a row names. A unit without a name keeps the one it has.
func (u *units) take(in intent) {
	key, _ := in.says(fUnit)
	name, _ := in.says(fUnitName)
	parent := ""
	for i, part := range in.path {
		at := pathKey(in.path[:i+1])
		if i == len(in.path)-1 && key != "" {
			at = key
		}
		u.put(at, cmp.Or(map[bool]string{true: name}[i == len(in.path)-1], part), parent, true)
		parent = at
	}
	if len(in.path) == 0 && key != "" {
		u.put(key, name, "", false)
	}
}

func (u *units) put(key, name, parent string, placed bool) {
	unit, seen := u.want[key]
	if !seen {
		unit = u.known[key]
	}
	if unit.Key = key; placed {
		unit.ParentKey = parent
	}
	if unit.Name = cmp.Or(name, unit.Name, key); !seen {
		u.order = append(u.order, key)
	}
	u.want[key] = unit
}

// changes answers what to write of the units.
func (u *units) changes(source directory.Source) []directory.Change {
	var out []directory.Change
	for _, key := range u.order {
		unit, old := u.want[key], u.known[key]
		if old.Key != "" && old.Name == unit.Name && old.ParentKey == unit.ParentKey {
			continue
		}
		unit.Source = source.ID
		out = append(out, directory.PutUnit{Unit: unit, ParentKey: unit.ParentKey})
	}
	return out
}
