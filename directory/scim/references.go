package scim

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/id"
)

// What the ids of this service provider begin with.
const (
	userPrefix     = "lnk_"
	groupPrefix    = "dgr_"
	resourcePrefix = "res_" // of resource types from configuration; never a member or a manager
)

// A source may name a member or a manager by its own word before, or instead of, our id: by externalId, a manager
// also by userName (Okta). Such a reference is kept as sent while nobody answers to it, and becomes our id as soon
// as somebody does, in whatever order the requests come (J05, J06).

func ours(value string) bool {
	return strings.HasPrefix(value, userPrefix) || strings.HasPrefix(value, groupPrefix)
}

// lookup answers which of these externalIds are whose, within the source.
func (c *call) lookup(ctx context.Context, values []string) (map[string]id.Link, error) {
	out := map[string]id.Link{}
	for part := range slices.Chunk(values, maxResults) {
		where := make(directory.Or, len(part))
		for i, value := range part {
			where[i] = directory.Compare{Column: directory.ColExternalID, Op: directory.Eq, Value: value}
		}
		page, err := c.h.store.FindRecords(ctx, directory.RecordQuery{Source: c.source.ID, Pushed: true, Where: where, Limit: len(part), NoTotal: true, NoRaw: true})
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			out[record.ExternalID] = record.Link
		}
	}
	return out, nil
}

