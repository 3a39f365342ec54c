package registry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/munjigi/munjigi/pass/wire"
)

// metrics are the registry's numbers for Prometheus. They name no kiosk, no
// facility, no issuer and no visit: labels have values from closed lists only.
type metrics struct {
	registry   *prometheus.Registry
	visits     *prometheus.CounterVec
	batches    prometheus.Histogram
	turnedAway prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		visits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "munjigi_visits_total", Help: "Visits by what became of them: stored, duplicate, or the reason of refusal.",
		}, []string{"result"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "munjigi_batch_seconds", Help: "From a batch's header to its receipt.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		turnedAway: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "munjigi_turned_away_total", Help: "Requests answered with 503 because all slots were in use.",
		}),
	}
	m.visits.WithLabelValues(wire.StatusStored.String())
	m.visits.WithLabelValues(wire.StatusDuplicate.String())
	m.registry.MustRegister(m.visits, m.batches, m.turnedAway,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "munjigi_requests_in_flight", Help: "Requests being served."}, func() float64 { return float64(s.inUse.Load()) }),
		&standing{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// taken counts a batch for which a receipt was signed.
func (m *metrics) taken(results []wire.Result, took time.Duration) {
	m.batches.Observe(took.Seconds())
	counts := map[string]float64{}
	for _, r := range results {
		if r.Status == wire.StatusRefused {
			counts[r.Reason]++
		} else {
			counts[r.Status.String()]++
		}
	}
	for result, n := range counts {
		m.visits.WithLabelValues(result).Add(n)
	}
}

// standing is what is read when somebody asks: the same in every process on
// one database, but for the queue.
type standing struct{ *Server }

var (
	queueDesc   = prometheus.NewDesc("munjigi_commit_queue", "Batches that wait to be committed.", nil, nil)
	kiosksDesc  = prometheus.NewDesc("munjigi_kiosks", "Kiosks by state: heard of lately, silent, or revoked.", []string{"state"}, nil)
	waitingDesc = prometheus.NewDesc("munjigi_kiosk_queue", "Visits that wait on unrevoked kiosks, by their last heartbeats.", nil, nil)
	oldestDesc  = prometheus.NewDesc("munjigi_oldest_visit_seconds", "Age of the oldest day that is kept, from its midnight.", nil, nil)
	numberDesc  = prometheus.NewDesc("munjigi_bundle_number", "Number of the trust bundle in use.", nil, nil)
	ageDesc     = prometheus.NewDesc("munjigi_bundle_age_seconds", "Age of the trust bundle.", nil, nil)
	expiresDesc = prometheus.NewDesc("munjigi_bundle_expires_seconds", "Time until the trust bundle expires; negative behind it.", nil, nil)
	clockDesc   = prometheus.NewDesc("munjigi_clock_seconds", "The registry's clock, Unix time: compare it with the scraper's.", nil, nil)
	upDesc      = prometheus.NewDesc("munjigi_store_up", "1 if the store can be read.", nil, nil)
)

func (*standing) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueDesc, kiosksDesc, waitingDesc, oldestDesc, numberDesc, ageDesc, expiresDesc, clockDesc, upDesc} {
		c <- d
	}
}

func (s *standing) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now := s.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(clockDesc, float64(now.UnixMilli())/1000)
	if b := s.Bundles.Bundle(); b != nil {
		gauge(numberDesc, float64(b.Number()))
		gauge(ageDesc, now.Sub(b.Issued()).Seconds())
		gauge(expiresDesc, b.Expires().Sub(now).Seconds())
	}
	if q, ok := s.Store.(interface{ Waiting() int }); ok {
		gauge(queueDesc, float64(q.Waiting()))
	}
	if s.Store.Ping(ctx) != nil {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	if o, ok := s.Store.(interface {
		Oldest(ctx context.Context) (time.Time, bool, error)
	}); ok {
		if at, ok, err := o.Oldest(ctx); err == nil && ok {
			gauge(oldestDesc, now.Sub(at).Seconds())
		}
	}
	if n, err := s.Devices.Census(ctx, now); err == nil {
		gauge(kiosksDesc, float64(n.Heard), "heard")
		gauge(kiosksDesc, float64(n.Silent), "silent")
		gauge(kiosksDesc, float64(n.Revoked), "revoked")
		gauge(waitingDesc, float64(n.Queue))
	}
}
