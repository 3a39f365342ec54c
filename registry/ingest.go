package registry

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/store"
)

// visits takes one batch: who sends it, verify each pass, store all that are
// good in one transaction, and only then sign the receipt.
func (s *Server) visits(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	who, body, ok := s.receive(w, r, false, wire.ContentType, wire.MaxBody)
	if !ok {
		return
	}
	batch, err := wire.DecodeBatch(body)
	if err != nil {
		// The decoder's finding may quote the body: it stays out of answer and log.
		s.Log.Warn("a batch is not readable", "kiosk", who.ID, "bytes", len(body))
		problem(w, malformed("the body is no batch of visits: see WIRE.md"))
		return
	}
	if batch.Kiosk != who.ID {
		s.Log.Warn("a batch names another kiosk", "kiosk", who.ID)
		problem(w, refusal{status: http.StatusForbidden, kind: wire.ProblemOtherKiosk, detail: "the batch names another kiosk than the certificate"})
		return
	}
	now := s.Now()
	bundle := s.inForce(now)
	if bundle == nil || now.Add(24*time.Hour).Before(bundle.Issued()) {
		// Without keys, or by a clock more than a day before its own bundle, nothing
		// can be judged, and a refusal would be for ever.
		problem(w, noBundle)
		return
	}
	results, err := s.take(r.Context(), who, batch.Visits, bundle, now)
	if err != nil {
		s.Log.Error("visits are not stored", "kiosk", who.ID, "error", err)
		problem(w, busy("the visits could not be stored: send the same again later"))
		return
	}
	receipt, err := wire.SignReceipt(s.Receipt, body, who.ID, now, pauseFor(int(s.inUse.Load()), s.Limits.Slots), results)
	if err != nil {
		s.Log.Error("a receipt is not signed", "kiosk", who.ID, "error", err)
		problem(w, busy("the receipt could not be signed: send the same again later"))
		return
	}
	s.metrics.taken(results, time.Since(began))
	message(w, receipt)
}

// take judges every visit by itself and stores the good ones together.
func (s *Server) take(ctx context.Context, who devices.Identity, visits []wire.Visit, bundle *pass.Bundle, now time.Time) ([]wire.Result, error) {
	results := make([]wire.Result, len(visits))
	good := make([]Visit, 0, len(visits))
	place := make([]int, 0, len(visits)) // of each good one in results
	refused := map[string]int{}
	select { // many batches at once would all become slow together
	case s.cores <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for i, v := range visits {
		results[i] = wire.Result{Seq: v.Seq, Status: wire.StatusRefused}
		p, reason := s.judge(who, v, bundle, now)
		if reason != "" {
			results[i].Reason = reason
			refused[reason]++
			continue
		}
		good = append(good, Visit{
			Kiosk: who.ID, Facility: who.Facility, Issuer: p.Issuer(), ID: p.ID(), Issued: p.IssuedAt(),
			Scanned: v.Time(), Received: now, Seq: v.Seq, Flags: v.Flags,
		})
		place = append(place, i)
	}
	<-s.cores
	if err := s.doubt(ctx, who, refused, bundle, now); err != nil {
		return nil, err
	}
	fresh, err := s.Store.Put(ctx, good)
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
	s.Log.Debug("visits taken", "kiosk", who.ID, "stored", stored, "duplicate", len(good)-stored, "refused", len(visits)-len(good))
	for reason, n := range refused {
		s.Log.Warn("visits refused", "kiosk", who.ID, "reason", reason, "visits", n)
	}
	return results, nil
}

// judge verifies a visit's pass as of its scan, with the keys and the policy of
// that time. reason is "" for one to keep.
func (s *Server) judge(who devices.Identity, v wire.Visit, bundle *pass.Bundle, now time.Time) (p *pass.Pass, reason string) {
	scanned := v.Time()
	switch {
	case scanned.After(now.Add(24 * time.Hour)):
		if u, err := pass.ParseBytes(v.Pass); err == nil {
			if _, err := u.Verify(scanned, bundle, s.conditions(who, v)); err == nil {
				return nil, clockBehind
			}
		}
		return nil, pass.ReasonNotYetValid.String()
	case store.DayOf(scanned) < store.DayOf(now)-store.Days:
		// Its key may have left the bundle: whatever it was, it is too old.
		return nil, wire.ReasonRetention
	}
	u, err := pass.ParseBytes(v.Pass)
	if err == nil {
		p, err = u.Verify(scanned, bundle, s.conditions(who, v))
	}
	switch {
	case err != nil:
		return nil, pass.ReasonOf(err).String()
	case p.Mode() != pass.ModeRecord:
		return nil, wire.ReasonVerifyOnly
	case !store.Keeps(p.IssuedAt(), now):
		return nil, wire.ReasonRetention
	}
	return p, ""
}

// clockBehind is no answer to a kiosk: issuer and kiosk agree on a time that is
// more than a day ahead of the registry's.
const clockBehind = "clock-behind"

// doubt says why refusals must not be given, since a kiosk never sends again
// what was refused: the registry's own clock or bundle may be what is wrong.
func (s *Server) doubt(ctx context.Context, who devices.Identity, refused map[string]int, bundle *pass.Bundle, now time.Time) error {
	if refused[clockBehind] > 0 {
		return fmt.Errorf("the registry's clock says %s, and a genuine pass was made and read more than a day later: check the clock", now.Format(time.RFC3339))
	}
	if clock, ok := s.Store.(interface {
		Doubt(ctx context.Context, now time.Time) error
	}); ok && refused[wire.ReasonRetention] > 0 {
		if err := clock.Doubt(ctx, now); err != nil {
			return err
		}
	}
	if refused[pass.ReasonUnknownKey.String()]+refused[wire.ReasonPolicyOff]+refused[wire.ReasonVerifyOnly] == 0 {
		return nil
	}
	k, err := s.Devices.Kiosk(ctx, who.ID) // who may be remembered from before its last heartbeat
	if err != nil {
		return err
	}
	if k.Health.Bundle > bundle.Number() {
		return fmt.Errorf("the kiosk has trust bundle %d, this registry only %d: put the newer bundle.cbor in its place", k.Health.Bundle, bundle.Number())
	}
	return nil
}

// conditions are those a visit is verified with again. Whether its clock was
// sure is the kiosk's word; what it admitted while unsure stays flagged.
func (s *Server) conditions(who devices.Identity, v wire.Visit) pass.Conditions {
	c := pass.Conditions{Skew: s.Skew, Facility: who.Kind, Clock: pass.ClockSure}
	if v.Flags&wire.FlagClockUnsure != 0 {
		c.Clock, c.AdmitUnsure = pass.ClockUnsure, true
	}
	return c
}