// resolve turns externalIds of people who are there into their ids.
func (m *memberEdit) resolve(ctx context.Context, c *call) error {
	lists := []*[]string{&m.add, &m.remove}
	if m.replace != nil {
		lists = append(lists, m.replace)
	}
	var foreign []string
	for _, list := range lists {
		for _, value := range *list {
			if !ours(value) {
				foreign = append(foreign, value)
			}
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	known, err := c.lookup(ctx, foreign)
	if err != nil {
		return err
	}
	for _, value := range foreign {
		if known[value] == "" {
			c.pending = append(c.pending, value)
		}
	}
	var stale []string
	for _, list := range lists {
		seen := map[string]bool{}
		var out []string
		for _, value := range *list {
			if link := known[value]; link != "" {
				switch list { // it may still stand there as it was sent
				case &m.remove:
					out = append(out, value)
				case &m.add:
					stale = append(stale, value)
				}
				value = string(link)
			}
			if !seen[value] {
				seen[value] = true
				out = append(out, value)
			}
		}
		*list = out
	}
	m.remove = append(m.remove, stale...)
	return nil
}

// recheck looks once more, after a group was written, for members who were not there before: somebody who came in
// between has not seen the group, but is seen now.
func (c *call) recheck(ctx context.Context, group directory.GroupRecord) (directory.GroupRecord, error) {
	if len(c.pending) == 0 {
		return group, nil
	}
	known, err := c.lookup(ctx, c.pending)
	if err != nil || len(known) == 0 {
		return group, err
	}
	edit := directory.EditGroup{Source: c.source.ID, Group: group.ID}
	for value, link := range known {
		page, err := c.h.store.Members(ctx, group.ID, directory.MemberQuery{Value: value, Limit: 1})
		if err != nil {
			return group, err
		}
		if len(page.Members) > 0 {
			edit.Remove, edit.Add = append(edit.Remove, value), append(edit.Add, string(link))
		}
	}
	applied, err := c.h.store.Apply(ctx, c.cause, edit)
	if errors.Is(err, directory.ErrNotFound) { // deleted by now; the write was answered for what it did
		return group, nil
	}
	if err != nil {
		return group, err
	}
	return applied.Groups[0], nil
}

// waitingKey is the key under which a reference to a manager waits for who answers to word: user names differ by more
// than case only (RFC 7643 section 4.1.1).
func waitingKey(word string) string {
	if key := directory.Fold(word); !ours(key) && len(key) <= maxKeyBytes {
		return key
	}
	return word
}

// findManager asks whom word means, before a transaction names them.
func (c *call) findManager(ctx context.Context, word string) error {
	if word == "" || ours(word) || c.managers[word] != "" {
		return nil
	}
	key, err := c.managerKey(ctx, word)
	if c.managers == nil {
		c.managers = map[string]string{}
	}
	if key != word {
		c.managers[word] = key
	}
	return err
}

// managerKey answers the key of the record that a manager's value names, or the value while there is none.
func (c *call) managerKey(ctx context.Context, value string) (string, error) {
	if value == "" || ours(value) {
		return value, nil
	}
	page, err := c.h.store.FindRecords(ctx, directory.RecordQuery{Source: c.source.ID, Pushed: true, Limit: 2, NoTotal: true, NoRaw: true, Where: directory.Or{
		directory.Compare{Column: directory.ColExternalID, Op: directory.Eq, Value: value},
		directory.Compare{Column: directory.ColUserName, Op: directory.Eq, Value: value}}})
	if err != nil {
		return "", err
	}
	for _, record := range page.Records {
		if record.ExternalID == value {
			return string(record.Link), nil
		}
	}
	if len(page.Records) == 1 {
		return string(page.Records[0].Link), nil
	}
	return value, nil
}

// arrived turns the references that waited for record into its id, and looks once more for its manager (see recheck).
// It answers the record as it stands then.
func (c *call) arrived(ctx context.Context, record directory.Record) (directory.Record, error) {
	if word := managerWord(record); word != "" && !ours(record.ManagerKey) {
		key, err := c.managerKey(ctx, word)
		if err != nil {
			return record, err
		}
		if key != word {
			if record, err = c.settleReferences(ctx, record, []directory.Change{c.setManager(record.Link, word, key)}); err != nil {
				return record, err
			}
		}
	}
	for {
		changes, err := c.waiting(ctx, record)
		if err != nil || len(changes) == 0 {
			return record, err
		}
		if record, err = c.settleReferences(ctx, record, changes); err != nil {
			return record, err
		}
	}
}

// settleReferences makes changes and answers record as it stands then.
func (c *call) settleReferences(ctx context.Context, record directory.Record, changes []directory.Change) (directory.Record, error) {
	c.referred = true
	applied, err := c.h.store.Apply(ctx, c.cause, changes...)
	for _, r := range applied.Records {
		if r.Link == record.Link {
			record = r
		}
	}
	return record, err
}

// managerWord is the word by which the source names the manager of a record.
func managerWord(record directory.Record) string {
	body, err := parseRaw(record.Raw)
	if err != nil {
		return ""
	}
	return text(body, enterpriseURN, "manager", "value")
}

// setManager names the manager of a record by id, unless its source names another one meanwhile.
func (c *call) setManager(link id.Link, word, key string) directory.Change {
	return directory.EditRecord{Source: c.source.ID, Link: link, Edit: func(r *directory.Record) error {
		if !ours(r.ManagerKey) && managerWord(*r) == word {
			r.ManagerKey = key
		}
		return nil
	}}
}

// waitingAtOnce is how many references one transaction turns into ids.
const waitingAtOnce = 500

// waiting answers changes that turn references to record, by another word than its id, into its id: some at a time, none
// when all are turned.
func (c *call) waiting(ctx context.Context, record directory.Record) ([]directory.Change, error) {
	var names []string
	keys := []string{record.UserName, waitingKey(record.UserName), record.ExternalID, waitingKey(record.ExternalID)}
	for i, key := range keys {
		if key != "" && !ours(key) && !slices.Contains(keys[:i], key) {
			names = append(names, key)
		}
	}
	named, err := c.h.store.Named(ctx, c.source.ID, names, record.ExternalID)
	if err != nil || !named {
		return nil, err
	}
	where := make(directory.Or, len(names))
	for i, name := range names {
		where[i] = directory.Compare{Column: directory.ColManager, Op: directory.Eq, Value: name}
	}
	reports, err := c.h.store.FindRecords(ctx, directory.RecordQuery{Source: c.source.ID, Pushed: true, Where: where, Limit: waitingAtOnce, NoTotal: true})
	if err != nil {
		return nil, err
	}
	var changes []directory.Change
	for _, report := range reports.Records {
		if word := managerWord(report); word != "" && (word == record.ExternalID || directory.Fold(word) == directory.Fold(record.UserName)) {
			changes = append(changes, c.setManager(report.Link, word, string(record.Link)))
		}
	}
	if record.ExternalID == "" || ours(record.ExternalID) {
		return changes, nil
	}
	groups, err := c.h.store.FindGroups(ctx, directory.GroupQuery{Source: c.source.ID, Limit: waitingAtOnce, NoTotal: true, NoRaw: true,
		Where: directory.Compare{Column: directory.ColMember, Op: directory.Eq, Value: record.ExternalID}})
	if err != nil {
		return nil, err
	}
	for _, group := range groups.Groups {
		changes = append(changes, directory.EditGroup{Source: c.source.ID, Group: group.ID, Remove: []string{record.ExternalID}, Add: []string{string(record.Link)}})
	}
	return changes, nil
}
