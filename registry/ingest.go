package registry

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/store"
)

// Reasons of refusal beside pass.Reason's names: the pass is good, but the
// registry must not keep the visit.
const (
	ReasonVerifyOnly = "policy-verify-only" // the policy at the time of the scan keeps nothing
	ReasonRetention  = "retention"          // past store.Days when it arrived
)

var (
	errTooBig   = errors.New("a batch is too big")
	errEncoding = errors.New("a body is neither plain nor gzip")
)

// visits takes one batch: authenticate, verify each pass, store all that are
// good in one transaction, and only then sign the receipt.
func (s *Server) visits(w http.ResponseWriter, r *http.Request) {
	kiosk, ok := s.kiosk(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Bearer realm="munjigi"`)
		problem(w, http.StatusUnauthorized, "this token belongs to no kiosk: add it with registry kiosk add")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != wire.ContentType {
		problem(w, http.StatusUnsupportedMediaType, "a batch is sent as "+wire.ContentType)
		return
	}
	body, err := readBody(w, r)
	switch {
	case errors.Is(err, errTooBig):
		problem(w, http.StatusRequestEntityTooLarge, "a batch has at most 65536 bytes, unpacked: send fewer visits at once")
		return
	case errors.Is(err, errEncoding):
		w.Header().Set("Accept-Encoding", "gzip")
		problem(w, http.StatusUnsupportedMediaType, "a batch is sent plain or with Content-Encoding gzip")
		return
	case err != nil:
		problem(w, http.StatusBadRequest, "the body could not be read: send it again")
		return
	}
	batch, err := wire.DecodeBatch(body)
	if err != nil {
		// The decoder's finding may quote the body: it stays out of answer and log.
		s.Log.Warn("a batch is not readable", "kiosk", kiosk.ID, "bytes", len(body))
		problem(w, http.StatusBadRequest, "the body is no batch of visits: see WIRE.md")
		return
	}
	if batch.Kiosk != kiosk.ID {
		s.Log.Warn("a batch names another kiosk", "kiosk", kiosk.ID)
		problem(w, http.StatusForbidden, "the batch names another kiosk than the token's")
		return
	}
	bundle := s.Bundles.Bundle()
	now := s.Now()
	if bundle == nil || !now.Before(bundle.Expires()) {
		// Without keys nothing can be judged, and a refusal would be for ever.
		problem(w, http.StatusServiceUnavailable, "the registry has no trust bundle in force: send the same again later")
		return
	}
	results, err := s.take(r, kiosk, batch.Visits, bundle, now)
	if err != nil {
		s.Log.Error("visits are not stored", "kiosk", kiosk.ID, "error", err)
		problem(w, http.StatusServiceUnavailable, "the visits could not be stored: send the same again later")
		return
	}
	receipt, err := wire.SignReceipt(s.Receipt, body, kiosk.ID, now, 0, results)
	if err != nil {
		s.Log.Error("a receipt is not signed", "kiosk", kiosk.ID, "error", err)
		problem(w, http.StatusInternalServerError, "the receipt could not be signed: send the same again later")
		return
	}
	w.Header().Set("Content-Type", wire.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(receipt)
}

// take judges every visit by itself and stores the good ones together.
func (s *Server) take(r *http.Request, kiosk Kiosk, visits []wire.Visit, bundle *pass.Bundle, now time.Time) ([]wire.Result, error) {
	results := make([]wire.Result, len(visits))
	good := make([]Visit, 0, len(visits))
	place := make([]int, 0, len(visits)) // of each good one in results
	refused := map[string]int{}
	for i, v := range visits {
		results[i] = wire.Result{Seq: v.Seq, Status: wire.StatusRefused}
		p, reason := s.judge(kiosk, v, bundle, now)
		if reason != "" {
			results[i].Reason = reason
			refused[reason]++
			continue
		}
		good = append(good, Visit{
			Kiosk: kiosk.ID, Facility: kiosk.Facility, Issuer: p.Issuer(), ID: p.ID(), Issued: p.IssuedAt(),
			Scanned: v.Time(), Received: now, Seq: v.Seq, Flags: v.Flags,
		})
		place = append(place, i)
	}
	fresh, err := s.Store.Put(r.Context(), good)
	if err != nil {
		return nil, err
	}
	stored := 0
	for j, i := range place {
		results[i].Status = wire.StatusDuplicate
		if fresh[j] {
			results[i].Status = wire.StatusStored
			stored++
		}
	}
	s.Log.Info("visits taken", "kiosk", kiosk.ID, "stored", stored, "duplicate", len(good)-stored, "refused", len(visits)-len(good))
	for reason, n := range refused {
		s.Log.Warn("visits refused", "kiosk", kiosk.ID, "reason", reason, "visits", n)
	}
	return results, nil
}

// judge verifies a visit's pass as of its scan. reason is "" for one to keep.
func (s *Server) judge(kiosk Kiosk, v wire.Visit, bundle *pass.Bundle, now time.Time) (p *pass.Pass, reason string) {
	scanned := v.Time()
	if store.DayOf(scanned) < store.DayOf(now)-store.Days {
		return nil, ReasonRetention // its key may have left the bundle
	}
	u, err := pass.ParseBytes(v.Pass)
	if err == nil {
		p, err = u.Verify(scanned, bundle, s.conditions(kiosk, v))
	}
	switch {
	case err != nil:
		return nil, pass.ReasonOf(err).String()
	case !store.Keeps(p.IssuedAt(), now):
		return nil, ReasonRetention
	case p.Mode() != pass.ModeRecord:
		return nil, ReasonVerifyOnly
	}
	return p, ""
}

// readBody reads a body of at most wire.MaxBody bytes, plain or gzip; the
// bound holds for what gzip unpacks to as well.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(w, r.Body, wire.MaxBody)
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = z
	default:
		return nil, errEncoding
	}
	body, err := io.ReadAll(io.LimitReader(in, wire.MaxBody+1))
	var big *http.MaxBytesError
	if errors.As(err, &big) || len(body) > wire.MaxBody {
		return nil, errTooBig
	}
	return body, err
}
