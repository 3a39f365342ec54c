package registry

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"

	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/rate"
)

// enrol gives a fresh kiosk its first certificate for a code.
func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	body, why, ok := readBody(w, r, wire.ContentType, wire.MaxRequest)
	if !ok {
		problem(w, why)
		return
	}
	e, err := wire.DecodeEnrol(body)
	if err != nil {
		problem(w, malformed("the body is no enrolment: see WIRE.md"))
		return
	}
	answer, err := s.Devices.Enrol(r.Context(), e, s.Now())
	if err != nil {
		s.Log.Warn("a kiosk is not enrolled", "from", rate.Origin(r.RemoteAddr), "error", err)
		problem(w, enrolRefusal(err))
		return
	}
	s.Log.Info("kiosk enrolled", "kiosk", answer.Kiosk, "facility", answer.Facility, "version", e.Version, "from", rate.Origin(r.RemoteAddr))
	s.certified(w, body, answer)
}

// renew gives a kiosk the next certificate, for the same key or a new one.
func (s *Server) renew(w http.ResponseWriter, r *http.Request) {
	who, body, ok := s.receive(w, r, true, wire.RequestType, wire.MaxRequest)
	if !ok {
		return
	}
	answer, err := s.Devices.Renew(r.Context(), who, body, s.Now())
	if err != nil {
		s.Log.Warn("a certificate is not renewed", "kiosk", who.ID, "error", err)
		problem(w, enrolRefusal(err))
		return
	}
	s.Log.Info("certificate renewed", "kiosk", who.ID)
	s.certified(w, body, answer)
}

func (s *Server) certified(w http.ResponseWriter, body []byte, answer wire.Enrolment) {
	signed, err := wire.SignEnrolment(s.Receipt, body, answer)
	if err != nil {
		s.Log.Error("an enrolment is not signed", "kiosk", answer.Kiosk, "error", err)
		problem(w, busy("the enrolment could not be signed: send the same again later"))
		return
	}
	message(w, signed)
}

func enrolRefusal(err error) refusal {
	switch {
	case errors.Is(err, devices.ErrNoCode):
		return refusal{status: http.StatusForbidden, kind: wire.ProblemCodeUnknown, detail: "there is no such enrolment code: ask for a new one"}
	case errors.Is(err, devices.ErrCodeUsed):
		return refusal{status: http.StatusConflict, kind: wire.ProblemCodeUsed, detail: "the enrolment code was used by another kiosk: ask for a new one"}
	case errors.Is(err, devices.ErrCodeExpired):
		return refusal{status: http.StatusGone, kind: wire.ProblemCodeExpired, detail: "the enrolment code has expired: ask for a new one"}
	case errors.Is(err, devices.ErrKeyTaken):
		return refusal{status: http.StatusConflict, kind: wire.ProblemKeyTaken, detail: "this key belongs to another kiosk or was revoked: make a new one with kiosk enroll -reset"}
	case errors.Is(err, devices.ErrRevoked):
		return refusal{status: http.StatusForbidden, kind: wire.ProblemRevoked, detail: "this kiosk was revoked: make a new key with kiosk enroll -reset, and ask for a new code"}
	case errors.Is(err, wire.ErrRequest):
		return malformed("the request for a certificate is not one by an Ed25519 key: see WIRE.md")
	}
	return busy("the enrolment could not be entered: send the same again later")
}

// time answers with the registry's time, signed together with the asker's nonce.
func (s *Server) time(w http.ResponseWriter, r *http.Request) {
	var nonce [wire.NonceSize]byte
	text := r.URL.Query().Get("nonce")
	if n, err := hex.DecodeString(text); err != nil || copy(nonce[:], n) != wire.NonceSize || len(n) != wire.NonceSize {
		problem(w, malformed("nonce is 32 hexadecimal digits"))
		return
	}
	answer, err := wire.SignTime(s.Receipt, nonce, s.Now())
	if err != nil {
		s.Log.Error("the time is not signed", "error", err)
		problem(w, busy("the time could not be signed: ask again later"))
		return
	}
	message(w, answer)
}

// heartbeat enters what a kiosk says of itself.
func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) {
	who, body, ok := s.receive(w, r, false, wire.ContentType, wire.MaxHeartbeat)
	if !ok {
		return
	}
	h, err := wire.DecodeHeartbeat(body)
	if err != nil {
		problem(w, malformed("the body is no heartbeat: see WIRE.md"))
		return
	}
	if err := s.Devices.Beat(r.Context(), who.ID, h, s.Now()); err != nil {
		s.Log.Error("a heartbeat is not entered", "kiosk", who.ID, "error", err)
		problem(w, busy("the heartbeat could not be entered: send the next one"))
		return
	}
	if b := s.Bundles.Bundle(); b != nil {
		w.Header().Set(wire.BundleHeader, strconv.FormatUint(b.Number(), 10))
	}
	w.WriteHeader(http.StatusNoContent)
}
