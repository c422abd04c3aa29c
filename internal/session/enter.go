package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Enter opens a session for somebody whom the caller has proved, and gives it to the browser in place of whatever it had: it is a session as any other, and ends as any other does. first
// runs in the transaction that opens it. ErrFrozen where the person has no access now, which leaves nothing behind; any error of first.
func (d *Door) Enter(w http.ResponseWriter, r *http.Request, person id.Person, c Claims, first func(*db.Tx) error) error {
	secret := random()
	if no := d.open(r, person, c, secret, first); no != nil {
		if errors.Is(no.err, ErrFrozen) {
			d.auditRefusal(r, *no)
		}
		return no.err
	}
	d.setCookie(w, d.cookieName(), secret, d.Absolute)
	return nil
}

// Crowded answers how long the address that r comes from has to wait, because of too many failures; 0: not at all.
func (d *Door) Crowded(r *http.Request) (time.Duration, error) {
	var many *tooMany
	err := d.crowded(r.Context(), d.AddressOf(r))
	if errors.As(err, &many) {
		return many.again, nil
	}
	return 0, err
}

// Failed counts a failure of the address that r comes from.
func (d *Door) Failed(r *http.Request) error {
	return d.failed(context.WithoutCancel(r.Context()), &guess{address: d.AddressOf(r)})
}
