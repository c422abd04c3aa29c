package ldap

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Mapping says what is read from where: see Config.Mapping and Config.Labels.
type Mapping struct {
	Mapping map[string]string `json:"mapping,omitempty" doc:"attribute of a person → LDAP attributes, separated by commas; what is not named keeps its default, \"-\" reads it from nowhere"`
	Labels  map[string]string `json:"labels,omitempty" doc:"free label → LDAP attribute"`
}

// in answers c with this mapping instead of its own.
func (m Mapping) in(c Config) Config {
	c.Mapping, c.Labels = m.Mapping, m.Labels
	return c
}

// FieldDiff is what another mapping does to one attribute of people.
type FieldDiff struct {
	Field    string        `json:"field"`
	Changed  int           `json:"changed" doc:"people who have another value"`
	Gained   int           `json:"gained" doc:"people who had none"`
	Lost     int           `json:"lost" doc:"people who have none then"`
	Examples []FieldChange `json:"examples" nullable:"false"`
}

// FieldChange is one of them.
type FieldChange struct {
	Person string `json:"person" doc:"their name, or the entry's"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// GroupDiff is what becomes of the memberships of one project group.
type GroupDiff struct {
	Group   string `json:"group" doc:"its key"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Roles   int    `json:"roles"`
}

// MappingDiff is what another mapping would change for everybody, on a reading made for it.
type MappingDiff struct {
	People   int         `json:"people" doc:"entries that were read"`
	Changed  int         `json:"changed" doc:"people with any difference"`
	Fields   []FieldDiff `json:"fields" nullable:"false"`
	Complete bool        `json:"complete" doc:"the reading is proved complete"`
	Missing  []string    `json:"missing" nullable:"false" doc:"why it is not"`
	// Foreseen is false where so many people change that their memberships were not worked out; the guard weighs them when it is applied.
	Foreseen bool        `json:"foreseen"`
	Groups   []GroupDiff `json:"groups" nullable:"false"`
	Findings []Finding   `json:"findings" nullable:"false"`
	Seconds  float64     `json:"seconds"`
	Base     int         `json:"base_version" doc:"of the mapping it was compared with"`
	Hash     string      `json:"hash" doc:"names this preview when it is applied"`
}

// examples is how many changes of one attribute are shown.
const examples = 5

// foreseeMost bounds for how many people memberships are worked out: that is a transaction, undone at its end.
const foreseeMost = 1000

// comparison is one reading seen through two mappings.
type comparison struct {
	source   id.Source
	old, new *prepared
	diff     MappingDiff
	fields   map[string]*FieldDiff
	changed  map[string]directory.Record // key → what the new mapping makes of it
	logins   map[string]int              // login → people who would have it
	noLogin  int
	hadNone  int
}

func newComparison(source id.Source, now, proposed *prepared) *comparison {
	return &comparison{source: source, old: now, new: proposed, fields: map[string]*FieldDiff{}, changed: map[string]directory.Record{}, logins: map[string]int{}}
}

// add takes one page of people.
func (c *comparison) add(objects []Object) {
	for _, o := range objects {
		if o.Class != ClassPerson {
			continue
		}
		c.diff.People++
		was, will := c.old.record(c.source, o), c.new.record(c.source, o)
		before, after := asserted(was), asserted(will)
		name := cmp.Or(will.DisplayName, was.DisplayName, will.UserName, o.DN)
		if login := after["user_name"]; login == "" {
			c.noLogin++
		} else {
			c.logins[strings.ToLower(login)]++
		}
		if before["user_name"] == "" {
			c.hadNone++
		}
		differs := false
		for _, field := range slices.Sorted(maps.Keys(union(before, after))) {
			if before[field] == after[field] {
				continue
			}
			differs = true
			c.note(field, FieldChange{name, before[field], after[field]})
		}
		if differs {
			c.diff.Changed++
			if len(c.changed) <= foreseeMost {
				c.changed[o.Key] = will
			}
		}
	}
}

func union(a, b map[string]string) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

func (c *comparison) note(field string, change FieldChange) {
	f := c.fields[field]
	if f == nil {
		f = &FieldDiff{Field: field, Examples: []FieldChange{}}
		c.fields[field] = f
	}
	switch {
	case change.Before == "":
		f.Gained++
	case change.After == "":
		f.Lost++
	}
	if f.Changed++; len(f.Examples) < examples {
		f.Examples = append(f.Examples, change)
	}
}

