package transmit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
)

// Run makes keys when their time has come, looks at whom the directory told of, and pushes to those that are pushed to, until ctx ends. On one node at a time.
func (t *Transmitter) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	pushing := map[string]context.CancelFunc{} // by stream
	for failing := false; ; {
		wake := t.woken()
		streams, more, err := t.round(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !failing:
			t.Log.Error("receivers of signals cannot be told, will retry", "error", err)
		case err == nil && failing:
			t.Log.Info("receivers of signals are told again")
		}
		failing = err != nil
		for stream, stop := range pushing {
			if err == nil && !streams[stream] {
				stop()
				delete(pushing, stream)
			}
		}
		for stream := range streams {
			if pushing[stream] == nil {
				inner, stop := context.WithCancel(ctx)
				pushing[stream] = stop
				all.Go(func() { t.push(inner, stream) })
			}
		}
		if !more && !wait(ctx, wake, tick) {
			return ctx.Err()
		}
	}
}

// round does everything once, and answers the streams that are pushed to.
func (t *Transmitter) round(ctx context.Context) (pushed map[string]bool, more bool, err error) {
	if t.Closed != nil && t.Closed() {
		return nil, false, nil
	}
	all, err := rows(t.DB.Read(ctx), "stream <> '' order by name")
	if err != nil || len(all) == 0 || t.Seal == nil {
		return nil, false, err
	}
	if err := t.tend(ctx); err != nil {
		return nil, false, err
	}
	pushed = map[string]bool{}
	for _, r := range all {
		pushed[r.Stream] = r.Method == methodPush
		if r.Begun == 0 {
			if err := t.begin(ctx, r); err != nil {
				return nil, false, err
			}
		}
		again, err := t.settle(ctx, r.Stream)
		if err != nil && !errors.Is(err, ErrStream) { // it has been deleted meanwhile
			return nil, false, err
		}
		more = more || again
	}
	for stream, push := range pushed {
		if !push {
			delete(pushed, stream)
		}
	}
	return pushed, more, nil
}

// push tells one stream what waits for it, one after the other, until ctx ends.
func (t *Transmitter) push(ctx context.Context, stream string) {
	for {
		wake := t.woken()
		pause, err := t.pushNext(ctx, stream)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // the database: the next look is made after a moment
			pause = tick
		}
		if pause > 0 && !wait(ctx, wake, min(pause, tick)) {
			return
		}
	}
}

// pushNext pushes what comes next (RFC 8935 section 2), and answers for how long there is nothing to do.
func (t *Transmitter) pushNext(ctx context.Context, stream string) (time.Duration, error) {
	r, err := one(t.DB.Read(ctx), ErrStream, "stream = ? and method = ?", stream, methodPush)
	if errors.Is(err, ErrStream) {
		return tick, nil
	}
	if err != nil {
		return 0, err
	}
	if left := r.RetryAt.Sub(t.clock()); left > 0 {
		return left, nil
	}
	next, _, err := t.waiting(ctx, r, 1)
	if err != nil || len(next) == 0 {
		return tick, err
	}
	e := next[0]
	code, trouble := t.post(ctx, r, e)
	switch {
	case ctx.Err() != nil:
		return 0, nil
	case trouble == nil:
		return 0, t.done(ctx, r.Stream, []string{e.JTI}, nil)
	}
	if !ofStream[code] && e.Refusals+1 >= refusedMost && code != "" {
		return 0, t.done(ctx, r.Stream, nil, map[string]setError{e.JTI: {Code: code}})
	}
	return 0, t.failed(ctx, r, e, code, trouble)
}

// ofStream are the codes of RFC 8935 section 2.4 that say nothing about the one token: the next would fare as badly, and each waits until that is mended.
var ofStream = map[string]bool{"invalid_key": true, "invalid_issuer": true, "invalid_audience": true, "authentication_failed": true, "access_denied": true}

// refusedMost is how often a receiver may refuse one token before the next has its turn.
const refusedMost = 8

// post sends an event. code is what the receiver says of the token, where it refuses it.
func (t *Transmitter) post(ctx context.Context, r receiverRow, e queued) (code string, err error) {
	s, err := t.signer(ctx)
	if err != nil {
		return "", err
	}
	token, err := signed(s, e.Claims)
	if err != nil {
		return "", err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Endpoint, strings.NewReader(token))
	if err != nil {
		return "", errors.New("its address cannot be used")
	}
	q.Header.Set("Content-Type", "application/secevent+jwt")
	q.Header.Set("Accept", "application/json")
	if r.Sealed != "" {
		secret, err := t.Seal.Open(r.Sealed)
		if err != nil {
			return "", errors.New("what it wants to see in Authorization was sealed for another identity")
		}
		q.Header.Set("Authorization", secret)
	}
	client := *t.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // nobody else is told
	res, err := client.Do(q)
	if err != nil {
		if about := (*url.Error)(nil); errors.As(err, &about) { // it names the whole address, and some hold a secret
			err = about.Err
		}
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusAccepted || res.StatusCode == http.StatusOK || res.StatusCode == http.StatusNoContent {
		return "", nil
	}
	var said struct {
		Err string `json:"err"`
	}
	if res.StatusCode == http.StatusBadRequest {
		_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&said) // what is no JSON says no code
		return plain(said.Err), fmt.Errorf("it refuses: %s", plain(said.Err))
	}
	return "", fmt.Errorf("it answers %d", res.StatusCode)
}

