package guests

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/internal/session"
)

//go:embed door.html
var doorPage string

//go:embed door.css
var doorStyle string

var (
	doorTemplate  = template.Must(template.New("door").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(doorStyle) }}).Parse(doorPage))
	doorStyleHash = func() string {
		sum := sha256.Sum256([]byte(doorStyle))
		return base64.StdEncoding.EncodeToString(sum[:])
	}()
)

// sessionIssuer begins the issuer of a session that a link opened; the subject is the guest.
const sessionIssuer = "guest"

// answerStep is what the time until an answer about a link, a code or an address is a multiple of: whether there is one tells nothing by how long it took.
const answerStep = 400 * time.Millisecond

// Door is where guests come in: pages without a script, which work in any browser. What is asked for by GET changes nothing, so that whatever looks at links before a human does uses up none; and what is
// wrong with a link or a code is never said.
type Door struct{ Engine *Engine }

// page is what a guest is shown.
type page struct {
	State   string // which of the pages
	Problem string // what went wrong before
	Link    string
	Code    string // to be read out
	Whom    string // to ask
	Terms   Terms  // to be accepted
	Mail    bool   // links are sent by mail here
	Texts   bool   // codes are sent to numbers here
	Again   bool   // it looks again by itself
}

func (d *Door) cookieName() string {
	if strings.HasPrefix(d.Engine.PublicURL, "https:") {
		return "__Host-rollcall_guest" // no subdomain can set or overwrite it
	}
	return "rollcall_guest"
}

// browser answers the secret that this browser has from us; empty: none.
func (d *Door) browser(r *http.Request) string {
	if cookie, err := r.Cookie(d.cookieName()); err == nil && len(cookie.Value) == encoding.EncodedLen(32) {
		return cookie.Value
	}
	return ""
}

func (d *Door) remember(w http.ResponseWriter, secret string) {
	age := int(arrivalFor / time.Second)
	if secret == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: d.cookieName(), Value: secret, Path: "/", MaxAge: age, HttpOnly: true, Secure: strings.HasPrefix(d.Engine.PublicURL, "https:"), SameSite: http.SameSiteLaxMode})
}

func (d *Door) show(w http.ResponseWriter, status int, p page) {
	p.Mail, p.Texts = d.Engine.Mail != nil, d.Engine.Texts != nil
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+doorStyleHash+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	doorTemplate.Execute(w, p)
}

// Page answers GET /auth/guest: a button behind a link, which is not looked at, else the form of who signs in again.
func (d *Door) Page(w http.ResponseWriter, r *http.Request) {
	if link := r.URL.Query().Get("link"); link != "" && len(link) <= 128 {
		d.show(w, http.StatusOK, page{State: "link", Link: link})
		return
	}
	d.show(w, http.StatusOK, page{State: "ask"})
}

// Open answers POST /auth/guest: it uses a link, once.
func (d *Door) Open(w http.ResponseWriter, r *http.Request) {
	link := r.PostFormValue("link")
	d.prove(w, r, "link", func(ctx context.Context, browser, fresh string) error {
		return d.Engine.take(ctx, link, browser, fresh)
	})
}

// Code answers POST /auth/guest/code: the code that was sent with a link, in the browser that asked for it.
func (d *Door) Code(w http.ResponseWriter, r *http.Request) {
	code := typed(r.PostFormValue("code"))
	d.prove(w, r, "sent", func(ctx context.Context, browser, fresh string) error {
		return d.Engine.takeCode(ctx, code, browser, fresh)
	})
}

// prove has a browser go on where take finds that it may.
func (d *Door) prove(w http.ResponseWriter, r *http.Request, from string, take func(ctx context.Context, browser, fresh string) error) {
	began := time.Now()
	if d.crowded(w, r) {
		return
	}
	fresh := secret()
	err := take(r.Context(), d.browser(r), fresh)
	var ask whom
	switch {
	case err == nil:
		d.remember(w, fresh)
		http.Redirect(w, r, "/auth/guest/wait", http.StatusSeeOther)
	case errors.Is(err, errLink):
		if err := d.Engine.Sessions.Failed(r); err != nil {
			httpapi.WriteError(w, r, err)
			return
		}
		wait(r, began)
		p := page{State: "ask", Problem: "refused"}
		if from == "sent" {
			p.State = "sent"
		}
		d.show(w, http.StatusForbidden, p)
	case errors.Is(err, errBrowser):
		d.show(w, http.StatusForbidden, page{State: "browser"})
	case errors.As(err, &ask):
		d.over(w, r, ask.guest)
	default:
		httpapi.WriteError(w, r, err)
	}
}

