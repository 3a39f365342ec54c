package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Certificate chooses the server's certificate, as [tls.Config.GetCertificate] does.
type Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Serve serves HTTPS on l (HTTP where no certificate is configured), with
// limits on time and size, until ctx ends; requests under way get Limits.Stop
// to finish, and what is not done then is cut off: kiosks send it again.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := server(s.Handler(), s.Limits, s.Log)
	serve := h.Serve
	if s.Certificate != nil {
		h.TLSConfig = s.tls()
		serve = func(l net.Listener) error { return h.ServeTLS(l, "", "") }
	}
	return serveUntil(ctx, h, func() error { return serve(l) }, s.Limits.Stop, s.Log)
}

// tls asks for a client certificate without judging it: the handler does, so
// that a kiosk is told what is the matter. Browsers, which have none by this
// CA, are not bothered with a question.
func (s *Server) tls() *tls.Config {
	return &tls.Config{
		GetCertificate: s.Certificate, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequestClientCert, ClientCAs: s.Devices.CA.Pool(),
	}
}

func server(handler http.Handler, limits Limits, log *slog.Logger) *http.Server {
	h := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: min(5*time.Second, limits.Read),
		ReadTimeout:       limits.Read,
		WriteTimeout:      limits.Write,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	// One request at a time on a connection is all a kiosk needs.
	h.Protocols.SetHTTP1(true)
	return h
}

func serveUntil(ctx context.Context, h *http.Server, serve func() error, patience time.Duration, log *slog.Logger) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := h.Shutdown(limit); err != nil {
			log.Warn("requests under way are cut off", "error", err)
			h.Close()
		}
	})
	err := serve()
	if stop() || !errors.Is(err, http.ErrServerClosed) { // nobody asked for the end
		return fmt.Errorf("serve the registry: %w", err)
	}
	<-stopped
	return nil
}
