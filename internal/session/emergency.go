package session

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/audit"
	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/roles"
)

//go:embed emergency.html
var emergencyPage string

const (
	emergencyPrefix = "rce_"
	emergencyIssuer = "emergency" // of the session that it opens, which is no person's
	emergencyWithin = 10 * time.Minute
	emergencyFor    = time.Hour
)

// ErrEmergency says that a half opens nothing: it is wrong, was used, or is the one that was shown already.
var ErrEmergency = errors.New("this is no half of a sealed emergency account")

// Emergency is how the emergency account stands.
type Emergency struct {
	SealedBy string
	SealedAt time.Time // zero: never
	HalfAt   time.Time // when one of two was shown, if that counts still
	UsedAt   time.Time // zero: it can be used
}

// Emergency answers how the emergency account stands.
func (d *Door) Emergency(ctx context.Context) (Emergency, error) {
	var rows []emergencyRow
	if err := d.DB.Read(ctx).Raw("select * from session_emergency where id = 1").Scan(&rows).Error; err != nil || len(rows) == 0 {
		return Emergency{}, err
	}
	e := Emergency{SealedBy: rows[0].SealedBy, SealedAt: rows[0].SealedAt.Time, UsedAt: rows[0].UsedAt.Time}
	if rows[0].waits(d.Now()) {
		e.HalfAt = rows[0].HalfAt.Time
	}
	return e, nil
}

// waits tells whether one half was shown and the other may follow.
func (r emergencyRow) waits(now time.Time) bool {
	return r.Half != 0 && r.UsedAt.IsZero() && now.Sub(r.HalfAt.Time) < emergencyWithin
}

// Seal makes the emergency account anew: two halves for two people, shown this once. Those of before open nothing any more. Who sees both halves
// can open it alone, so only who has what it opens may: ErrStronger.
func (d *Door) Seal(ctx context.Context, by httpapi.Caller) (first, second string, err error) {
	if err := mayComeTo(by, d.emergencyGrants()); err != nil {
		return "", "", err
	}
	first, second = emergencyPrefix+random(), emergencyPrefix+random()
	return first, second, d.DB.Tx(ctx, func(tx *db.Tx) error {
		if err := d.stillValid(tx, by); err != nil {
			return err
		}
		if err := tx.Exec(`insert into session_emergency (id, first_hash, second_hash, sealed_by, sealed_at, half) values (1, ?, ?, ?, ?, 0)
			on conflict (id) do update set first_hash = excluded.first_hash, second_hash = excluded.second_hash, sealed_by = excluded.sealed_by,
				sealed_at = excluded.sealed_at, half = 0, half_at = null, used_at = null`, hashed(first), hashed(second), by.Actor(), db.At(d.Now())).Error; err != nil {
			return err
		}
		return d.auditEmergency(tx, by.Actor(), "emergency.sealed", nil)
	})
}

func (d *Door) auditEmergency(tx *db.Tx, actor, action string, public map[string]any) error {
	return audit.Append(tx, audit.Record{At: d.Now(), Actor: actor, Action: action, Subject: emergencyIssuer, RequestID: string(httpapi.RequestFrom(tx.Statement.Context)), Public: public})
}

// show takes one half. Of the first of two it answers no secret; of the second, within ten minutes, the secret of a session that it opened, and
// every administrator is told.
func (d *Door) show(ctx context.Context, half, agent string) (secret string, err error) {
	err = d.DB.Tx(ctx, func(tx *db.Tx) error {
		secret = ""
		var rows []emergencyRow
		if err := tx.Raw("update session_emergency set id = id where id = 1 returning *").Scan(&rows).Error; err != nil {
			return err
		}
		if len(rows) == 0 || !rows[0].UsedAt.IsZero() {
			return ErrEmergency
		}
		e, now, which := rows[0], d.Now(), 0
		switch hashed(half) {
		case e.FirstHash:
			which = 1
		case e.SecondHash:
			which = 2
		default:
			return ErrEmergency
		}
		if !e.waits(now) || e.Half == which {
			if err := tx.Exec("update session_emergency set half = ?, half_at = ? where id = 1", which, db.At(now)).Error; err != nil {
				return err
			}
			return d.auditEmergency(tx, "anonymous", "emergency.half", map[string]any{"half": which})
		}
		if err := tx.Exec("update session_emergency set used_at = ? where id = 1", db.At(now)).Error; err != nil {
			return err
		}
		secret = random()
		return d.openEmergency(tx, secret, agent)
	})
	return secret, err
}

