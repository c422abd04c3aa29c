package directory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// HealthState says in a word how a source stands.
type HealthState string

// The states of a source.
const (
	HealthOK           HealthState = "ok"
	HealthFailing      HealthState = "failing"      // the last attempt to read it failed
	HealthStale        HealthState = "stale"        // what is known of it is older than it should be
	HealthQuiet        HealthState = "quiet"        // a source that pushes has not been heard of for a day
	HealthEmpty        HealthState = "empty"        // it is in step, and shows nobody
	HealthNever        HealthState = "never"        // nothing came of it yet
	HealthUnconfigured HealthState = "unconfigured" // the configuration no longer has it
)

// SourceHealth is how a source stands.
type SourceHealth struct {
	State      HealthState  `json:"state" enum:"ok,failing,stale,quiet,empty,never,unconfigured"`
	Follows    string       `json:"follows" enum:"push,stream,poll,interval,standby,files" doc:"how changes get here"`
	VerifiedAt time.Time    `json:"verified_at,omitzero" doc:"when it was last known to say what stands here; of a source that pushes: when it was last heard of"`
	LagMillis  float64      `json:"lag_ms,omitempty" doc:"of its last change: from when the server here heard of it until it was in force"`
	ChangedAt  time.Time    `json:"changed_at,omitzero" doc:"when its last change came in"`
	Error      *SourceError `json:"error,omitempty"`
	LastRun    *RunView     `json:"last_run,omitempty"`
	Holds      int          `json:"holds" doc:"batches of it that wait for somebody"`
}

// SourceError is what keeps a source from being read.
type SourceError struct {
	Code     string    `json:"code" doc:"stable: unreachable, timeout, tls, login, closed, server, incomplete, reborn, implausible, config"`
	Text     string    `json:"text"`
	Failures int       `json:"failures" doc:"in a row"`
	RetryAt  time.Time `json:"retry_at,omitzero" doc:"of a refused login: when it is tried again by itself; a sync tries it at once"`
}

// RunFinding is what a run found. It names no person.
type RunFinding struct {
	Severity string `json:"severity"`
	Code     string `json:"code" doc:"stable"`
	Text     string `json:"text"`
}

// RunView is a run of a source in an answer.
type RunView struct {
	ID        id.Run         `json:"id"`
	Kind      string         `json:"kind"`
	StartedAt time.Time      `json:"started_at"`
	EndedAt   time.Time      `json:"ended_at,omitzero"`
	OK        bool           `json:"ok"`
	Error     string         `json:"error,omitempty"`
	Counts    map[string]int `json:"counts,omitempty"`
	Findings  []RunFinding   `json:"findings" nullable:"false"`
	Proof     string         `json:"proof,omitempty"`
}

func runView(r Run) RunView {
	v := RunView{ID: r.ID, Kind: r.Kind, StartedAt: r.StartedAt, EndedAt: r.EndedAt, OK: r.OK, Error: r.Error, Counts: r.Counts, Proof: r.Proof}
	if err := json.Unmarshal(r.Findings, &v.Findings); err != nil || v.Findings == nil { // in another form than this
		v.Findings = []RunFinding{}
	}
	return v
}

// ListRunsInput names a source.
type ListRunsInput struct {
	ID    id.Source `path:"id"`
	Limit int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// ListRuns answers GET /api/v1/sources/{id}/runs, newest first. Only the newest are remembered.
func (a *API) ListRuns(ctx context.Context, in *ListRunsInput) (*httpapi.Page[RunView], error) {
	if _, err := a.Store.SourceByID(ctx, in.ID); err != nil {
		return nil, err
	}
	runs, err := a.Store.Runs(ctx, in.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	views := make([]RunView, len(runs))
	for i, r := range runs {
		views[i] = runView(r)
	}
	return httpapi.NewPage(ctx, views, ""), nil
}

// health answers how sources stand: their last run, and what only the one who reads them knows.
func (a *API) health(ctx context.Context, sources []Source) (map[id.Source]*SourceHealth, error) {
	out := map[id.Source]*SourceHealth{}
	if a.Health == nil {
		return out, nil
	}
	for _, s := range sources {
		h := &SourceHealth{}
		runs, err := a.Store.Runs(ctx, s.ID, 1)
		if err != nil {
			return nil, err
		}
		if len(runs) > 0 {
			view := runView(runs[0])
			h.LastRun = &view
		}
		out[s.ID] = h
	}
	return out, a.Health(ctx, sources, out)
}
