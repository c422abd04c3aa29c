package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/backup"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

// A database that was restored knows nothing of what was revoked since its backup. Until every source was read to proof and the revocations were
// replayed it lets nobody in but the bearer of the bootstrap token; and sources, once the replay has ended those of their tokens that are over.

const restoredEvery = 500 * time.Millisecond

// lookRestored reads whether the database is closed.
func (a *app) lookRestored(ctx context.Context) error {
	state, err := backup.Read(ctx, a.db)
	if err != nil {
		return err
	}
	if !state.Closed() {
		a.restored.Store(nil)
		return nil
	}
	if a.restored.Swap(&state) == nil {
		a.log.Warn("the database was restored and is closed: nobody but the restorer gets in", "taken_at", state.TakenAt, "restored_at", state.RestoredAt)
	}
	return nil
}

// watchRestored looks, on every node, until the database is open.
func (a *app) watchRestored(ctx context.Context) error {
	for a.restored.Load() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(restoredEvery):
		}
		if err := a.lookRestored(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("the state of the restore is not known, it stays closed", "error", err)
		}
	}
	a.log.Info("the restored database is open")
	return nil
}

// opening opens the database once nothing stands against it.
func (a *app) opening(ctx context.Context) error {
	for a.restored.Load() != nil {
		standing, err := a.standing(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			a.log.Error("what is proven after the restore is not known, it stays closed", "error", err)
		case len(standing.Unproven) == 0:
			if err := backup.Unlock(ctx, a.db, time.Now(), "system", "everything is proven", nil); err != nil {
				return err
			}
			return a.lookRestored(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(restoredEvery):
		}
	}
	return nil
}

// behindRestore refuses everybody while the database is closed, before anything is asked who they are.
func (a *app) behindRestore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := a.restored.Load()
		if state == nil || a.passesRestore(r, *state) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "30")
		httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusServiceUnavailable, "restored_closed", "the database was restored from a backup and is not open yet"))
	})
}

func (a *app) passesRestore(r *http.Request, state backup.State) bool {
	at := path.Clean("/" + r.URL.Path)
	if slices.Contains([]string{"/healthz", "/readyz"}, at) {
		return true
	}
	if first, _, _ := strings.Cut(strings.TrimPrefix(at, "/"), "/"); !state.ReplayedAt.IsZero() && (strings.EqualFold(first, "scim") || first == "hooks") {
		return true
	}
	if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") == "" {
		return false
	}
	caller, err := a.door.Authenticate(r)
	return err == nil && caller.Token == session.BootstrapToken
}

// standing is how a restored database stands.
type standing struct {
	backup.State
	IsClosed bool             `json:"closed"`
	Sources  []restoredSource `json:"sources" nullable:"false"`
	Left     []backup.Demand  `json:"left" nullable:"false" doc:"what was taken away after the backup and is there again, or is not known not to be"`
	Unproven []string         `json:"unproven" nullable:"false" doc:"what keeps it closed"`
	Missing  string           `json:"missing,omitempty" doc:"names all that is left and unproven: whoever opens the database all the same says that this is what they have seen"`
}

type restoredSource struct {
	ID    id.Source `json:"id"`
	Name  string    `json:"name"`
	Kind  string    `json:"kind"`
	State string    `json:"state" doc:"proven: read in full with a proof of completeness; vouched: somebody says that it told everything anew; waiting"`
}

// standing works out what is proven.
func (a *app) standing(ctx context.Context) (standing, error) {
	out := standing{Sources: []restoredSource{}, Left: []backup.Demand{}, Unproven: []string{}}
	var err error
	if out.State, err = backup.Read(ctx, a.db); err != nil {
		return out, err
	}
	if out.IsClosed = out.State.Closed(); !out.IsClosed {
		return out, nil
	}
	if out.ReplayedAt.IsZero() {
		out.Unproven = append(out.Unproven, fmt.Sprintf("what was revoked after record %d of the audit log: rollcall restore replay EXPORT", out.AuditSize))
	}
	waiting, err := a.sourcesSince(ctx, &out)
	if err != nil {
		return out, err
	}
	// What sources said has to be in force before it is looked who has what.
	position, err := a.feed.Position(ctx, "reconcile")
	if err != nil {
		return out, err
	}
	head, err := a.feed.Head(ctx)
	if err != nil {
		return out, err
	}
	if !waiting && position < head {
		out.Unproven = append(out.Unproven, "what sources said is not in force yet: it is being worked on")
	}
	demands, err := backup.Demands(ctx, a.db)
	if err != nil {
		return out, err
	}
	for _, d := range demands {
		still, err := a.stillThere(ctx, d, out.Sources)
		if err != nil {
			return out, err
		}
		if still {
			out.Left = append(out.Left, d)
		}
	}
	if len(out.Left) > 0 {
		out.Unproven = append(out.Unproven, fmt.Sprintf("%d things that were taken away after the backup are there again, or nobody knows: rollcall restore status", len(out.Left)))
	}
	if len(out.Unproven) > 0 {
		out.Missing, err = missing(out.Unproven, out.Left)
	}
	return out, err
}

// missing is a short name of what stands against opening: another one where anything of it is another.
func missing(unproven []string, left []backup.Demand) (string, error) {
	text, err := json.Marshal([]any{unproven, left})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

// sourcesSince fills in which sources were read since the restore, and tells whether one was not.
func (a *app) sourcesSince(ctx context.Context, out *standing) (waiting bool, err error) {
	sources, err := a.people.Sources(ctx)
	if err != nil {
		return false, err
	}
	vouched, err := backup.Vouched(ctx, a.db)
	if err != nil {
		return false, err
	}
	for _, s := range sources {
		if s.Mode != "" && s.Mode != directory.ModeLive || s.Kind == directory.KindConsole || s.Kind == directory.KindGuests { // nothing follows from what it says, or it is the database itself
			continue
		}
		state := "waiting"
		switch {
		case !s.SyncedAt.IsZero():
			state = "proven"
		case vouched[string(s.ID)]:
			state = "vouched"
		default:
			waiting = true
			how := "it has not been read to proof yet"
			if s.Kind != directory.KindLDAP {
				how = "it has to tell everything anew, and somebody to say that it did: rollcall restore vouch " + s.Name
			}
			out.Unproven = append(out.Unproven, fmt.Sprintf("source %s: %s", s.Name, how))
		}
		out.Sources = append(out.Sources, restoredSource{s.ID, s.Name, string(s.Kind), state})
	}
	return waiting, nil
}

// stillThere tells whether what was taken away stands again.
func (a *app) stillThere(ctx context.Context, d backup.Demand, sources []restoredSource) (bool, error) {
	switch d.Kind {
	case "person.frozen":
		if d.Object == unknown {
			return true, nil
		}
		person, err := a.people.Person(ctx, id.Person(d.Subject))
		if errors.Is(err, directory.ErrNotFound) {
			return false, nil
		}
		_, source, _ := strings.Cut(d.Note, ".") // a source that was read in full has the last word
		said := slices.ContainsFunc(sources, func(s restoredSource) bool { return string(s.ID) == source && s.State == "proven" })
		return err == nil && !said && !person.Frozen, err
	case "membership.removed", "membership.changed":
		views, err := a.access.MembershipsOf(ctx, id.Person(d.Subject))
		if errors.Is(err, directory.ErrNotFound) {
			return false, nil
		}
		for _, v := range views {
			if v.Of.Key == d.Object && !v.Suspended && (d.Kind == "membership.removed" || string(v.Role) == d.Note) {
				return true, err
			}
		}
		return false, err
	}
	return true, nil
}
