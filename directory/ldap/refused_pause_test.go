package ldap

import (
	"errors"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// The pauses double from a minute to a quarter of an hour, stand until they are over, and end when a login is taken.
func TestRefusals(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 4: 8 * time.Minute, 5: 15 * time.Minute, 500: 15 * time.Minute} {
		if got := refusedPause(n); got != want {
			t.Errorf("after %d: %v", n, got)
		}
	}
	var r refusals
	now := time.Unix(1000, 0)
	r.note(now, ErrUnreachable)
	if err := r.standing(now); err != nil {
		t.Errorf("an unreachable server: %v", err)
	}
	r.note(now, ErrLogin)
	if r.standing(now.Add(59*time.Second)) == nil || r.standing(now.Add(time.Minute)) != nil {
		t.Error("the first pause is not a minute")
	}
	r.note(now, nil)
	if r.standing(now) != nil {
		t.Error("a login that was taken is refused")
	}
}

// What a server says of the account is a refused login, with what it means.
func TestRefusedLoginTexts(t *testing.T) {
	for want, err := range map[string]error{
		"the account is locked":              goldap.NewError(49, errors.New("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 775, v2580")),
		"the account is disabled":            goldap.NewError(49, errors.New("AcceptSecurityContext error, data 533, v1db1")),
		"bind_dn or password is wrong":       goldap.NewError(49, errors.New("AcceptSecurityContext error, data 52e, v1db1")),
		"the account is locked or inactive,": goldap.NewError(19, errors.New("Exceed password retry limit")),
	} {
		if got := explain("log in", refusedLogin(err), ""); !errors.Is(got, ErrLogin) || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v", want, got)
		}
	}
	if got := explain("log in", refusedLogin(goldap.NewError(51, errors.New("busy"))), ""); errors.Is(got, ErrLogin) {
		t.Errorf("busy: %v", got)
	}
}
