package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// TLS is a server's certificate. Without one the server speaks plain HTTP, and a proxy can provide HTTPS. The files may
// change while the server runs.
type TLS struct {
	CertFile string `env:"TLS_CERT_FILE" help:"PEM file with the certificate chain; turns on HTTPS (TLS 1.2 or later)"`
	KeyFile  string `env:"TLS_KEY_FILE" help:"PEM file with the certificate's private key"`
}

// Validate rejects a certificate without a key and a key without a certificate.
func (t TLS) Validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("TLS_CERT_FILE, TLS_KEY_FILE: want both or neither")
	}
	return nil
}

// watchInterval is how soon a change of a certificate's files is seen.
var watchInterval = 10 * time.Second

// expiresSoon is from when on before its end the log warns every day of a certificate.
const expiresSoon = 14 * 24 * time.Hour

// pair is a certificate with its key, as the files had it when they were last in order.
type pair struct {
	files     TLS
	log       *slog.Logger
	cert, key []byte // the content of the files
	loaded    atomic.Pointer[tls.Certificate]

	failed string    // the last error, which is logged once
	warned time.Time // when the log last said that the certificate expires soon
}

// load returns nil for plain HTTP.
func (t TLS) load(log *slog.Logger) (*pair, error) {
	if t.CertFile == "" {
		return nil, nil
	}
	p := &pair{files: t, log: log}
	if err := p.reload(); err != nil {
		return nil, fmt.Errorf("TLS_CERT_FILE, TLS_KEY_FILE: %w", err)
	}
	p.warn(time.Now())
	return p, nil
}

// config returns nil for plain HTTP.
func (p *pair) config() *tls.Config {
	if p == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.loaded.Load(), nil },
	}
}

// watch loads the files again when they have changed, until ctx is done. While they are not in order, because only one of
// the two is new, for example, or half of it is written, the last certificate stays in use.
func (p *pair) watch(ctx context.Context) {
	if p == nil {
		return
	}
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-look.C:
			if err := p.reload(); err != nil && err.Error() != p.failed {
				p.failed = err.Error()
				p.log.Warn("the new certificate cannot be used; the old one stays", "error", err.Error())
			}
			p.warn(now)
		}
	}
}

// reload loads the files if they differ from what is loaded.
func (p *pair) reload() error {
	cert, err := os.ReadFile(p.files.CertFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(p.files.KeyFile)
	if err != nil {
		return err
	}
	if bytes.Equal(cert, p.cert) && bytes.Equal(key, p.key) {
		return nil
	}
	loaded, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	p.cert, p.key, p.failed, p.warned = cert, key, "", time.Time{}
	p.loaded.Store(&loaded)
	p.log.Info("certificate loaded", "subject", loaded.Leaf.Subject.String(), "expires", loaded.Leaf.NotAfter.UTC())
	return nil
}

// warn says once a day that the certificate has expired or will soon.
func (p *pair) warn(now time.Time) {
	expires := p.loaded.Load().Leaf.NotAfter
	if expires.Sub(now) > expiresSoon || now.Sub(p.warned) < 24*time.Hour {
		return
	}
	p.warned = now
	p.log.Warn("the certificate expires soon", "expires", expires.UTC())
}
