package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what an operator watches. Labels are brands: nobody is named.
type metrics struct {
	registry *prometheus.Registry
	keys     *prometheus.GaugeVec
	lists    *prometheus.GaugeVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		keys: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "munjigi_issuer_signs_until_timestamp_seconds", Help: "When the keys that a brand has stop signing (Unix time); a next one needs 35 days.",
		}, []string{"brand"}),
		lists: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "munjigi_issuer_revocations_until_timestamp_seconds", Help: "When a brand's list of revoked certificates runs out (Unix time); nobody is verified by certificate then.",
		}, []string{"brand"}),
	}
	m.registry.MustRegister(m.keys, m.lists, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) signsUntil(brand string, t time.Time) {
	m.keys.WithLabelValues(brand).Set(float64(t.Unix()))
}
func (m *metrics) listUntil(brand string, t time.Time) {
	m.lists.WithLabelValues(brand).Set(float64(t.Unix()))
}

// serve answers GET /metrics on l until ctx ends.
func (m *metrics) serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the metrics: %w", err)
	}
	return nil
}
