package bus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/rollcall-im/rollcall/internal/bus"
)

func started(t *testing.T, o *server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

// A server lets in who has the password, the key or the certificate, and nobody else; and a server that a stranger signed is none.
func TestNodesProveWhoTheyAre(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	stranger, _ := nkeys.CreateUser()
	other, _ := stranger.Seed()
	certificate, key := signed(t)
	own, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	foreign, _ := signed(t)

	password := started(t, &server.Options{Username: "rollcall", Password: "right"})
	withUser := func(user string) string { return strings.Replace(password, "nats://", "nats://"+user+"@", 1) }
	byKey := started(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
	byCertificate := started(t, &server.Options{TLS: true, TLSVerify: true, TLSTimeout: 5,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}})
	for name, c := range map[string]struct {
		options bus.Options
		in      bool
	}{
		"password":                   {bus.Options{URL: withUser("rollcall:right")}, true},
		"wrong password":             {bus.Options{URL: withUser("rollcall:wrong")}, false},
		"no password":                {bus.Options{URL: password}, false},
		"key":                        {bus.Options{URL: byKey, NKey: string(seed) + "\n"}, true},
		"another key":                {bus.Options{URL: byKey, NKey: string(other)}, false},
		"no key":                     {bus.Options{URL: byKey}, false},
		"certificate":                {bus.Options{URL: byCertificate, CA: certificate, Certificate: certificate, Key: key}, true},
		"no certificate":             {bus.Options{URL: byCertificate, CA: certificate}, false},
		"another authority":          {bus.Options{URL: byCertificate, CA: foreign, Certificate: certificate, Key: key}, false},
		"outbound authority":         {bus.Options{URL: byCertificate, Roots: func() *x509.CertPool { return roots }, Certificate: certificate, Key: key}, true},
		"outbound authority, no TLS": {bus.Options{URL: withUser("rollcall:right"), Roots: func() *x509.CertPool { return roots }}, true},
		"no authority":               {bus.Options{URL: byCertificate, Certificate: certificate, Key: key}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Deployment, c.options.Node, c.options.Log = "test", "a", slog.New(slog.DiscardHandler)
			b, err := bus.Connect(c.options)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			for deadline := time.Now().Add(20 * time.Second); c.in && !b.Connected() && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if b.Connected() != c.in {
				t.Errorf("let in: %v", b.Connected())
			}
		})
	}
}

// What cannot be used is told before anything is connected, without the secret; and whether a bus is open to whoever reaches it is known.
func TestProven(t *testing.T) {
	for _, o := range []bus.Options{{NKey: "canary"}, {CA: "canary"}, {Certificate: "canary", Key: "canary"}} {
		if err := o.Check(); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for url, want := range map[string]bool{
		"nats://127.0.0.1:4222": true, "nats://localhost:4222": true, "nats://[::1]:4222": true, "nats://u:p@nats:4222,nats://127.0.0.1:4222": true,
		"nats://nats:4222": false, "nats://u@nats:4222": false, "nats://u:p@nats:4222, nats://other:4222": false, "nats://10.0.0.1": false, "%zz": false,
	} {
		if got := (bus.Options{URL: url}).Proven(); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
	if !(bus.Options{URL: "nats://nats", NKey: "x"}).Proven() || !(bus.Options{URL: "nats://nats", Certificate: "x"}).Proven() {
		t.Error("a key or certificate proves nothing")
	}
}

// signed makes a certificate that signs itself, for 127.0.0.1.
func signed(t *testing.T) (certificate, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	made, err := x509.CreateCertificate(rand.Reader, template, template, &pair.PublicKey, pair)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}))
}
