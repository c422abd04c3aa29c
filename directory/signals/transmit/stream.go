package transmit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/directory"
	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/outbound"
	"github.com/rollcall-im/rollcall/internal/seal"
)

// How a stream is delivered (SSF 1.0 section 6.1).
const (
	methodPush = "urn:ietf:rfc:8935"
	methodPoll = "urn:ietf:rfc:8936"
)

// What a stream may be (SSF 1.0 section 8.1.2).
const (
	statusEnabled  = "enabled"
	statusPaused   = "paused"   // what happens waits
	statusDisabled = "disabled" // what happens is not told, now or later
)

// Receiver is somebody who is told, without its secrets.
type Receiver struct {
	Name      string
	Audience  string    // aud of its tokens
	Subject   string    // ByEmail, ByIssSub, ByID or ByExternalID
	Issuer    string    // of ByIssSub; empty: where people sign in
	Source    id.Source // of ByExternalID
	Peer      string    // a transmitter whose signals are taken here and which is the same party: what it said is not said back
	Endpoints string    // what the addresses begin with that it may have events pushed to; empty: it polls
	Events    []string  // that it is sent
	CreatedAt time.Time

	Stream       string // empty: it has none
	Push         bool
	Endpoint     string
	Description  string
	Status       string
	Reason       string
	Waiting      int64
	Oldest       time.Time // of those; zero: none waits
	Unnamed      int64     // people whom it does not know by the name it wants, and of whom it was not told what became of them
	Behind       int64     // people who are to be looked at
	Failures     int64     // since the last success
	Problem      string
	ProblemSince time.Time
	Delivered    int64
	DeliveredAt  time.Time
	Refused      int64
}

// Receivers answers everybody who is told, by name.
func (t *Transmitter) Receivers(ctx context.Context) ([]Receiver, error) {
	all, err := rows(t.DB.Read(ctx), "1 = 1 order by name")
	if err != nil {
		return nil, fmt.Errorf("read receivers of signals: %w", err)
	}
	var waiting []struct {
		Stream  string
		N, Part int64
		At      db.Instant
	}
	if err := t.DB.Read(ctx).Raw(`select stream, count(*) as n, 0 as part, min(created_at) as at from transmit_queue group by stream
		union all select stream, sum(unnamed) as n, sum(case when behind > 0 then 1 else 0 end) as part, null as at from transmit_told group by stream`).Scan(&waiting).Error; err != nil {
		return nil, fmt.Errorf("read receivers of signals: %w", err)
	}
	out := make([]Receiver, len(all))
	for i, r := range all {
		out[i] = Receiver{Name: r.Name, Audience: r.Audience, Subject: r.Subject, Issuer: r.Issuer, Source: id.Source(r.Source), Peer: r.Peer, Endpoints: r.Endpoints, Events: r.sent(), CreatedAt: r.CreatedAt.Time,
			Stream: r.Stream, Push: r.Method == methodPush, Endpoint: r.Endpoint, Description: r.Description, Status: r.Status, Reason: r.Reason,
			Failures: r.Failures, Problem: r.Problem, ProblemSince: r.ProblemSince.Time, Delivered: r.Delivered, DeliveredAt: r.DeliveredAt.Time, Refused: r.Refused}
		for _, w := range waiting {
			switch {
			case w.Stream != r.Stream || r.Stream == "":
			case !w.At.IsZero():
				out[i].Waiting, out[i].Oldest = w.N, w.At.Time
			default:
				out[i].Unnamed, out[i].Behind = w.N, w.Part
			}
		}
	}
	return out, nil
}

// Settings are what an administrator says of a receiver. Of Set, nil means: as it is.
type Settings struct {
	Name, Audience, Subject, Issuer, Peer string
	Source                                id.Source
	Endpoints                             *string
	Method                                *string // push, poll; empty: the receiver makes its stream itself
	Endpoint                              *string // of push
	Authorization                         *string // what it wants to see there, such as Bearer …
	Events                                []string
	Status                                *string
	Reason                                string
}

// newToken answers a secret and how it is kept: 260 random bits need no slow hash.
func newToken() (secret, hash string) {
	secret = tokenPrefix + rand.Text() + rand.Text()
	return secret, hashed(secret)
}

