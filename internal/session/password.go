package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/httpapi"
	"github.com/rollcall-im/rollcall/internal/id"
)

// Why a directory does not prove somebody. ErrExpired, ErrMustChange and ErrDisabled are for who gave the right password only.
var (
	ErrNoAccount  = errors.New("no single account has this login name")
	ErrPassword   = errors.New("the directory did not take the password")
	ErrExpired    = errors.New("the password has expired")
	ErrMustChange = errors.New("the password must be changed first")
	ErrDisabled   = errors.New("the account may not be used now")
)

// Account is an entry of a directory that somebody says to be: identified by source and immutable key, never by a name or an
// address. The zero Account is nobody.
type Account struct {
	Source id.Source
	Key    string
	Place  string // where the directory has it now; its own matter
}

// Passwords is what proves people's passwords. Any error but those that are named means that it cannot be asked now.
type Passwords interface {
	// Account finds the one account that has a login name, and sends no password. ErrNoAccount: there is none, or there are several.
	Account(ctx context.Context, login string) (Account, error)
	// Prove tells by its error whether password is the account's: ErrPassword, ErrExpired, ErrMustChange, ErrDisabled. The zero
	// Account costs as much as any other, and is ErrPassword.
	Prove(ctx context.Context, a Account, password string) error
	// Person answers whose record the account is now; ErrNoPerson where it is nobody's, the person and ErrDisabled where it may not be used.
	Person(ctx context.Context, a Account) (id.Person, error)
	// Accounts answers the accounts a person may prove to be theirs.
	Accounts(ctx context.Context, person id.Person) ([]Account, error)
}

// Codes of the answers.
const (
	codeRefused     = "password_refused"
	codeUnavailable = "directory_unavailable"
	codeTooMany     = "too_many_tries"
)

const (
	passwordFor = 20 * time.Second // for all that the directory is asked
	// refusalStep is what the time until a refusal is a multiple of: how long the directory took tells nothing.
	refusalStep = 400 * time.Millisecond
	maxLogin    = 256
	maxPassword = 1024
)

// Methods answers how people sign in here.
func (d *Door) Methods(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]bool{"oidc": d.Issuer != "", "password": d.Passwords != nil})
}

type passwordInput struct {
	Login    string `json:"login"`
	Password string `json:"password"`
	ReturnTo string `json:"return_to"`
}

// Password opens a session for who gives the password that their directory has: {login, password, return_to} as JSON, which no form
// of another site can send; answered with the location to go to. Whether there is such an account, whether it is locked, and
// which of the two was wrong is told to nobody.
func (d *Door) Password(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	w.Header().Set("Cache-Control", "no-store")
	if d.Passwords == nil {
		httpapi.WriteError(w, r, httpapi.NewProblem(http.StatusNotFound, "not_found", "nobody signs in with a password here"))
		return
	}
	in, err := readPassword(r)
	if err != nil {
		httpapi.WriteError(w, r, err)
		return
	}
	person, claims, no := d.provePassword(r, in)
	secret := random()
	if no == nil {
		no = d.open(r, person, claims, secret, func(*db.Tx) error { return nil })
	}
	if no != nil {
		d.refusePassword(w, r, *no, began)
		return
	}
	d.setCookie(w, d.cookieName(), secret, d.Absolute)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"location": localPath(in.ReturnTo)})
}

// unknownField finds what the decoder does not know, where it looks like the name of a field.
var unknownField = regexp.MustCompile(`unknown field "([A-Za-z_]{1,32})"`)

// readPassword reads the request. Nothing of it is in an error but the name of a field that is none.
func readPassword(r *http.Request) (passwordInput, error) {
	var in passwordInput
	bad := func(code, text string) error { return httpapi.NewProblem(http.StatusBadRequest, code, text) }
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return in, httpapi.NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "wants application/json")
	}
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	if err := body.Decode(&in); err != nil {
		if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
			return in, bad("invalid_request", found[1]+" is no field of this: wants {login, password, return_to} as JSON")
		}
		return in, bad("invalid_request", "wants {login, password, return_to} as JSON")
	}
	in.Login = strings.TrimSpace(in.Login)
	switch {
	case in.Login == "" || in.Password == "": // a directory takes an empty password for nobody's, and says yes
		return in, bad("password_missing", "wants a user name and a password")
	case len(in.Login) > maxLogin || len(in.Password) > maxPassword || !utf8.ValidString(in.Login) || strings.ContainsRune(in.Login, 0):
		return in, bad("invalid_request", "this cannot be a user name and a password")
	}
	return in, nil
}

// guess is one try at a password.
type guess struct {
	login, password, address string
	account                  Account
	reserved                 map[string]string // what it was counted by
}