func (d *Door) openEmergency(tx *db.Tx, secret, agent string) error {
	session, now := id.New[id.Session](), d.Now()
	if err := tx.Exec(`insert into sessions (id, token_hash, person, epoch, issuer, subject, sid, user_agent, created_at, last_seen_at, expires_at, end_cause)
		values (?, ?, '', 0, ?, '', '', ?, ?, ?, ?, '')`, session, hashed(secret), emergencyIssuer, cut(agent), db.At(now), db.At(now), db.At(now.Add(emergencyFor))).Error; err != nil {
		return err
	}
	if d.Alarm != nil {
		var people []id.Person
		if err := tx.Raw("select distinct person from session_roles order by person").Scan(&people).Error; err != nil {
			return err
		}
		if err := d.Alarm(tx, people, session, now); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { d.Log.Error("the emergency account was opened; it must be sealed anew", "session", session) })
	return d.auditEmergency(tx, string(session), "emergency.opened", map[string]any{"session": session, "until": now.Add(emergencyFor).UTC().Format(time.RFC3339)})
}

// emergencyGrants is what a session of the emergency account may do: everything, or under the separation of powers make administrators.
func (d *Door) emergencyGrants() roles.Grants {
	if d.Separation {
		return roles.Grants{{Role: roles.Security}}
	}
	return roles.Everything()
}

// EmergencyPage asks for a half. It needs no identity provider, no script and no other page.
func (d *Door) EmergencyPage(w http.ResponseWriter, _ *http.Request) {
	d.emergencyAnswer(w, http.StatusOK, "")
}

func (d *Door) emergencyAnswer(w http.ResponseWriter, status int, state string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	w.WriteHeader(status)
	page := template.Must(template.New("emergency").Parse(emergencyPage))
	page.Execute(w, map[string]string{"State": state})
}

// OpenEmergency takes a half, of a form or as JSON {half}: 202 while the other one is missing, then a session.
func (d *Door) OpenEmergency(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	asks := strings.Contains(r.Header.Get("Content-Type"), "json")
	var in struct {
		Half string `json:"half"`
	}
	if !asks {
		in.Half = r.PostFormValue("half")
	} else if json.NewDecoder(r.Body).Decode(&in) != nil {
		in.Half = ""
	}
	address := d.AddressOf(r)
	var many *tooMany
	err := d.crowded(r.Context(), address)
	secret := ""
	if err == nil {
		secret, err = d.show(r.Context(), strings.ToLower(strings.Join(strings.Fields(in.Half), "")), r.UserAgent())
	}
	if errors.Is(err, ErrEmergency) {
		d.auditRefusal(r, refused{code: "emergency", claims: Claims{Issuer: emergencyIssuer}})
		err = errors.Join(err, d.failed(context.WithoutCancel(r.Context()), &guess{address: address}))
	}
	status, state := http.StatusOK, ""
	switch {
	case errors.As(err, &many):
		w.Header().Set("Retry-After", strconv.Itoa(int(many.again/time.Second)+1))
		status, state = http.StatusTooManyRequests, codeTooMany
	case errors.Is(err, ErrEmergency):
		status, state = http.StatusForbidden, "emergency_refused"
	case err != nil:
		httpapi.WriteError(w, r, err)
		return
	case secret == "":
		status, state = http.StatusAccepted, "waiting"
	default:
		d.setCookie(w, d.cookieName(), secret, emergencyFor)
	}
	switch {
	case asks && status >= 400:
		httpapi.WriteError(w, r, httpapi.NewProblem(status, state, ErrEmergency.Error()))
	case asks:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"waiting": secret == "", "location": "/admin"})
	case secret != "":
		http.Redirect(w, r, "/admin", http.StatusSeeOther)
	default:
		d.emergencyAnswer(w, status, state)
	}
}
