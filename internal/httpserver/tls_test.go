package httpserver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/porttest"
)

// certificate writes a certificate for 127.0.0.1 and returns it with a pool that trusts it.
func certificate(t *testing.T) (httpserver.TLS, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := httpserver.TLS{CertFile: filepath.Join(t.TempDir(), "cert.pem"), KeyFile: filepath.Join(t.TempDir(), "key.pem")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for name, data := range map[string][]byte{
		files.CertFile: certPEM, files.KeyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certPEM)
	return files, trusted
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