const tokenPrefix = "ssf_"

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Add makes a receiver, and its stream where s says how it is delivered. It answers the token by which the receiver speaks to this server, which nobody is
// shown again.
func (t *Transmitter) Add(ctx context.Context, by string, s Settings) (token string, err error) {
	if t.Seal == nil {
		return "", ErrNoSeal
	}
	switch {
	case directory.CheckSourceName(s.Name) != nil:
		return "", fmt.Errorf("%w: a name is made of a-z, 0-9 and -", ErrInvalid)
	case s.Audience == "":
		return "", fmt.Errorf("%w: its audience is missing", ErrInvalid)
	case !slices.Contains([]string{ByEmail, ByIssSub, ByID, ByExternalID}, s.Subject):
		return "", fmt.Errorf("%w: people are named by email, iss_sub, opaque or external_id", ErrInvalid)
	case s.Subject == ByIssSub && s.Issuer == "" && t.Issuer == "":
		return "", fmt.Errorf("%w: the issuer is missing whose subjects it knows", ErrInvalid)
	case (s.Subject == ByExternalID) != (s.Source != ""):
		return "", fmt.Errorf("%w: a source is for external_id, and needed there", ErrInvalid)
	case s.Peer != "" && !slices.Contains(t.Peers, s.Peer):
		return "", fmt.Errorf("%w: there is no transmitter %q in signals of the configuration", ErrInvalid, s.Peer)
	}
	r := receiverRow{Name: s.Name, Audience: s.Audience, Subject: s.Subject, Issuer: s.Issuer, Source: string(s.Source), Peer: s.Peer, MadeBy: by, CreatedAt: db.At(t.clock()), Status: statusEnabled}
	token, r.TokenHash = newToken()
	if err := t.settings(&r, s); err != nil {
		return "", err
	}
	err = t.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Create(&r).Error; db.IsDuplicate(err) {
			return ErrNamed
		} else if err != nil {
			return fmt.Errorf("write receiver of signals: %w", err)
		}
		tx.AfterCommit(t.Wake)
		return t.note(ctx, tx, by, "transmitter.added", r)
	})
	if err != nil {
		return "", err
	}
	return token, t.tend(ctx)
}

// settings puts what an administrator says into a row.
func (t *Transmitter) settings(r *receiverRow, s Settings) error {
	if s.Endpoints != nil {
		if *s.Endpoints != "" && !isAddress(*s.Endpoints) {
			return fmt.Errorf("%w: addresses are https://host…", ErrInvalid)
		}
		r.Endpoints = *s.Endpoints
	}
	if s.Events != nil {
		if err := r.request(s.Events); err != nil {
			return err
		}
	}
	if s.Method != nil && *s.Method != "" {
		endpoint := ""
		if s.Endpoint != nil {
			endpoint = *s.Endpoint
		}
		if r.Endpoints == "" {
			r.Endpoints = endpoint
		}
		if err := t.deliver(r, delivery{Method: map[string]string{"push": methodPush, "poll": methodPoll}[*s.Method], Endpoint: endpoint, Authorization: s.Authorization}); err != nil {
			return err
		}
		if r.Stream == "" {
			r.Stream = rand.Text()
		}
	}
	return nil
}

// delivery is how a stream is delivered (SSF 1.0 section 8.1.1).
type delivery struct {
	Method        string  `json:"method"`
	Endpoint      string  `json:"endpoint_url,omitempty"`
	Authorization *string `json:"authorization_header,omitempty"` // never in an answer
}

// deliver puts into a row how its stream is delivered.
func (t *Transmitter) deliver(r *receiverRow, d delivery) error {
	d.Method = strings.NewReplacer("https://schemas.openid.net/secevent/risc/delivery-method/push", methodPush, "https://schemas.openid.net/secevent/risc/delivery-method/poll", methodPoll).Replace(d.Method)
	switch d.Method {
	case methodPoll, "":
		r.Method, r.Endpoint, r.Sealed = methodPoll, "", ""
		return nil
	case methodPush:
	default:
		return fmt.Errorf("%w: events are delivered by push or poll", ErrInvalid)
	}
	if !isAddress(d.Endpoint) || !within(d.Endpoint, r.Endpoints) {
		return fmt.Errorf("%w: events are not pushed to this address; an administrator says which ones may be", ErrInvalid)
	}
	if d.Endpoint != r.Endpoint && d.Authorization == nil {
		r.Sealed = "" // what one address may see is not for another
	}
	r.Method, r.Endpoint = d.Method, d.Endpoint
	if d.Authorization == nil {
		return nil
	}
	r.Sealed = ""
	if *d.Authorization == "" {
		return nil
	}
	if strings.ContainsFunc(*d.Authorization, func(c rune) bool { return c < ' ' || c > '~' }) || len(*d.Authorization) > 4096 {
		return fmt.Errorf("%w: what stands in Authorization is printable ASCII", ErrInvalid)
	}
	var err error
	r.Sealed, err = seal.Seal(*d.Authorization, t.Seal.Recipients()...)
	return err
}

// request puts into a row which events its stream is to be sent; what nobody here sends is left out.
func (r *receiverRow) request(events []string) error {
	r.Requested.V = events
	if events != nil && len(r.sent()) == 0 {
		return fmt.Errorf("%w: none of these events is sent", ErrInvalid)
	}
	return nil
}

// isAddress tells whether events may be sent there: over TLS, or not beyond this machine.
func isAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && outbound.Loopback(u.Hostname())
}

// within tells whether an address lies below another, which names its host.
func within(address, base string) bool {
	a, err := url.Parse(address)
	b, more := url.Parse(base)
	if base == "" || err != nil || more != nil || a.Scheme != b.Scheme || a.Host != b.Host || strings.Contains(a.EscapedPath(), "..") || strings.Contains(a.EscapedPath(), "%") {
		return false
	}
	return a.Path == b.Path || strings.HasPrefix(a.Path, strings.TrimSuffix(b.Path, "/")+"/")
}

