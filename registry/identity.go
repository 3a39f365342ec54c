package registry

import (
	"errors"
	"net/http"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
)

// who says which kiosk a request comes from, by the client certificate whose
// key TLS has proved; or why nobody is served. An expired certificate is good
// for a renewal only.
func (s *Server) who(r *http.Request, renewal bool) (devices.Identity, refusal, bool) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return devices.Identity{}, refusal{status: http.StatusUnauthorized, kind: wire.ProblemNoCertificate, detail: "a kiosk shows its certificate here: enrol it with registry kiosk code"}, false
	}
	now := s.Now()
	who, err := s.Devices.Identify(r.Context(), r.TLS.PeerCertificates[0], now)
	forbidden := func(kind, detail string) (devices.Identity, refusal, bool) {
		return devices.Identity{}, refusal{status: http.StatusForbidden, kind: kind, detail: detail}, false
	}
	switch {
	case errors.Is(err, devices.ErrRevoked):
		return forbidden(wire.ProblemRevoked, "this kiosk was revoked: its operator makes a new code with registry kiosk code -replace")
	case errors.Is(err, devices.ErrUnknown):
		return forbidden(wire.ProblemUnknownKiosk, "this certificate belongs to no kiosk of this registry: enrol the kiosk with registry kiosk code")
	case err != nil:
		s.Log.Error("a kiosk is not looked up", "error", err)
		return devices.Identity{}, busy("the kiosk could not be looked up: send the same again later"), false
	case who.Expired && !renewal:
		return forbidden(wire.ProblemExpiredCertificate, "the certificate has expired: renew it first")
	}
	if wait := s.kiosks.Take(who.ID, now); wait > 0 {
		return devices.Identity{}, refusal{status: http.StatusTooManyRequests, kind: wire.ProblemRate, detail: "this kiosk asks too often: wait as Retry-After says", after: wait}, false
	}
	return who, refusal{}, true
}

// receive is what every request of an enrolled kiosk begins with: who sends it,
// and what. Where ok is false the refusal has been written. An expired
// certificate will do for its own renewal.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, renewal bool, media string, limit int64) (who devices.Identity, body []byte, ok bool) {
	who, why, ok := s.who(r, renewal)
	if ok {
		body, why, ok = readBody(w, r, media, limit)
	}
	if !ok {
		problem(w, why)
	}
	return who, body, ok
}
