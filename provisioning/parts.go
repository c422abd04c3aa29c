package provisioning

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rollcall-im/rollcall/internal/id"
)

// squeeze makes a text small: the changes of a plan say much the same.
func squeeze(text []byte) (string, error) {
	var out bytes.Buffer
	to := base64.NewEncoder(base64.RawStdEncoding, &out)
	w, err := flate.NewWriter(to, flate.BestSpeed)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if err := to.Close(); err != nil {
		return "", err
	}
	return out.String(), nil
}

// inflate reads what squeeze made.
func inflate(text string) ([]byte, error) {
	return io.ReadAll(flate.NewReader(base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(text))))
}

// unsqueeze reads what squeeze made of changes.
func unsqueeze(text string) ([]PlannedChange, error) {
	plain, err := inflate(text)
	if err != nil {
		return nil, err
	}
	var out []PlannedChange
	return out, json.Unmarshal(plain, &out)
}

// eachPart calls fn for the stored parts of a plan from part first on, until it answers false.
func eachPart(q reader, plan id.Plan, first int, fn func([]PlannedChange) bool) error {
	for n := first; ; n++ {
		var rows []string
		if err := q.Raw("select body from plan_changes where plan = ? and n = ?", plan, n).Scan(&rows).Error; err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		list, err := unsqueeze(rows[0])
		if err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
		if !fn(list) {
			return nil
		}
	}
}

// eachChange calls fn for all changes of a plan that was read, in parts, until it answers false.
func eachChange(q reader, p *Plan, fn func([]PlannedChange) bool) error {
	if p.Total <= len(p.Changes) {
		fn(p.Changes)
		return nil
	}
	return eachPart(q, p.ID, 0, fn)
}

// planChanges answers the changes of a plan from first on, at most limit.
func planChanges(q reader, plan id.Plan, first, limit int) ([]PlannedChange, error) {
	out := []PlannedChange{}
	skip := first % planPart
	err := eachPart(q, plan, first/planPart, func(list []PlannedChange) bool {
		list = list[min(skip, len(list)):]
		skip = 0
		out = append(out, list[:min(len(list), limit-len(out))]...)
		return len(out) < limit
	})
	return out, err
}

// PlanQuery chooses changes of a plan; the zero value of each field chooses all.
type PlanQuery struct {
	Group  string
	Person id.Person
	Op     Op
	Ground Ground
	AtOnce bool // nothing of what is to come
	First  int  // the place from which on to look
	Limit  int
}

func (q PlanQuery) wants(c PlannedChange) bool {
	return (!q.AtOnce || c.atOnce()) && (q.Group == "" || c.Group == q.Group) && (q.Person == "" || c.Person == q.Person) && (q.Op == "" || c.Op == q.Op) && (q.Ground == "" || c.Ground == q.Ground)
}

// PlanChanges answers changes of a plan, by person, then group, and the place after the last one that was looked at; more tells whether others follow.
func (r *Reactor) PlanChanges(ctx context.Context, p *Plan, query PlanQuery) (out []PlannedChange, next int, more bool, err error) {
	out, next = []PlannedChange{}, max(0, query.First)
	look := func(list []PlannedChange) bool {
		for _, c := range list {
			if query.wants(c) {
				if len(out) == query.Limit {
					more = true
					return false
				}
				out = append(out, c)
			}
			next++
		}
		return true
	}
	if p.Total <= len(p.Changes) {
		look(p.Changes[min(next, len(p.Changes)):])
		return out, next, more, nil
	}
	skip := next % planPart
	err = eachPart(r.db.Read(ctx), p.ID, next/planPart, func(list []PlannedChange) bool {
		list, skip = list[min(skip, len(list)):], 0
		return look(list)
	})
	return out, next, more, err
}
