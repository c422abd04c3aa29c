package directory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-im/rollcall/internal/feed"
	"github.com/rollcall-im/rollcall/internal/id"
)

func (w *work) createGroup(c CreateGroup) (Outcome, error) {
	g := c.Group
	if err := w.cleanGroup(g); err != nil {
		return "", err
	}
	if g.DisplayName == "" {
		return "", fmt.Errorf("%w: displayName is required", ErrInvalid)
	}
	return Created, w.newGroup(g, c.Members)
}

func (w *work) newGroup(g GroupRecord, members []string) error {
	if g.ID == "" {
		g.ID = id.New[id.DirectoryGroup]()
	}
	if g.Key == "" {
		g.Key = string(g.ID)
	}
	g.Version, g.CreatedAt, g.UpdatedAt = 1, w.now, w.now
	row := groupRowOf(g, w.owns(g.Source))
	if err := w.groupNames(row); err != nil {
		return err
	}
	if err := w.tx.Create(&row).Error; err != nil {
		return fmt.Errorf("write group: %w", duplicate(err))
	}
	added, err := w.addMembers(g, members, true)
	if err != nil {
		return err
	}
	w.joined(g.Source, added)
	w.groupNote("group.created", g, added, nil, nil)
	w.applied.Groups[w.index] = g
	return nil
}

func (w *work) cleanGroup(g GroupRecord) error {
	if _, err := w.source(g.Source); err != nil {
		return err
	}
	for field, value := range map[string]string{"key": g.Key, "externalId": g.ExternalID, "displayName": g.DisplayName, "raw": string(g.Raw)} {
		if err := storable(field, value); err != nil {
			return err
		}
	}
	if len(g.Raw) > 0 && !json.Valid(g.Raw) {
		return fmt.Errorf("%w: raw form is not JSON", ErrInvalid)
	}
	return nil
}

// groupNames refuses an owned name that another group of the source has.
func (w *work) groupNames(row groupRow) error {
	for _, field := range []struct {
		name, column string
		key          *string
	}{{"displayName", "display_name_key", row.DisplayNameKey}, {"externalId", "external_key", row.ExternalKey}} {
		if field.key == nil {
			continue
		}
		var other []id.DirectoryGroup
		if err := w.tx.Raw("select id from directory_groups where source_id = ? and "+field.column+" = ? and id <> ?", row.SourceID, *field.key, row.ID).Scan(&other).Error; err != nil {
			return fmt.Errorf("read groups: %w", err)
		}
		if len(other) > 0 {
			return &ConflictError{Field: field.name, Group: other[0]}
		}
	}
	return nil
}

