package signals

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	everyPoll  = 10 * time.Second
	batch      = 100
	maxAnswer  = 16 << 20
	pauseAfter = time.Minute // at most, between two polls that fail
)

// Run polls the transmitters that are polled (RFC 8936), until ctx ends.
func (r *Receiver) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, t := range r.Transmitters {
		if t.Poll != "" {
			all.Go(func() { r.follow(ctx, t) })
		}
	}
	all.Wait()
	<-ctx.Done()
	return ctx.Err()
}

func (r *Receiver) follow(ctx context.Context, t Transmitter) {
	every := t.Every
	if every <= 0 {
		every = everyPoll
	}
	answer := acknowledgement{}
	for pause, failing := time.Duration(0), false; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		next, more, err := r.poll(ctx, t, answer)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				r.Log.Error("signals cannot be polled, will retry", "transmitter", t.Name, "error", err)
			}
			pause = min(max(2*pause, every), pauseAfter)
		default:
			if failing {
				r.Log.Info("signals are polled again", "transmitter", t.Name)
			}
			if answer, pause = next, every; more || len(next.Ack)+len(next.Errors) > 0 { // what was taken is told at once
				pause = 0
			}
		}
		failing = err != nil
	}
}

// acknowledgement tells a transmitter what became of its tokens.
type acknowledgement struct {
	Ack    []string            `json:"ack,omitempty"`
	Errors map[string]setError `json:"setErrs,omitempty"`
}

type setError struct {
	Code string `json:"err"`
	Text string `json:"description"`
}

// poll tells what became of the last tokens and takes the next. One that fails for a reason of our own is neither acknowledged nor refused: it comes again.
func (r *Receiver) poll(ctx context.Context, t Transmitter, last acknowledgement) (next acknowledgement, more bool, err error) {
	body, err := json.Marshal(struct {
		Most        int  `json:"maxEvents"`
		Immediately bool `json:"returnImmediately"`
		acknowledgement
	}{batch, true, last})
	if err != nil {
		return next, false, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Poll, bytes.NewReader(body))
	if err != nil {
		return next, false, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json")
	if t.PollToken != "" {
		q.Header.Set("Authorization", "Bearer "+t.PollToken)
	}
	res, err := r.client().Do(q)
	if err != nil {
		return next, false, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return next, false, fmt.Errorf("it answers %d", res.StatusCode)
	}
	var answer struct {
		Sets map[string]string `json:"sets"`
		More bool              `json:"moreAvailable"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&answer); err != nil {
		return next, false, fmt.Errorf("its answer cannot be read: %w", err)
	}
	next.Errors = map[string]setError{}
	var good []claims
	for jti, raw := range answer.Sets {
		c, from, err := r.verify(ctx, strings.TrimSpace(raw), "secevent+jwt", "")
		if err == nil && (from.Name != t.Name || c.ID != jti) {
			err = errToken
		}
		switch {
		case err == nil:
			good = append(good, c)
		case code(err) != "":
			next.Errors[jti] = setError{code(err), text(err)}
		default:
			return next, false, err
		}
	}
	slices.SortFunc(good, func(a, b claims) int { return cmp.Compare(a.IssuedAt, b.IssuedAt) })
	for _, c := range good {
		switch err := r.act(ctx, t, c); {
		case err == nil:
			next.Ack = append(next.Ack, c.ID)
		case code(err) != "":
			next.Errors[c.ID] = setError{code(err), text(err)}
		default:
			return next, false, err
		}
	}
	return next, answer.More, nil
}
