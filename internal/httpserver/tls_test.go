package httpserver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// issued is a certificate for 127.0.0.1 with its key, as PEM.
type issued struct {
	cert, key []byte
	trusted   *x509.CertPool
}

func issue(t *testing.T, name string, lifetime time.Duration) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(lifetime),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	i := issued{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), x509.NewCertPool(),
	}
	i.trusted.AppendCertsFromPEM(i.cert)
	return i
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate writes a certificate for 127.0.0.1 and returns it with a pool that trusts it.
func certificate(t *testing.T) (httpserver.TLS, *x509.CertPool) {
	t.Helper()
	files := httpserver.TLS{CertFile: filepath.Join(t.TempDir(), "cert.pem"), KeyFile: filepath.Join(t.TempDir(), "key.pem")}
	i := issue(t, "first", time.Hour)
	write(t, files.CertFile, i.cert)
	write(t, files.KeyFile, i.key)
	return files, i.trusted
}

func TestServerWithACertificateSpeaksTLS12OrNewer(t *testing.T) {
	t.Parallel()
	files, trusted := certificate(t)
	ctx, stop := context.WithCancel(t.Context())
	addr := porttest.FreeAddress(t)
	served := make(chan error, 1)
	go func() { served <- httpserver.Serve(ctx, addr, files, http.NotFoundHandler(), discard) }()
	get(addr) // returns once the server listens
	for name, test := range map[string]struct {
		max uint16
		ok  bool
	}{"TLS 1.1": {tls.VersionTLS11, false}, "TLS 1.2": {tls.VersionTLS12, true}, "TLS 1.3": {tls.VersionTLS13, true}} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS10, MaxVersion: test.max})
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("ServeTLS returned %v", err)
	}
}

func TestCertificateThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	missing := httpserver.TLS{CertFile: "/nowhere", KeyFile: "/nowhere"}
	err := httpserver.Serve(t.Context(), "127.0.0.1:0", missing, http.NotFoundHandler(), discard)
	if err == nil || !strings.Contains(err.Error(), "TLS_CERT_FILE") {
		t.Errorf("got %v", err)
	}
	if err := (httpserver.TLS{CertFile: "cert.pem"}).Validate(); err == nil {
		t.Error("a certificate without a key is accepted")
	}
}

func TestANewCertificateIsServedOnceItsFilesAreInOrder(t *testing.T) {
	t.Parallel()
	files, _ := certificate(t)
	var logs logtest.Buffer
	ctx, stop := context.WithCancel(t.Context())
	addr := porttest.FreeAddress(t)
	served := make(chan error, 1)
	go func() {
		served <- httpserver.Serve(ctx, addr, files, http.NotFoundHandler(), slog.New(slog.NewTextHandler(&logs, nil)))
	}()
	get(addr) // returns once the server listens
	wants := func(name string) {
		t.Helper()
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != name {
			t.Errorf("the certificate is %s, want %s", got, name)
		}
	}
	says := func(what string, times int) {
		t.Helper()
		servicestest.Eventually(t, 10*time.Second, what, func() bool { return strings.Count(logs.String(), what) >= times })
	}
	wants("first")
	says("the certificate expires soon", 1) // in an hour

	second := issue(t, "second", 30*24*time.Hour)
	write(t, files.CertFile, second.cert)
	says("the old one stays", 1) // the key is not there yet
	wants("first")
	write(t, files.KeyFile, second.key[:len(second.key)/2])
	says("the old one stays", 2)
	wants("first")
	if err := os.Remove(files.KeyFile); err != nil {
		t.Fatal(err)
	}
	says("the old one stays", 3)
	wants("first")
	write(t, files.KeyFile, second.key)
	says("certificate loaded", 2)
	wants("second")
	if n := strings.Count(logs.String(), "the old one stays"); n > 7 {
		t.Errorf("the log repeats itself:\n%s", logs.String())
	}
	if n := strings.Count(logs.String(), "expires soon"); n != 1 {
		t.Errorf("a certificate of 30 days expires soon:\n%s", logs.String())
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
