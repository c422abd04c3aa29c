package ldap_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-im/rollcall/directory/ldap"
)

// TestNegativeSerial shows a certificate as Samba makes them for itself, which this platform refuses: the error says what to do.
func TestNegativeSerial(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial := []byte{0x5a, 1, 2, 3, 4, 5, 6, 7}
	template := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: "dc1"}, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(der, serial)
	der[at] |= 0x80 // nobody comes so far as to check the signature
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.(*tls.Conn).Handshake() // its failure is what is tested
	}()
	_, err = client(t, ldap.Config{URL: "ldaps://" + l.Addr().String(), BindDN: "cn=x", Password: canary, Base: base, Timeout: 2 * time.Second}).Position(t.Context())
	if !errors.Is(err, ldap.ErrTLS) || !strings.Contains(err.Error(), "negative serial number") || !strings.Contains(err.Error(), "x509negativeserial") {
		t.Error(err)
	}
}
