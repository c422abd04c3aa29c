package guests

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
)

// The columns of a file, in any order. sponsor is for administrators alone: whoever is none answers for their guests themselves.
var columns = []string{"company", "email", "name", "group", "channels", "until", "reason", "sponsor"}

// ParseImport reads a file: comma-separated values (RFC 4180) with a first line that names the columns; where it has no comma but semicolons, as some spreadsheets write, those separate. It answers each
// line by the names of the columns, with its number. ErrInvalid for a file that is none.
func ParseImport(file string) ([]map[string]string, []int, error) {
	text := strings.TrimPrefix(file, "\ufeff")
	if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) { // of another encoding: whoever is let in would be called so for good
		return nil, nil, fmt.Errorf("%w: the file is not UTF-8", ErrInvalid)
	}
	head, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(bytes.NewReader([]byte(text)))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	if strings.Contains(head, ";") && !strings.Contains(head, ",") {
		r.Comma = ';'
	}
	names, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the file has no first line that names its columns", ErrInvalid)
	}
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, names[i]) || slices.Index(names, names[i]) < i {
			return nil, nil, fmt.Errorf("%w: column %q: the columns are %s", ErrInvalid, name, strings.Join(columns, ", "))
		}
	}
	for _, name := range columns[:7] {
		if !slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("%w: there is no column %q", ErrInvalid, name)
		}
	}
	var rows []map[string]string
	var lines []int
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, lines, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %v", ErrInvalid, err)
		}
		line, _ := r.FieldPos(0)
		if len(fields) != len(names) {
			return nil, nil, fmt.Errorf("%w: line %d has %d columns, and the first has %d", ErrInvalid, line, len(fields), len(names))
		}
		row := map[string]string{}
		for i, field := range fields {
			row[names[i]] = strings.TrimSpace(field)
		}
		rows, lines = append(rows, row), append(lines, line)
		if len(rows) > batchMost {
			return nil, nil, fmt.Errorf("%w: a file has at most %d lines", ErrInvalid, batchMost)
		}
	}
}

// untilOf reads an instant (RFC 3339), or a day: then its last moment in UTC is meant.
func untilOf(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %q is neither a day, as 2027-06-30, nor an instant, as 2027-06-30T22:00:00Z", ErrInvalid, text)
	}
	return at.UTC().Truncate(time.Microsecond), nil
}

// Import lets in whom a file names, as shown says, or looks at what would become of each line. A line that cannot be is refused by itself; the others are let in. Sponsor is who answers for all of them;
// where it is empty each line names who does, by user name, e-mail address or id. ErrInvalid, ErrDrift.
func (e *Engine) Import(ctx context.Context, cause directory.Cause, shown Shown, file string, sponsor id.Person) (Batch, error) {
	rows, lines, err := ParseImport(file)
	if err != nil {
		return Batch{}, err
	}
	groups, err := e.known(ctx, sponsor)
	if err != nil {
		return Batch{}, err
	}
	sponsors := map[string]id.Person{}
	list := make([]act, len(rows))
	for i, r := range rows {
		row := Row{Line: lines[i], Name: r["name"], Email: r["email"], Company: r["company"], Group: r["group"], Channels: fieldsOf(r["channels"])}
		w := Wish{Company: r["company"], Email: r["email"], Name: r["name"], Sponsor: sponsor, Channels: slices.Clone(row.Channels), Reason: r["reason"], Any: sponsor == ""}
		address, err := ParseAddress(w.Email)
		if err == nil {
			w.Email = address.Text
			w.Until, err = untilOf(r["until"])
		}
		if err == nil {
			err = w.check()
		}
		if err == nil {
			at := slices.IndexFunc(groups, func(g provisioning.GroupView) bool { return g.Key == r["group"] || string(g.ID) == r["group"] })
			if at < 0 {
				err = fmt.Errorf("group %q: %w", r["group"], ErrNotFound)
			} else {
				w.Group, row.Group = groups[at].ID, groups[at].Key
			}
		}
		switch {
		case err != nil:
		case sponsor == "":
			w.Sponsor, err = e.sponsorNamed(ctx, sponsors, r["sponsor"])
		case r["sponsor"] != "":
			err = fmt.Errorf("%w: you answer for those whom you let in: no column sponsor", ErrInvalid)
		}
		if err != nil {
			if problemOf(err) == "" {
				return Batch{}, err
			}
			row.Op, row.Code, row.Problem = OpRefused, problemOf(err), err.Error()
			list[i] = refused(row)
			continue
		}
		list[i] = e.let(cause, w, row, e.newcomer(ctx, address, w))
	}
	return e.run(ctx, cause, shown, list)
}

// known answers the project groups that somebody can name: all of them for an administrator, else those that they have a place in, for a group that they have none in is not there for them. Who owns none
// lets nobody in: ErrNotSponsor, before anybody waits for the lock.
func (e *Engine) known(ctx context.Context, sponsor id.Person) ([]provisioning.GroupView, error) {
	groups, err := e.Reactor.Groups(ctx)
	if err != nil || sponsor == "" {
		return groups, err
	}
	owned, err := e.Reactor.OwnedGroups(ctx, sponsor)
	if err == nil && len(owned) == 0 {
		err = fmt.Errorf("%w: you own no project group", ErrNotSponsor)
	}
	if err != nil {
		return nil, err
	}
	have, err := e.Reactor.MembershipsOf(ctx, sponsor)
	return slices.DeleteFunc(groups, func(g provisioning.GroupView) bool {
		return !slices.ContainsFunc(have, func(m provisioning.MembershipView) bool { return m.Group == g.ID })
	}), err
}

func fieldsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '，' || r == '、' })
}

// sponsorNamed answers who is named by a user name, an e-mail address or an id; known keeps what was found.
func (e *Engine) sponsorNamed(ctx context.Context, known map[string]id.Person, word string) (id.Person, error) {
	if word == "" {
		return "", fmt.Errorf("%w: a line names its sponsor", ErrInvalid)
	}
	if strings.HasPrefix(word, "per_") {
		return id.Person(word), nil
	}
	if p, ok := known[word]; ok {
		return p, nil
	}
	page, err := e.Directory.People(ctx, directory.Query{Text: word, Limit: 200})
	if err != nil {
		return "", err
	}
	var found []id.Person
	for _, p := range page.People {
		if strings.EqualFold(p.UserName, word) || strings.EqualFold(p.Email, word) {
			found = append(found, p.ID)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w: sponsor %q names %d people", ErrInvalid, word, len(found))
	}
	known[word] = found[0]
	return found[0], nil
}
