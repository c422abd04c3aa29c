package directory

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Crowd is everybody, or some people, read in a few strokes on one state of the database.
type Crowd struct {
	Known []id.Person // in order of id: who of them the directory knows
	// Involved are, in order of id, those about whom something may change by itself, or whom something keeps out: a freeze, an instant
	// ahead, an absence, a record that ended or is disabled, or none at all. They are for Facts; Each answers all others.
	Involved []id.Person

	q       handle
	reader  Reader
	now     time.Time
	some    []id.Person // nil: everybody
	texts   []string    // what many have in common, each once
	placed  map[string]int32
	number  map[id.Person]int32 // place in Known
	crowd   []crowdPerson       // as Known
	records []crowdRecord

	sources map[id.Source]Source
	paths   unitPaths
	ups     map[id.Unit][]UnitKey
	inside  map[reference]int32 // the first of links of what is in groups, counted from 1
	links   []groupLink
	names   [][]string // of a group and all it is in, by the keys that rules use
	direct  []int32    // of the person at hand
}

type crowdPerson struct {
	first    int32 // of records, counted from 1; 0: none
	involved bool
}

// crowdRecord is what an employment is told by. What many have in common is its place in texts.
type crowdRecord struct {
	link, key, number                       string
	source, kind, department, company, unit int32
	next                                    int32
	start, end, leaveFrom, leaveUntil       crowdTime
}

// crowdTime is an instant in microseconds, counted from 1; 0: none.
type crowdTime int64

// Scan implements sql.Scanner.
func (t *crowdTime) Scan(v any) error {
	var at db.Instant
	err := at.Scan(v)
	if *t = 0; !at.IsZero() {
		*t = crowdTime(at.UnixMicro())
		if *t >= 0 {
			*t++
		}
	}
	return err
}

func (t crowdTime) time() time.Time {
	switch {
	case t == 0:
		return time.Time{}
	case t > 0:
		t--
	}
	return time.UnixMicro(int64(t)).UTC()
}

// Crowd reads everybody, or only these people where any are named; groups tells whether Person.Groups is wanted.
func (r Reader) Crowd(tx *db.Tx, groups bool, some ...id.Person) (*Crowd, error) {
	c := &Crowd{q: tx.DB, reader: r, now: r.now(), some: some, placed: map[string]int32{}}
	err := c.list()
	if err == nil {
		err = c.readRecords()
	}
	if err == nil {
		err = c.involve()
	}
	if err == nil {
		err = c.prepare(groups)
	}
	return c, err
}

// each calls row for every row of a query whose %s is where the people are chosen by column.
func (c *Crowd) each(query, column string, row func(*sql.Rows) error) error {
	some := [][]id.Person{nil}
	if c.some != nil {
		some = slices.Collect(slices.Chunk(c.some, chunk))
	}
	for _, part := range some {
		where, args := "1 = 1", []any(nil)
		if part != nil {
			where, args = column+" in ?", []any{db.Pad(part)}
		}
		if err := eachRow(c.q.Raw(fmt.Sprintf(query, where), args...), row); err != nil {
			return fmt.Errorf("read people: %w", err)
		}
	}
	return nil
}

