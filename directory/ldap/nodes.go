package ldap

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// This file is for several nodes: each knows how the source stands, and which mapping holds, whichever of them follows it.

// toldStatus is of a Status what the other nodes are told. It names no person.
type toldStatus struct {
	Attempt    time.Time     `json:"attempt,omitzero"`
	Success    time.Time     `json:"success,omitzero"`
	VerifiedAt time.Time     `json:"verified_at,omitzero"`
	Error      string        `json:"error,omitempty"`
	Code       string        `json:"code,omitempty"`
	Failures   int           `json:"failures,omitempty"`
	Refused    int           `json:"refused,omitempty"`
	RetryAt    time.Time     `json:"retry_at,omitzero"`
	Live       bool          `json:"live,omitempty"`
	Mode       string        `json:"mode,omitempty"`
	Behind     bool          `json:"behind,omitempty"`
	ChangedAt  time.Time     `json:"changed_at,omitzero"`
	Lag        time.Duration `json:"lag,omitempty"`
	CursorAt   time.Time     `json:"cursor_at,omitzero"`
	Vendor     string        `json:"vendor,omitempty"`
}

// said writes down how the source stands, for the other nodes.
func (st Status) said() string {
	raw, err := json.Marshal(toldStatus{st.LastAttempt, st.LastSuccess, st.VerifiedAt, st.LastError, st.LastCode, st.Failures, st.Refused, st.RetryAt, st.Live, st.Mode, st.Behind, st.ChangedAt, st.Lag,
		st.CursorAt, st.Vendor})
	if err != nil { // times, numbers and texts always can be
		return ""
	}
	return string(raw)
}

// Stands answers how the source stands: what this node knows where it follows the source, else what the node that does wrote down last, a few seconds ago.
func (s *Syncer) Stands(ctx context.Context) (Status, error) {
	holder, said, err := toldOf(ctx, s.DB, s.Source.ID)
	own := s.Status()
	if err != nil || said == "" || holder == s.holder() {
		return own, err
	}
	var t toldStatus
	if err := json.Unmarshal([]byte(said), &t); err != nil {
		return own, fmt.Errorf("how another node said that a source stands: %w", err)
	}
	return Status{LastAttempt: t.Attempt, LastSuccess: t.Success, VerifiedAt: t.VerifiedAt, LastError: t.Error, LastCode: t.Code, Failures: t.Failures, Refused: t.Refused, RetryAt: t.RetryAt,
		Live: t.Live, Mode: t.Mode, Behind: t.Behind, ChangedAt: t.ChangedAt, Lag: t.Lag, CursorAt: t.CursorAt, Vendor: t.Vendor}, nil
}

// remapEvery is how often a node looks whether another mapping was put in force on another one.
const remapEvery = time.Second

// Refresh puts the mapping in force that administrators keep now: it may have been changed on another node.
func (s *Syncer) Refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	set, err := s.Store.Setting(ctx, s.Source.ID, settingMapping)
	if err != nil || set.Version <= s.mapped {
		return err
	}
	k, err := keptOf(set)
	if err != nil {
		return err
	}
	m := k.Mapping
	if k.File {
		m = s.File
	}
	if now := s.config(); !maps.Equal(now.Mapping, m.Mapping) || !maps.Equal(now.Labels, m.Labels) {
		if err := s.Remap(m); err != nil {
			return err
		}
	}
	s.mapped = set.Version
	return nil
}

// refreshes calls Refresh now and then until ctx ends.
func (s *Syncer) refreshes(ctx context.Context) {
	for failed := false; sleep(ctx, remapEvery) == nil; {
		err := s.Refresh(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			s.Log.Warn("the mapping of a directory could not be looked at", "source", s.Source.Name, "error", scrub(err.Error(), s.config().Password))
		}
		failed = err != nil
	}
}