// plain answers an error code as it may stand in a log.
func plain(code string) string {
	for _, c := range code {
		if c != '_' && (c < 'a' || c > 'z') {
			return "unknown"
		}
	}
	if code == "" || len(code) > 40 {
		return "unknown"
	}
	return code
}

// short answers the first n characters of text.
func short(text string, n int) string {
	for at := range text {
		if n--; n < 0 {
			return text[:at]
		}
	}
	return text
}

func (t *Transmitter) failed(ctx context.Context, r receiverRow, e queued, code string, trouble error) error {
	first := t.FirstRetry
	if first == 0 {
		first = firstRetry
	}
	pause := min(first<<min(r.Failures, 20), lastRetry)
	pause += time.Duration(rand.Int64N(int64(pause)/10 + 1))
	if r.Failures == 0 {
		t.Log.Warn("receiver of signals is not told, will retry", "receiver", r.Name, "error", trouble)
	}
	return t.DB.Tx(ctx, func(tx *db.Tx) error {
		now := t.clock()
		if code != "" {
			if err := tx.Exec("update transmit_queue set refusals = refusals + 1 where stream = ? and seq = ?", r.Stream, e.Seq).Error; err != nil {
				return err
			}
		}
		return tx.Exec("update transmit_receivers set failures = failures + 1, problem = ?, problem_since = coalesce(problem_since, ?), retry_at = ? where stream = ?",
			short(trouble.Error(), 300), db.At(now), db.At(now.Add(pause)), r.Stream).Error
	})
}

// setError is what a receiver says of a token that it does not take (RFC 8936 section 2.4.4).
type setError struct {
	Code string `json:"err"`
	Text string `json:"description"`
}

// done takes out of a queue what was acknowledged, and what was refused for good.
func (t *Transmitter) done(ctx context.Context, stream string, acknowledged []string, refused map[string]setError) error {
	return t.DB.Tx(ctx, func(tx *db.Tx) error {
		r, err := lock(tx, stream)
		if err != nil {
			return err
		}
		var records []audit.Record
		take := func(jti, action, code string) (bool, error) {
			var was queued
			if err := tx.Raw("delete from transmit_queue where stream = ? and jti = ? returning seq, person, event", stream, jti).Scan(&was).Error; err != nil || was.Seq == 0 {
				return false, err // it was acknowledged before
			}
			if was.Person == "" && code == "" {
				return true, nil
			}
			public := map[string]any{"receiver": r.Name, "event": was.Event[strings.LastIndexByte(was.Event, '/')+1:], "jti": jti}
			if code != "" {
				public["code"] = code
				t.Log.WarnContext(ctx, "receiver refused a signal", "receiver", r.Name, "jti", jti, "code", code)
			}
			subject := string(was.Person)
			if subject == "" {
				subject = r.Name
			}
			records = append(records, audit.Record{At: t.clock(), Actor: bySystem, Action: action, Subject: subject, Public: public})
			return true, nil
		}
		var took, not int64
		for _, jti := range acknowledged {
			is, err := take(jti, "signal.told", "")
			if err != nil {
				return err
			}
			if is {
				took++
			}
		}
		for jti, e := range refused {
			is, err := take(jti, "signal.refused", plain(e.Code))
			if err != nil {
				return err
			}
			if is {
				not++
			}
		}
		if took+not == 0 {
			return nil
		}
		if r.Failures > 0 {
			tx.AfterCommit(func() { t.Log.Info("receiver of signals is told again", "receiver", r.Name) })
		}
		at := r.DeliveredAt
		if took > 0 {
			at = db.At(t.clock())
		}
		if err := tx.Exec("update transmit_receivers set delivered = delivered + ?, delivered_at = ?, refused = refused + ?, failures = 0, problem = '', problem_since = null, retry_at = null where stream = ?", took, at, not, stream).Error; err != nil {
			return err
		}
		tx.AfterCommit(t.Wake) // there may be room again
		return audit.Append(tx, records...)
	})
}
