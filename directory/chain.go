package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Head is what a person is to those who report to them.
type Head struct {
	ID                       id.Person
	UserName, EmployeeNumber string
	Manager                  id.Person
	Ahead                    []Head    // what will hold from each instant on that is known; empty for most
	At                       time.Time // of one of Ahead
}

// chainMost bounds how far up Heads goes; no organisation is that deep.
const chainMost = 64

// Heads answers these people and all above them, now and at each instant that is known.
func (r Reader) Heads(tx *db.Tx, people []id.Person) (map[id.Person]Head, error) {
	out := map[id.Person]Head{}
	for range chainMost {
		var up []id.Person
		for _, p := range people {
			if _, known := out[p]; p != "" && !known {
				up = append(up, p)
			}
		}
		slices.Sort(up)
		if up = slices.Compact(up); len(up) == 0 {
			break
		}
		heads, err := r.heads(tx, up)
		if err != nil {
			return nil, err
		}
		people = people[:0:0]
		for _, h := range heads {
			out[h.ID] = h
			people = append(people, h.Manager)
			for _, then := range h.Ahead {
				people = append(people, then.Manager)
			}
		}
	}
	return out, nil
}

// AllHeads answers everybody to whom somebody reports, and all above them.
func (r Reader) AllHeads(tx *db.Tx) (map[id.Person]Head, error) {
	var people []id.Person
	if err := tx.Raw("select distinct manager_id from persons where manager_id <> ''").Scan(&people).Error; err != nil {
		return nil, fmt.Errorf("read managers: %w", err)
	}
	return r.Heads(tx, people)
}

// heads reads people. Rows of those about whom something is planned may be behind the clock: their facts are not.
func (r Reader) heads(tx *db.Tx, people []id.Person) ([]Head, error) {
	var out []Head
	for part := range slices.Chunk(people, chunk) {
		var rows []personRow
		if err := tx.Raw("select id, user_name, manager_id, attributes, due_at from persons where id in ?", db.Pad(part)).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("read managers: %w", err)
		}
		var planned []id.Person
		for _, row := range rows {
			if !row.DueAt.IsZero() {
				planned = append(planned, row.ID)
				continue
			}
			out = append(out, Head{ID: row.ID, UserName: row.UserName, EmployeeNumber: row.Attributes.V.EmployeeNumber, Manager: row.ManagerID})
		}
		if len(planned) == 0 {
			continue
		}
		facts, err := r.Facts(tx, planned, false)
		if err != nil {
			return nil, err
		}
		for _, f := range facts {
			h := headOf(f)
			for _, then := range f.Ahead {
				h.Ahead = append(h.Ahead, headOf(then))
			}
			out = append(out, h)
		}
	}
	return out, nil
}

func headOf(f Fact) Head {
	p := f.Person
	return Head{ID: p.ID, UserName: p.UserName, EmployeeNumber: p.EmployeeNumber, Manager: p.Manager, At: f.At}
}

// Reports answers everybody below these people, at whatever depth, and not these people themselves unless they are below another.
func (r Reader) Reports(ctx context.Context, people []id.Person) ([]id.Person, error) {
	var out []id.Person
	for part := range slices.Chunk(people, chunk) {
		var below []id.Person
		if err := r.from(ctx).Raw(`with recursive below (id) as (
				select id from persons where manager_id in ?
				union
				select p.id from below b join persons p on p.manager_id = b.id)
			select id from below`, part).Scan(&below).Error; err != nil {
			return nil, fmt.Errorf("read reports: %w", err)
		}
		out = append(out, below...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