// lockGroup reads a group of a source by id or key for writing; nil where there is none.
func (w *work) lockGroup(source id.Source, group id.DirectoryGroup, key string) (*groupRow, error) {
	q := w.tx.ForUpdate().Where("source_id = ?", source)
	if group != "" {
		q = q.Where("id = ?", group)
	} else {
		q = q.Where("group_key = ?", key)
	}
	var rows []groupRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read group: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

func (w *work) putGroup(c PutGroup) (Outcome, error) {
	if c.Group.Key == "" {
		return "", fmt.Errorf("%w: a group needs its key", ErrInvalid)
	}
	if err := w.cleanGroup(c.Group); err != nil {
		return "", err
	}
	row, err := w.lockGroup(c.Group.Source, "", c.Group.Key)
	if err != nil {
		return "", err
	}
	if row == nil {
		if err := w.newGroup(c.Group, c.Members); err != nil {
			return "", err
		}
		return Created, w.groupArrived(c.Group.Source, c.Group.Key)
	}
	g := row.group()
	g.ExternalID, g.DisplayName, g.Raw = c.Group.ExternalID, c.Group.DisplayName, c.Group.Raw
	var replace *[]string
	if c.Members != nil {
		replace = &c.Members
	}
	return w.changeGroup(*row, g, replace, nil, nil)
}

// groupArrived tells the members of a group that other groups named before it was there.
func (w *work) groupArrived(source id.Source, key string) error {
	var n int64
	if err := w.tx.Raw("select count(*) from group_members where source_id = ? and value = ?", source, key).Scan(&n).Error; err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	if n > 0 {
		w.joined(source, []string{key})
	}
	return nil
}

func (w *work) editGroup(c EditGroup) (Outcome, error) {
	row, err := w.lockGroup(c.Source, c.Group, c.Key)
	if err != nil {
		return "", err
	}
	if row == nil || c.Group == "" && c.Key == "" {
		return "", fmt.Errorf("group %s: %w", cmp.Or(string(c.Group), c.Key), ErrNotFound)
	}
	if err := matches(c.IfVersion, row.Version); err != nil {
		return "", err
	}
	g := row.group()
	if c.Edit != nil {
		g.Raw = slices.Clone(g.Raw)
		if err := c.Edit(&g); err != nil {
			return "", err
		}
		kept := row.group()
		g.ID, g.Source, g.Key, g.Version, g.CreatedAt, g.UpdatedAt = kept.ID, kept.Source, kept.Key, kept.Version, kept.CreatedAt, kept.UpdatedAt
		if err := w.cleanGroup(g); err != nil {
			return "", err
		}
		if g.DisplayName == "" && row.DisplayName != "" {
			return "", fmt.Errorf("%w: displayName is required", ErrInvalid)
		}
	}
	outcome, err := w.changeGroup(*row, g, c.Replace, c.Add, c.Remove)
	if err != nil || outcome != Unchanged {
		return outcome, err
	}
	return outcome, w.waitFor(c.Source, c.Remove)
}

// waitFor makes a repeated removal wait for the first one's effect.
func (w *work) waitFor(source id.Source, values []string) error {
	set := map[string]bool{}
	for _, v := range values {
		set[v] = true
	}
	people, err := w.peopleWhere("record_key", source, set)
	for _, p := range people {
		w.wait(p, true)
	}
	return err
}

// changeGroup writes what differs: the row, then members as inserts and deletes.
func (w *work) changeGroup(row groupRow, g GroupRecord, replace *[]string, add, remove []string) (Outcome, error) {
	before := row.group()
	added, removed, err := w.changeMembers(g, replace, add, remove)
	if err != nil {
		return "", err
	}
	renamed := before.DisplayName != g.DisplayName || before.ExternalID != g.ExternalID
	if !renamed && text(raw(before.Raw)) == text(raw(g.Raw)) && len(added)+len(removed) == 0 {
		w.applied.Groups[w.index] = before
		return Unchanged, nil
	}
	g.Version, g.UpdatedAt = before.Version+1, w.now
	now := groupRowOf(g, w.owns(g.Source))
	if renamed {
		if err := w.groupNames(now); err != nil {
			return "", err
		}
		if err := w.everyMember(g); err != nil { // their groups are called differently now
			return "", err
		}
	}
	if err := w.tx.Exec(`update directory_groups set external_id = ?, external_key = ?, display_name = ?, display_name_fold = ?, display_name_key = ?,
		raw = ?, version = ?, updated_at = ? where id = ?`, now.ExternalID, now.ExternalKey, now.DisplayName, now.DisplayNameFold, now.DisplayNameKey,
		now.Raw, now.Version, now.UpdatedAt, now.ID).Error; err != nil {
		return "", fmt.Errorf("write group: %w", duplicate(err))
	}
	w.joined(g.Source, added)
	w.joined(g.Source, removed)
	gone, err := w.departing(g, removed)
	if err != nil {
		return "", err
	}
	if err := w.leave(g.Source, gone); err != nil {
		return "", err
	}
	fields := diff([]attribute{{"display_name", before.DisplayName}, {"external_id", before.ExternalID}, {"raw", raw(before.Raw)}},
		[]attribute{{"display_name", g.DisplayName}, {"external_id", g.ExternalID}, {"raw", raw(g.Raw)}})
	w.groupNote("group.changed", g, added, removed, fields)
	w.applied.Groups[w.index] = g
	return Updated, nil
}

func (w *work) deleteGroup(c DeleteGroup) (Outcome, error) {
	row, err := w.lockGroup(c.Source, c.Group, c.Key)
	if err != nil {
		return "", err
	}
	if row == nil && c.Group == "" {
		return Unchanged, nil
	}
	if row == nil {
		return "", fmt.Errorf("group %s: %w", c.Group, ErrNotFound)
	}
	if err := matches(c.IfVersion, row.Version); err != nil {
		return "", err
	}
	g := row.group()
	if err := w.everyMember(g); err != nil {
		return "", err
	}
	// Nested members must be found before the rows go.
	var values []string
	if err := w.tx.Raw("select value from group_members where group_id = ?", g.ID).Scan(&values).Error; err != nil {
		return "", fmt.Errorf("read members: %w", err)
	}
	gone, err := w.departing(g, values)
	if err != nil {
		return "", err
	}
	if err := w.members(); err != nil {
		return "", err
	}
	if err := w.tx.Exec("delete from group_members where group_id = ?", g.ID).Error; err != nil {
		return "", fmt.Errorf("delete members: %w", err)
	}
	if g.Key == string(g.ID) {
		if err := w.dropMember(g.Source, g.Key); err != nil {
			return "", err
		}
	}
	if err := w.tx.Exec("delete from directory_groups where id = ?", g.ID).Error; err != nil {
		return "", fmt.Errorf("delete group: %w", err)
	}
	if err := w.leave(g.Source, gone); err != nil {
		return "", err
	}
	w.groupNote("group.deleted", g, nil, nil, nil)
	w.applied.Groups[w.index] = g
	return Deleted, nil
}

// nameless parts values of members into ids, which say nothing about anybody, and a pushing source's own words, which may.
func (w *work) nameless(source id.Source, values []string) (ids, words []string) {
	if !w.owns(source) {
		return values, nil
	}
	for _, v := range values {
		if strings.HasPrefix(v, "lnk_") || strings.HasPrefix(v, "dgr_") {
			ids = append(ids, v)
		} else {
			words = append(words, v)
		}
	}
	return ids, words
}

func (w *work) groupNote(action string, g GroupRecord, added, removed []string, fields []Field) {
	w.wrote = true
	more := map[string]any{"source": g.Source, "version": g.Version}
	const listed = 100 // the rows say the rest
	for name, values := range map[string][]string{"added": added, "removed": removed} {
		if len(values) == 0 {
			continue
		}
		more[name+"_count"] = len(values)
		ids, words := w.nameless(g.Source, values[:min(len(values), listed)])
		if len(ids) > 0 {
			more[name] = ids
		}
		if len(words) > 0 { // by which a source calls somebody it has not sent yet
			fields = append(fields, Field{Name: name, Now: words})
		}
	}
	if w.dry(g.Source) {
		more["staged"] = true
		w.note(action, string(g.ID), fields, more)
		return
	}
	w.note(action, string(g.ID), fields, more)
	w.events = append(w.events, feed.Event{At: w.now, Kind: "group.changed", Subject: string(g.ID), Data: json.RawMessage(`{"action":"` + action + `"}`)})
}
