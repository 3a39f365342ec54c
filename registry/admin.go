package registry

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin serves what an operator's machines ask for, apart from the kiosks'
// address: /metrics, /healthz (this process lives), /readyz (it can take
// visits) and /outbox (mails that nothing carries).
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /readyz", s.health)
	if s.Outbox != nil {
		mux.Handle("GET /outbox", s.Outbox)
	}
	return mux
}

// ServeAdmin serves Admin on l, plain, until ctx ends.
func (s *Server) ServeAdmin(ctx context.Context, l net.Listener) error {
	h := server(s.Admin(), s.Limits, s.Log)
	return serveUntil(ctx, h, func() error { return h.Serve(l) }, time.Second, s.Log)
}

// health says whether the store can be read and how old the bundle is.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if err := s.Store.Ping(r.Context()); err != nil {
		s.Log.Error("the store cannot be read", "error", err)
		problem(w, busy("the store cannot be read"))
		return
	}
	b := s.inForce(s.Now())
	if b == nil {
		why := noBundle
		why.detail = "the trust bundle has expired or is missing: sign a new one with registry bundle"
		problem(w, why)
		return
	}
	reply(w, struct {
		Status  string `json:"status"`
		Bundle  uint64 `json:"bundle"`
		Expires string `json:"expires"`
	}{"ok", b.Number(), b.Expires().Format(time.RFC3339)})
}
