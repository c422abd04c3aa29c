package ldap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// Why nobody is proved. Only the last three tell something about an account, and they stand only where the directory
// says it of somebody whose password was right. Any other error means that the directory could not be asked.
var (
	ErrNoAccount     = errors.New("no single account has this login name")
	ErrWrongPassword = errors.New("the directory did not take this password")
	ErrExpired       = errors.New("the password is right, but it has expired")
	ErrMustChange    = errors.New("the password is right, but it must be changed first")
	ErrDisabled      = errors.New("the password is right, but the account may not be used now")
)

// Account is an entry that somebody says to be. The zero Account is nobody.
type Account struct {
	Key string // the immutable id
	DN  string // where the entry stands now
}

// Passwords proves people's passwords, by binding as them. A password is sent over TLS only, on a connection that was opened
// for it and is used for nothing else. It may be used from several goroutines.
type Passwords struct {
	p      *prepared
	search *Client
	find   chan struct{} // one search at a time
	bind   chan struct{} // a crowd at nine o'clock must not take all connections of the server
}

const maxBinds = 8

// NewPasswords checks c, which must have SignIn, and answers what proves passwords there.
func NewPasswords(c Config) (*Passwords, error) {
	p, err := c.prepare()
	if err != nil {
		return nil, err
	}
	if !c.SignIn {
		return nil, fmt.Errorf("%w: sign_in is off", ErrConfig)
	}
	return &Passwords{p: p, search: &Client{p: p, wary: &refusals{}}, find: make(chan struct{}, 1), bind: make(chan struct{}, maxBinds)}, nil
}

// Close closes the standing connection. The Passwords may be used again.
func (a *Passwords) Close() error { return a.search.Close() }

// take waits for a place, and answers how to give it back.
func take(ctx context.Context, places chan struct{}) (func(), error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many ask at once", ErrTimeout)
	}
}

// Account finds the one person whose login name is login or, where there is none, whose e-mail address it is: a login name
// wins, so that nobody takes another's by writing it into an address of their own. Whatever login holds, it is only
// ever compared. ErrNoAccount: there is none, or there are several.
func (a *Passwords) Account(ctx context.Context, login string) (Account, error) {
	done, err := take(ctx, a.find)
	if err != nil {
		return Account{}, err
	}
	defer done()
	var found Account
	err = a.search.shared(ctx, func(c *conn) error {
		for _, field := range []string{"user_name", "email"} {
			filter := c.called(login, field)
			if filter == "" {
				continue
			}
			page, err := c.search(ctx, request{base: a.p.Base, scope: goldap.ScopeWholeSubtree, filter: filter, attrs: []string{c.idAttribute()}})
			if err != nil && len(page.entries) < 2 { // two are too many, whatever comes after them
				return err
			}
			if n := len(page.entries); n > 0 {
				if e := page.entries[0]; n == 1 && e.dn != "" {
					found = Account{Key: key(e, c.idAttribute()), DN: e.dn}
				}
				break
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return Account{}, err
	case found.Key == "":
		return Account{}, ErrNoAccount
	}
	return found, nil
}

// Prove tells by its error whether password is the account's. Of the zero Account it is ErrWrongPassword, after as much
// talk with the directory as of any other, and without the password having been sent.
func (a *Passwords) Prove(ctx context.Context, account Account, password Secret) error {
	if password == "" { // RFC 4513 section 5.1.2: with an empty password a bind succeeds as nobody
		return ErrWrongPassword
	}
	if account.DN == "" || account.Key == "" {
		account.DN, password = "cn="+rand.Text()+","+a.p.Base, Secret(rand.Text())
	}
	done, err := take(ctx, a.bind)
	if err != nil {
		return err
	}
	defer done()
	c, err := a.search.reach(ctx, open)
	if err != nil {
		return err
	}
	defer c.close()
	var m message
	err = c.guard(ctx, a.p.Timeout, func() (err error) {
		m, err = c.bindAs(account.DN, password)
		return err
	})
	if err != nil {
		return explain("log in somebody at "+c.at.address, err, password)
	}
	return proved(m, c.at.address, password)
}

const (
	controlPolicy  = "1.3.6.1.4.1.42.2.27.8.5.1" // draft-behera-ldap-password-policy section 6
	controlExpired = "2.16.840.1.113730.3.4.4"   // draft-vchu-ldap-pwd-policy: the password has expired, or must be changed
)

// bindAs sends a simple bind and answers the server's message, whatever its result.
func (c *conn) bindAs(dn string, password Secret) (message, error) {
	control := ber.NewSequence("")
	control.AppendChild(octets(ber.TagOctetString, ber.ClassUniversal, controlPolicy))
	if err := c.send(bindRequest(dn, password), control); err != nil {
		return message{}, err
	}
	m, err := c.receive()
	if err == nil && m.tag != tagBindAnswer {
		err = fmt.Errorf("%w: operation %#x", errMalformed, m.tag)
	}
	return m, err
}

// adReason is how Active Directory says in words why it refused a bind with code 49.
var adReason = regexp.MustCompile(`\bdata ([0-9a-fA-F]{3})\b`)

// proved reads what a server made of a bind. What a server says before it looked at the password, as that the account
// is locked, is no better than a wrong one: it would tell a guesser who is there.
func proved(m message, address string, password Secret) error {
	expired, change, err := policyOf(m.controls)
	if err != nil {
		return explain("log in somebody at "+address, err, "")
	}
	err = parseResult(m.op)
	var answer *goldap.Error
	switch {
	case err == nil && (change || expired):
		return ErrMustChange
	case err == nil:
		return nil
	case !errors.As(err, &answer):
		return explain("log in somebody at "+address, err, password)
	}
	switch answer.ResultCode {
	case goldap.LDAPResultInvalidCredentials:
		reason := ""
		if found := adReason.FindStringSubmatch(answer.Err.Error()); found != nil {
			reason = strings.ToLower(found[1])
		}
		switch { // [MS-ERREF]; 775, locked out, is said without looking at the password
		case expired, reason == "532":
			return ErrExpired
		case change, reason == "773":
			return ErrMustChange
		case reason == "530", reason == "531", reason == "533", reason == "701":
			return ErrDisabled
		}
		return ErrWrongPassword
	case goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultNoSuchObject, goldap.LDAPResultInvalidDNSyntax,
		goldap.LDAPResultUnwillingToPerform, goldap.LDAPResultConstraintViolation: // no password, gone meanwhile, inactivated or locked on 389
		return ErrWrongPassword
	}
	return explain("log in somebody at "+address, err, password)
}

// policyOf reads the controls that come with the answer to a bind: whether the password has expired, and whether it must be changed.
func policyOf(controls []byte) (expired, change bool, err error) {
	if _, expired, err = findControl(controls, controlExpired); err != nil {
		return false, false, err
	}
	value, found, err := findControl(controls, controlPolicy)
	if err == nil && found {
		value, _, err = want(value, tagSequence)
	}
	for err == nil && found && len(value) > 0 {
		var tag byte
		var content []byte
		if tag, content, value, err = element(value); err == nil && tag == 0x81 && len(content) == 1 { // error [1]
			expired, change = expired || content[0] == 0, change || content[0] == 2
		}
	}
	if err != nil {
		return false, false, err
	}
	return expired, change, nil
}