// over tells a guest whom to ask, and nothing more.
func (d *Door) over(w http.ResponseWriter, r *http.Request, g Guest) {
	who, err := d.Engine.answersFor(r.Context(), g)
	if err != nil {
		httpapi.WriteError(w, r, err)
		return
	}
	d.show(w, http.StatusForbidden, page{State: "over", Whom: who.DisplayName})
}

// Ask answers POST /auth/guest/sign-in: a link is sent to the address, where a guest has it. What it answers, and when, is the same where nobody has.
func (d *Door) Ask(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if d.crowded(w, r) {
		return
	}
	fresh := secret()
	err := errors.Join(d.Engine.AskToSignIn(r.Context(), r.PostFormValue("email"), fresh), d.Engine.Sessions.Failed(r)) // each counts: whoever asks for many addresses waits
	if err != nil {
		httpapi.WriteError(w, r, err)
		return
	}
	d.remember(w, fresh)
	wait(r, began)
	d.show(w, http.StatusOK, page{State: "sent"})
}

// Wait answers GET /auth/guest/wait: how far this browser is.
func (d *Door) Wait(w http.ResponseWriter, r *http.Request) {
	browser := d.browser(r)
	arrived, err := d.Engine.arrival(d.Engine.DB.Read(r.Context()), browser)
	switch {
	case errors.Is(err, errLink):
		d.show(w, http.StatusForbidden, page{State: "ask", Problem: "refused"})
	case err != nil:
		httpapi.WriteError(w, r, err)
	case arrived.ProvedAt.IsZero():
		d.show(w, http.StatusOK, page{State: "wait", Code: shown(codeOf(browser, "pair")), Again: true})
	default:
		d.proved(w, r, http.StatusOK, arrived.Guest)
	}
}

// proved shows a guest who was proved what there is to accept first, or that they may come in.
func (d *Door) proved(w http.ResponseWriter, r *http.Request, status int, guest id.Guest) {
	terms, err := d.Engine.owed(r.Context(), guest)
	switch {
	case err != nil:
		httpapi.WriteError(w, r, err)
	case terms.Version > 0:
		d.show(w, status, page{State: "terms", Terms: terms})
	default:
		d.show(w, status, page{State: "enter"})
	}
}

// Turn takes over a guest whom the identity provider of the organisation has proved and who has no access now: because of the terms, which they are shown, or for good, which they are told. False: it is no
// guest, or it is for others to say.
func (d *Door) Turn(w http.ResponseWriter, r *http.Request, person id.Person, c session.Claims) bool {
	e, fresh := d.Engine, secret()
	list, err := load(e.DB.Read(r.Context()), "g.person = ?", person)
	if err != nil || len(list) != 1 {
		return false
	}
	terms, err := e.owed(r.Context(), list[0].ID)
	if err != nil {
		return false
	}
	err = e.DB.Tx(r.Context(), func(tx *db.Tx) error {
		if err := e.admissible(tx, list[0]); err != nil || terms.Version == 0 {
			return err
		}
		now := e.clock()
		row := arrivalRow{ID: id.New[id.Arrival](), Guest: list[0].ID, Browser: hashed(fresh), MadeAt: db.At(now), UntilAt: db.At(now.Add(arrivalFor)), ProvedAt: db.At(now), ProvedBy: byProvider(c),
			Issuer: c.Issuer, Subject: c.Subject, SID: c.SID}
		return tx.Create(&row).Error
	})
	switch {
	case errors.Is(err, ErrOver), errors.Is(err, ErrSuspended):
		d.over(w, r, list[0])
	case err != nil || terms.Version == 0:
		return false
	default:
		d.remember(w, fresh)
		http.Redirect(w, r, "/auth/guest/wait", http.StatusSeeOther)
	}
	return true
}