func eachRow(q handle, row func(*sql.Rows) error) error {
	rows, err := q.Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// list finds out who there is.
func (c *Crowd) list() error {
	c.some = slices.Clone(c.some)
	slices.Sort(c.some)
	c.some = slices.Compact(c.some)
	err := c.each("select id from persons where %s", "id", func(rows *sql.Rows) error {
		var person string
		err := rows.Scan(&person)
		c.Known = append(c.Known, id.Person(person))
		return err
	})
	slices.Sort(c.Known)
	c.number, c.crowd = make(map[id.Person]int32, len(c.Known)), make([]crowdPerson, len(c.Known))
	for i, person := range c.Known {
		c.number[person] = int32(i)
	}
	return err
}

func (c *Crowd) readRecords() error {
	c.records = make([]crowdRecord, 0, len(c.Known)+1)
	return c.each(`select person_id, link, source_id, record_key, employee_number, employee_type, department, company, unit_key, start_at, end_at, leave_from, leave_until,
			case when active = true and deleted_at is null and absent_since is null and planned in ('null', '[]') then 0 else 1 end
		from records where person_id is not null and %s`, "person_id", func(rows *sql.Rows) error {
		var person, source, kind, department, company, unit sql.RawBytes
		var r crowdRecord
		var involved int
		if err := rows.Scan(&person, &r.link, &source, &r.key, &r.number, &kind, &department, &company, &unit, &r.start, &r.end, &r.leaveFrom, &r.leaveUntil, &involved); err != nil {
			return err
		}
		n, known := c.number[id.Person(person)]
		if !known {
			return nil
		}
		who := &c.crowd[n]
		r.source, r.kind, r.department, r.company, r.unit, r.next = c.place(source), c.place(kind), c.place(department), c.place(company), c.place(unit), who.first
		c.records = append(c.records, r)
		who.first = int32(len(c.records))
		who.involved = who.involved || involved == 1
		return nil
	})
}

// involve completes who is involved.
func (c *Crowd) involve() error {
	for query, column := range map[string]string{
		"select id from persons where (due_at is not null or gone = true or absent = true or merged_into <> '') and %s": "id",
		"select person_id from freezes where lifted_at is null and %s":                                                  "person_id"} {
		if err := c.each(query, column, func(rows *sql.Rows) error {
			var person sql.RawBytes
			err := rows.Scan(&person)
			if n, known := c.number[id.Person(person)]; known {
				c.crowd[n].involved = true
			}
			return err
		}); err != nil {
			return err
		}
	}
	for i := range c.crowd {
		who := &c.crowd[i]
		if who.involved = who.involved || who.first == 0; who.involved {
			c.Involved = append(c.Involved, c.Known[i])
		}
	}
	return nil
}

// Each calls see, in order of id, for everybody who is not involved. see gets what Facts answers, but of the records only what an employment is told
// by; it must not query, and only the texts in what it gets stay as they are after it. It is called once.
func (c *Crowd) Each(see func(Fact) error) error {
	order := "id"
	if c.reader.engine == db.Postgres {
		order = `id collate "C"`
	}
	var f Fact
	return c.each("select id, display_name, user_name, email, unit_id, manager_id, attributes, rehired_at, version, created_at, updated_at from persons where %s order by "+order, "id",
		func(rows *sql.Rows) error {
			var person, unit, manager, attributes sql.RawBytes
			var row personRow
			if err := rows.Scan(&person, &row.DisplayName, &row.UserName, &row.Email, &unit, &manager, &attributes, &row.RehiredAt, &row.Version, &row.CreatedAt, &row.UpdatedAt); err != nil {
				return err
			}
			n, known := c.number[id.Person(person)]
			if !known || c.crowd[n].involved {
				return nil
			}
			row.ID, row.UnitID, row.ManagerID = c.Known[n], id.Unit(c.text(unit)), id.Person(c.text(manager))
			if err := row.Attributes.V.read(attributes); err != nil {
				return fmt.Errorf("attributes of %s: %w", row.ID, err)
			}
			f = Fact{Person: row.person(), Records: f.Records[:0]}
			f.Person.Status = StatusActive
			c.employ(&f, c.crowd[n].first)
			return see(f)
		})
}

// employ fills in what the records of a person say, of which first is one.
func (c *Crowd) employ(f *Fact, first int32) {
	direct := c.direct[:0]
	for at := first; at > 0; at = c.records[at-1].next {
		r := &c.records[at-1]
		rec := Record{Link: id.Link(r.link), Source: id.Source(c.texts[r.source]), Key: r.key, Person: f.Person.ID, Active: true, UnitKey: c.texts[r.unit],
			StartAt: r.start.time(), EndAt: r.end.time(), LeaveFrom: r.leaveFrom.time(), LeaveUntil: r.leaveUntil.time()}
		rec.EmployeeNumber, rec.EmployeeType, rec.Department, rec.Company = r.number, c.texts[r.kind], c.texts[r.department], c.texts[r.company]
		f.Records = append(f.Records, rec)
		direct = c.groupsOf(reference{rec.Source, rec.Key}, direct)
	}
	c.direct, f.Person.Groups = direct, c.groupNames(direct)
	if len(f.Records) > 1 {
		slices.SortFunc(f.Records, func(a, b Record) int { return strings.Compare(string(a.Link), string(b.Link)) })
		f.Records = slices.Clone(f.Records)
		f.arrange(c.sources, c.paths, c.now)
		return
	}
	// One record is one employment, and its unit that of the person: what arrange would find.
	rec := f.Records[0]
	unit := c.paths.ids[reference{rec.Source, rec.UnitKey}]
	a := Affiliation{ID: id.Affiliation("aff_" + strings.TrimPrefix(string(rec.Link), "lnk_")), Person: f.Person.ID, Link: rec.Link, Links: []id.Link{rec.Link},
		StartAt: rec.StartAt, EndAt: rec.EndAt, Active: true, Kind: rec.EmployeeType, Department: rec.Department, Unit: unit}
	if l := (employment{records: f.Records}).leave(false); len(l) > 0 {
		a.LeaveFrom, a.LeaveUntil = instant(l[0].from), instant(l[0].until)
	}
	f.Affiliations = []Affiliation{a}
	f.UnitPath = c.up(f.Person.Unit)
	if path := c.up(unit); len(path) > 0 {
		f.UnitPaths = [][]UnitKey{path}
	}
}

// place answers where a text stands in texts.
func (c *Crowd) place(raw sql.RawBytes) int32 {
	at, known := c.placed[string(raw)]
	if !known {
		at = int32(len(c.texts))
		c.texts = append(c.texts, string(raw))
		c.placed[c.texts[at]] = at
	}
	return at
}

// text answers a text, the same memory for the same text.
func (c *Crowd) text(raw sql.RawBytes) string { return c.texts[c.place(raw)] }