// provePassword finds who in is.
func (d *Door) provePassword(r *http.Request, in passwordInput) (id.Person, Claims, *refused) {
	ctx, cancel := context.WithTimeout(r.Context(), passwordFor)
	defer cancel()
	g := &guess{login: in.Login, password: in.Password, address: d.AddressOf(r), reserved: map[string]string{}}
	err := d.ask(ctx, g)
	no := &refused{status: http.StatusForbidden, code: codeRefused, err: err, claims: Claims{Issuer: "password"}}
	if g.account.Key != "" {
		no.claims, no.login = Claims{Issuer: accountIssuer + string(g.account.Source), Subject: g.account.Key}, g.login
	}
	book := context.WithoutCancel(ctx) // who hangs up has guessed all the same
	var many *tooMany
	var fault *faultError
	switch {
	case errors.As(err, &fault):
		no.status, no.code = http.StatusInternalServerError, "internal"
	case errors.Is(err, ErrPassword), errors.Is(err, ErrNoAccount):
		if no.login != "" {
			no.person, _ = d.Passwords.Person(ctx, g.account) // for the audit log
		}
		if err := d.failed(book, g); err != nil {
			no.status, no.code, no.err = http.StatusInternalServerError, "internal", err
		}
	case errors.As(err, &many):
		no.status, no.code = http.StatusTooManyRequests, codeTooMany
	case err != nil && !known(err):
		no.status, no.code = http.StatusServiceUnavailable, codeUnavailable
	default:
		if err := d.forgive(book, g.reserved, true); err != nil {
			no.status, no.code, no.err = http.StatusInternalServerError, "internal", err
			break
		}
		return d.admitted(ctx, g.account, no.claims, err)
	}
	return "", no.claims, no
}

// faultError is an error of ours, not of the directory's.
type faultError struct{ error }

// ask asks the directory about g. It is counted before it is sent: by login name as it was given, and by account, which has several names.
func (d *Door) ask(ctx context.Context, g *guess) error {
	book := context.WithoutCancel(ctx)
	var many *tooMany
	count := func(kind, value string) error {
		err := d.reserve(book, kind, value)
		if err == nil {
			g.reserved[kind] = value
		} else if !errors.As(err, &many) {
			err = &faultError{err}
		}
		return err
	}
	if err := d.crowded(ctx, g.address); errors.As(err, &many) {
		return err
	} else if err != nil {
		return &faultError{err}
	}
	if err := count(tryLogin, foldLogin(g.login)); err != nil {
		return err
	}
	account, err := d.Passwords.Account(ctx, g.login)
	switch {
	case errors.Is(err, ErrNoAccount):
		if err := d.Passwords.Prove(ctx, Account{}, g.password); err != nil && !errors.Is(err, ErrPassword) {
			return err
		}
		return ErrNoAccount
	case err != nil: // nothing was sent that a directory counts
		return errors.Join(err, d.forgive(book, g.reserved, false))
	}
	g.account = account
	if err := count(tryAccount, account.counted()); errors.As(err, &many) {
		return fmt.Errorf("%w: %w", ErrPassword, err) // else another name of the account would tell that it is there
	} else if err != nil {
		return err
	}
	return d.Passwords.Prove(ctx, account, g.password)
}

// known tells whether err says something about the password, and not that the directory could not be asked.
func known(err error) bool {
	for _, one := range []error{ErrPassword, ErrExpired, ErrMustChange, ErrDisabled} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// admitted answers whose account it is, where the password was right; err says what is the matter with it all the same.
func (d *Door) admitted(ctx context.Context, account Account, claims Claims, err error) (id.Person, Claims, *refused) {
	no := &refused{status: http.StatusForbidden, err: err, claims: claims}
	switch {
	case errors.Is(err, ErrExpired):
		no.code = "password_expired"
	case errors.Is(err, ErrMustChange):
		no.code = "password_must_change"
	case errors.Is(err, ErrDisabled):
		no.code = "account_disabled"
	}
	person, err := d.Passwords.Person(ctx, account)
	if errors.Is(err, ErrDisabled) {
		no.code, no.err, err = cmp.Or(no.code, "account_disabled"), cmp.Or(no.err, err), nil
	}
	switch {
	case err != nil && !errors.Is(err, ErrNoPerson):
		no.status, no.code, no.err = http.StatusInternalServerError, "internal", err
	case no.code != "":
		no.person = person
	case err != nil || person == "":
		no.code, no.err = "person_unknown", ErrNoPerson
	default:
		return person, claims, nil
	}
	return "", claims, no
}

// accountIssuer begins the issuer of a session that a directory's password opened; the source follows, and the key is the subject.
const accountIssuer = "ldap:"

// stillTheirs is ErrEnded where the account that opened s is another person's now, whose record was split off, or nobody's.
func (d *Door) stillTheirs(ctx context.Context, s sessionRow) error {
	source, ok := strings.CutPrefix(s.Issuer, accountIssuer)
	if !ok {
		return nil
	}
	if d.Passwords == nil {
		return ErrEnded
	}
	person, err := d.Passwords.Person(ctx, Account{Source: id.Source(source), Key: s.Subject})
	if errors.Is(err, ErrNoPerson) || errors.Is(err, ErrDisabled) || err == nil && person != s.Person {
		return ErrEnded
	}
	return err
}

// refusePassword answers as late as any other refusal.
func (d *Door) refusePassword(w http.ResponseWriter, r *http.Request, n refused, began time.Time) {
	var many *tooMany
	if n.code == codeTooMany && errors.As(n.err, &many) {
		w.Header().Set("Retry-After", strconv.Itoa(int(many.again/time.Second)+1))
	}
	d.auditRefusal(r, n)
	d.Log.InfoContext(r.Context(), "sign-in refused", "request", httpapi.RequestFrom(r.Context()), "code", n.code, "person", n.person, "error", n.err)
	if n.code == codeRefused {
		wait := time.NewTimer(refusalStep - time.Since(began)%refusalStep)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
		}
	}
	en, _ := n.text()
	httpapi.WriteError(w, r, httpapi.NewProblem(n.status, n.code, en))
}