// result counts what was added, and says what an administrator should look at twice.
func (c *comparison) result() MappingDiff {
	d := c.diff
	d.Fields, d.Findings, d.Groups = []FieldDiff{}, []Finding{}, []GroupDiff{}
	for _, f := range c.fields {
		d.Fields = append(d.Fields, *f)
	}
	slices.SortFunc(d.Fields, func(a, b FieldDiff) int {
		return cmp.Or(cmp.Compare(b.Changed, a.Changed), cmp.Compare(a.Field, b.Field))
	})
	find := func(severity Severity, code, format string, args ...any) {
		d.Findings = append(d.Findings, Finding{severity, code, fmt.Sprintf(format, args...)})
	}
	twice := 0
	for _, n := range c.logins {
		twice += n - 1
	}
	if twice > 0 {
		find(Warning, "login_twice", "%s have the login of another entry; they are kept without it", persons(twice, "would", "would"))
	}
	if c.noLogin > c.hadNone {
		find(Warning, "no_login", "%d of %d people would have no login", c.noLogin, d.People)
	}
	for _, f := range d.Fields {
		switch {
		case slices.Contains([]string{"user_name", "employee_number", "external_id"}, f.Field) && f.Changed > f.Gained:
			find(Warning, "identifies", "%s of %d people changes: people are signed in and joined with other sources by it", f.Field, f.Changed-f.Gained)
		case f.Lost > d.People/2 && f.Lost > 1:
			find(Warning, "emptied", "%s is lost by %d of %d people: is the attribute name right, and may the account read it?", f.Field, f.Lost, d.People)
		}
	}
	return d
}

// compare reads the directory once and sees it through both mappings. read is told how many people were read.
func compare(ctx context.Context, source id.Source, now, proposed Config, read func(int)) (*comparison, error) {
	was, err := now.prepare()
	if err != nil {
		return nil, err
	}
	will, err := proposed.prepare()
	if err != nil {
		return nil, err
	}
	client, err := NewClient(now)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for _, names := range will.fields {
		client.p.also = append(client.p.also, names...)
	}
	client.p.also = slices.AppendSeq(client.p.also, maps.Values(will.labels))
	c := newComparison(source, was, will)
	proof, err := client.Snapshot(ctx, func(objects []Object) error {
		c.add(objects)
		read(c.diff.People)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.diff.Complete, c.diff.Missing = proof.Complete(), append([]string{}, proof.Missing...)
	return c, nil
}

// foresee works out what becomes of memberships: it writes the records in a transaction that is undone.
func (c *comparison) foresee(ctx context.Context, store *directory.Store, cause directory.Cause,
	look func(*db.Tx, []id.Person) ([]directory.MembershipChange, error)) (groups []GroupDiff, ok bool, err error) {
	if look == nil || len(c.changed) > foreseeMost {
		return []GroupDiff{}, false, nil
	}
	known, err := store.RecordKeys(ctx, c.source)
	if err != nil {
		return nil, false, err
	}
	var changes []directory.Change
	var people []id.Person
	for _, k := range known {
		r, there := c.changed[k.Key]
		if !there || !k.DeletedAt.IsZero() {
			continue
		}
		people = append(people, k.Person)
		changes = append(changes, directory.EditRecord{Source: c.source, Link: k.Link, Edit: func(rec *directory.Record) error {
			rec.Attributes, rec.ExternalID = r.Attributes, r.ExternalID // the login stays: who has it of two is settled when it is written
			return nil
		}})
	}
	of := map[string]*GroupDiff{}
	if len(changes) > 0 {
		if _, err := store.Try(ctx, cause, func(tx *db.Tx) error {
			memberships, err := look(tx, people)
			for _, m := range memberships {
				g := of[m.Group]
				if g == nil {
					g = &GroupDiff{Group: m.Group}
					of[m.Group] = g
				}
				switch m.Op {
				case "add":
					g.Added++
				case "remove":
					g.Removed++
				case "role":
					g.Roles++
				}
			}
			return err
		}, changes...); err != nil {
			return nil, false, fmt.Errorf("foresee memberships: %w", err)
		}
	}
	groups = []GroupDiff{}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		if g := *of[key]; g.Added+g.Removed+g.Roles > 0 {
			groups = append(groups, g)
		}
	}
	return groups, true, nil
}

// hash names a preview: of which mapping, on which one, with what result.
func (d MappingDiff) hash(m Mapping) string {
	d.Hash, d.Seconds = "", 0
	raw, err := json.Marshal(struct {
		Mapping
		MappingDiff
	}{m, d})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:12])
}