// note writes the audit record of something that was done to a receiver.
func (t *Transmitter) note(ctx context.Context, tx *db.Tx, by, action string, r receiverRow) error {
	r.Endpoint, _, _ = strings.Cut(r.Endpoint, "?") // behind it some have a secret
	return audit.Append(tx, audit.Record{At: t.clock(), Actor: by, Action: action, Subject: r.Name, RequestID: string(httpapi.RequestFrom(ctx)),
		Public: map[string]any{"audience": r.Audience, "subject": r.Subject, "peer": r.Peer, "stream": r.Stream, "method": r.Method, "endpoint": r.Endpoint, "events": r.sent(), "status": r.Status}})
}

// change changes a receiver in one transaction: fn its row, whose stream is begun or forgotten where that changed. It answers the row as it is then.
func (t *Transmitter) change(ctx context.Context, by, action, where string, arg any, none error, fn func(tx *db.Tx, r *receiverRow) error) (receiverRow, error) {
	if t.Seal == nil && action != removed {
		return receiverRow{}, ErrNoSeal
	}
	var r receiverRow
	err := t.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("update transmit_receivers set seq = seq where "+where, arg).Error; err != nil {
			return err
		}
		var err error
		if r, err = one(tx.DB, none, where, arg); err != nil {
			return err
		}
		before := r
		if err := fn(tx, &r); err != nil {
			return err
		}
		if before.Stream != r.Stream || r.Status == statusDisabled && before.Status != statusDisabled {
			if err := tx.Exec("delete from transmit_queue where stream = ? and (event <> ? or stream <> ?)", before.Stream, streamUpdated, r.Stream).Error; err != nil {
				return err
			}
		}
		if before.Stream != r.Stream {
			if err := tx.Exec("delete from transmit_told where stream = ?", before.Stream).Error; err != nil {
				return err
			}
			r.Begun = 0
		}
		if before.Endpoint != r.Endpoint || before.Method != r.Method || before.Sealed != r.Sealed || before.Status != r.Status {
			r.Failures, r.Problem, r.ProblemSince, r.RetryAt = 0, "", db.Instant{}, db.Instant{} // it is tried at once
		}
		if err := tx.Exec("delete from transmit_receivers where name = ?", r.Name).Error; err != nil {
			return err
		}
		if action != removed {
			if err := tx.Create(&r).Error; err != nil {
				return fmt.Errorf("write receiver of signals: %w", err)
			}
		}
		tx.AfterCommit(t.Wake)
		if action == "" {
			return nil
		}
		return t.note(ctx, tx, by, action, r)
	})
	return r, err
}

const removed = "transmitter.removed"

// Set changes how a receiver is told. A status that changes is told to the receiver, too (SSF 1.0 section 8.1.5).
func (t *Transmitter) Set(ctx context.Context, by, name string, s Settings) error {
	_, err := t.change(ctx, by, "transmitter.changed", "name = ?", name, ErrNotFound, func(tx *db.Tx, r *receiverRow) error {
		if err := t.settings(r, s); err != nil || s.Status == nil || *s.Status == r.Status {
			return err
		}
		return t.turn(tx, r, *s.Status, s.Reason, r.Stream != "")
	})
	return err
}

// turn gives a stream another status.
func (t *Transmitter) turn(tx *db.Tx, r *receiverRow, status, reason string, tell bool) error {
	if !slices.Contains([]string{statusEnabled, statusPaused, statusDisabled}, status) {
		return fmt.Errorf("%w: a stream is enabled, paused or disabled", ErrInvalid)
	}
	if r.Status, r.Reason = status, reason; !tell {
		return nil
	}
	event := map[string]any{"status": status}
	if reason != "" {
		event["reason"] = reason
	}
	return t.enqueue(tx, r, "", streamUpdated, ofItself(r.Stream), event)
}

// ofItself is the subject of an event about a stream.
func ofItself(stream string) map[string]any { return map[string]any{"format": "opaque", "id": stream} }

// Renew makes a new token for a receiver; the one before is good no more.
func (t *Transmitter) Renew(ctx context.Context, by, name string) (token string, err error) {
	_, err = t.change(ctx, by, "transmitter.token", "name = ?", name, ErrNotFound, func(_ *db.Tx, r *receiverRow) error {
		token, r.TokenHash = newToken()
		return nil
	})
	return token, err
}

// Remove forgets a receiver, its stream and what waits for it.
func (t *Transmitter) Remove(ctx context.Context, by, name string) error {
	_, err := t.change(ctx, by, removed, "name = ?", name, ErrNotFound, func(_ *db.Tx, r *receiverRow) error {
		r.Stream = ""
		return nil
	})
	return err
}

// Verify sends a receiver an event that says nothing (SSF 1.0 section 8.1.4). ErrStream.
func (t *Transmitter) Verify(ctx context.Context, by, name string) error {
	_, err := t.change(ctx, by, "", "name = ?", name, ErrNotFound, func(tx *db.Tx, r *receiverRow) error {
		if r.Stream == "" {
			return ErrStream
		}
		return t.enqueue(tx, r, "", verification, ofItself(r.Stream), map[string]any{})
	})
	return err
}
