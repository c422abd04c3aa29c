package ldap

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// The pauses after refused logins: a directory that locks accounts must not be given the same wrong password again and again.
const (
	refusedLeast = time.Minute
	refusedMost  = 15 * time.Minute
)

// refusedPause answers how long to wait after so many refused logins in a row.
func refusedPause(n int) time.Duration {
	return min(refusedLeast<<min(max(n-1, 0), 6), refusedMost)
}

// refusals remembers that a server did not take the login of the configuration.
type refusals struct {
	mu    sync.Mutex
	n     int
	until time.Time
	err   error
}

// standing answers the refusal that still stands.
func (r *refusals) standing(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.until) {
		return r.err
	}
	return nil
}

// note keeps what became of a login.
func (r *refusals) note(now time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.n, r.until, r.err = 0, time.Time{}, nil
	case errors.Is(err, ErrLogin):
		r.n++
		r.until, r.err = now.Add(refusedPause(r.n)), err
	}
}

// refusedLogin makes the answer to the login of the configuration into an error: what is said of an account is a refused login, however a server
// puts it.
func refusedLogin(err error) error {
	var answer *goldap.Error
	if !errors.As(err, &answer) {
		return err
	}
	why := ""
	switch answer.ResultCode {
	case goldap.LDAPResultInvalidCredentials:
		if found := adReason.FindStringSubmatch(err.Error()); found != nil {
			why = map[string]string{"525": "the account does not exist", "530": "the account may not log in at this time", "531": "the account may not log in from here",
				"532": "its password has expired", "533": "the account is disabled", "701": "the account has expired", "773": "its password must be changed first",
				"775": "the account is locked"}[strings.ToLower(found[1])]
		}
		if why == "" {
			return err
		}
	case goldap.LDAPResultConstraintViolation, goldap.LDAPResultUnwillingToPerform:
		why = "the account is locked or inactive, or has no password"
	case goldap.LDAPResultNoSuchObject, goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultInappropriateAuthentication:
		why = "bind_dn is wrong, or the account has no password"
	default:
		return err
	}
	return &loginRefused{why, err}
}

// loginRefused is a refused login with what it means.
type loginRefused struct {
	why string
	err error
}

func (l *loginRefused) Error() string { return l.why + " (" + l.err.Error() + ")" }

func (*loginRefused) Unwrap() error { return ErrLogin }

// rest waits after a failure: for d or, after a refused login, until its pause is over or somebody else logged in.
func (s *Syncer) rest(ctx context.Context, d time.Duration) error {
	for {
		s.mu.Lock()
		if s.taken == nil {
			s.taken = make(chan struct{})
		}
		taken, at := s.taken, s.status.RetryAt
		s.mu.Unlock()
		if at.IsZero() {
			return sleep(ctx, d)
		}
		wait := time.Until(at)
		if wait <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-taken:
			timer.Stop()
			return nil
		case <-timer.C: // an administrator may have asked meanwhile, and been refused
		}
	}
}

// well forgets failures. mu is held.
func (s *Syncer) well() {
	st := &s.status
	st.LastError, st.LastCode, st.Failures = "", "", 0
	if st.Refused > 0 {
		st.Refused, st.RetryAt = 0, time.Time{}
		if s.taken != nil {
			close(s.taken)
			s.taken = nil
		}
	}
}