// provedByCompany says that the identity provider of the guest's company proved an arrival.
const provedByCompany = "company"

func byProvider(c session.Claims) string {
	if c.Company != "" {
		return provedByCompany
	}
	return "provider"
}

// Enter answers POST /auth/guest/enter: who was proved accepts what there is to accept, and is given a session.
func (d *Door) Enter(w http.ResponseWriter, r *http.Request) {
	err := d.enter(w, r)
	var ask whom
	switch {
	case err == nil:
		d.remember(w, "")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, errLink):
		d.show(w, http.StatusForbidden, page{State: "ask", Problem: "refused"})
	case errors.Is(err, errTerms):
		http.Redirect(w, r, "/auth/guest/wait", http.StatusSeeOther)
	case errors.As(err, &ask):
		d.over(w, r, ask.guest)
	default:
		httpapi.WriteError(w, r, err)
	}
}

func (d *Door) enter(w http.ResponseWriter, r *http.Request) error {
	e, browser := d.Engine, d.browser(r)
	arrived, err := e.arrival(e.DB.Read(r.Context()), browser)
	if err == nil && arrived.ProvedAt.IsZero() {
		err = errLink
	}
	if err != nil {
		return err
	}
	g, err := e.Guest(r.Context(), arrived.Guest)
	if err != nil {
		return err
	}
	terms, err := e.owed(r.Context(), g.ID)
	if err != nil {
		return err
	}
	if terms.Version > 0 {
		version, _ := strconv.Atoi(r.PostFormValue("version"))
		if err := e.accept(r.Context(), g, version, r.PostFormValue("language"), e.Sessions.AddressOf(r)); err != nil {
			return err
		}
	}
	claims := session.Claims{Issuer: arrived.Issuer, Subject: arrived.Subject, SID: arrived.SID}
	if claims.Issuer == "" {
		claims = session.Claims{Issuer: sessionIssuer, Subject: string(g.ID)}
	}
	first := func(tx *db.Tx) error {
		now, err := e.arrival(tx.DB, browser)
		if err != nil {
			return err
		}
		if g, err = one(tx.DB, now.Guest); err != nil {
			return err
		}
		if err := e.admissible(tx, g); err != nil {
			return err
		}
		done := tx.Exec("update guest_arrivals set entered_at = ? where id = ? and proved_at is not null and entered_at is null and ended_at is null", db.At(e.clock()), now.ID)
		switch {
		case done.Error != nil:
			return done.Error
		case done.RowsAffected == 0:
			return errLink
		case arrived.ProvedBy == provedByCompany:
			return e.bindAt(tx, g, claims)
		case arrived.Issuer != "":
			return e.Sessions.Bind(tx, g.Person, claims)
		}
		return nil
	}
	err = e.Sessions.Enter(w, r, g.Person, claims, first)
	for try := 0; try < 50 && terms.Version > 0 && errors.Is(err, session.ErrFrozen) && r.Context().Err() == nil; try++ { // until this node knows that they accepted
		wait(r, time.Now().Add(-answerStep*3/4))
		err = e.Sessions.Enter(w, r, g.Person, claims, first)
	}
	if errors.Is(err, session.ErrFrozen) || errors.Is(err, ErrOver) || errors.Is(err, ErrSuspended) {
		return whom{g}
	}
	return err
}

// crowded answers where the address of r has to wait.
func (d *Door) crowded(w http.ResponseWriter, r *http.Request) bool {
	again, err := d.Engine.Sessions.Crowded(r)
	switch {
	case err != nil:
		httpapi.WriteError(w, r, err)
	case again > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(again/time.Second)+1))
		d.show(w, http.StatusTooManyRequests, page{State: "many"})
	default:
		return false
	}
	return true
}

// wait returns when an answer may go out.
func wait(r *http.Request, began time.Time) {
	left := time.NewTimer(answerStep - time.Since(began)%answerStep)
	defer left.Stop()
	select {
	case <-left.C:
	case <-r.Context().Done():
	}
}
