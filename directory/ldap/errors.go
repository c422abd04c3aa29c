package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// explain makes an error of the network or of go-ldap into one of ours: a sentinel, what to do, and the
// original text without the password. The original is not wrapped, so that nothing of it can get out.
func explain(op string, err error, secret Secret) error {
	if err == nil {
		return nil
	}
	hint, kind := classify(err)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", op, context.Canceled)
	}
	text := scrub(strings.TrimPrefix(err.Error(), kind.Error()+": "), secret)
	if hint != "" {
		text = hint + " (" + text + ")"
	}
	return fmt.Errorf("%s: %w: %s", op, kind, text)
}

// scrub takes the password out of a text a server or a library made.
func scrub(text string, secret Secret) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, string(secret), hidden)
}

// errGone is an ErrServer: the entry that a search begins at is not there, or is not shown.
var errGone = fmt.Errorf("%w: the entry does not exist, or the account may not see it: look at base, and at the account's rights", ErrServer)

func classify(err error) (hint string, kind error) {
	for _, known := range []error{errGone, ErrTimeout, ErrClosed, ErrTLS, ErrServer, ErrUnreachable, ErrLogin} {
		if errors.Is(err, known) {
			return "", known
		}
	}
	var answer *goldap.Error
	if errors.As(err, &answer) && answer.ResultCode != goldap.ErrorNetwork {
		return classifyCode(answer.ResultCode)
	}
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
		verify    *tls.CertificateVerificationError
		network   *net.OpError
		name      *net.DNSError
	)
	switch {
	case errors.As(err, &authority):
		return "the certificate is not signed by an authority this machine trusts: set ca_file to the authority's certificate", ErrTLS
	case errors.As(err, &hostname):
		return "the certificate is for another name: use that name in url, or set server_name", ErrTLS
	case errors.As(err, &invalid):
		return "the certificate is not valid", ErrTLS
	case strings.Contains(err.Error(), "negative serial number"):
		return "the certificate has a negative serial number, as those that Samba makes for itself: give the server a new certificate; until then GODEBUG=x509negativeserial=1 lets this one pass", ErrTLS
	case errors.As(err, &header):
		return "the server does not speak TLS on this port: ldaps:// is usually 636, ldap:// with StartTLS 389", ErrTLS
	case errors.As(err, &verify), strings.Contains(err.Error(), "tls: "):
		return "", ErrTLS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "", ErrTimeout
	case errors.As(err, &name):
		return "the host name is not known", ErrUnreachable
	case errors.As(err, &network) && network.Op == "dial":
		return "", ErrUnreachable
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.As(err, &network), answer != nil:
		return "", ErrClosed
	}
	return "", ErrServer
}

func classifyCode(code uint16) (hint string, kind error) {
	switch code {
	case goldap.LDAPResultInvalidCredentials:
		return "bind_dn or password is wrong", ErrLogin
	case goldap.LDAPResultStrongAuthRequired, goldap.LDAPResultConfidentialityRequired:
		return "the server wants TLS: use ldaps://, or ldap:// without insecure_plain", ErrLogin
	case goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultUnwillingToPerform:
		return "the server does not do that", ErrServer
	case goldap.LDAPResultNoSuchObject:
		return "", errGone
	case goldap.LDAPResultInsufficientAccessRights:
		return "the account may not read this", ErrServer
	case goldap.LDAPResultSizeLimitExceeded, goldap.LDAPResultTimeLimitExceeded, goldap.LDAPResultAdminLimitExceeded:
		return "the server cut the answer short: lift the account's size and time limits, or lower page_size", ErrServer
	case goldap.LDAPResultReferral:
		return "the server points to another server, which is not followed: use that server in url", ErrServer
	case goldap.LDAPResultBusy, goldap.LDAPResultUnavailable:
		return "the server is busy or closing down", ErrServer
	}
	return "", ErrServer
}
