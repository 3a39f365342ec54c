package issuer

import (
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
)

// Answer is a new pass, as POST /v1/passes returns it.
type Answer struct {
	Text    string `json:"text"`    // what the QR code says
	SVG     string `json:"svg"`     // the symbol with its quiet zone
	Issued  int64  `json:"issued"`  // Unix seconds
	Expires int64  `json:"expires"` // Unix seconds
	Left    int64  `json:"left"`    // milliseconds until then by the issuer's clock: phones' clocks are not asked
}

// passes makes one pass for the session's browser. The body is {"brand": id}.
func (s *Server) passes(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Brand string `json:"brand"`
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		problem(w, http.StatusUnsupportedMediaType, "the request is sent as application/json")
		return
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&ask); err != nil {
		problem(w, http.StatusBadRequest, `the request is {"brand": "id"}`)
		return
	}
	brand := s.brands[ask.Brand]
	if brand == nil {
		problem(w, http.StatusNotFound, ErrBrand.Error())
		return
	}
	now := s.Now()
	agreed, ok := s.sessions.consent(r, brand.ID, now)
	if !ok {
		problem(w, http.StatusForbidden, "this browser has not consented yet: open the brand's page first")
		return
	}
	if wait, ok := s.sessions.allow(r, now); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		problem(w, http.StatusTooManyRequests, "too many codes at once: wait a moment")
		return
	}
	var health *pass.Health
	if agreed.health && s.Health != nil {
		var err error
		if health, err = s.Health.Health(r.Context()); err != nil {
			// The visit matters more than what stands beside it.
			s.Log.Warn("the vaccination record is not at hand, the pass goes without", "brand", brand.ID)
			health = nil
		}
	}
	text, err := s.Issue(now, brand.ID, health)
	if err != nil {
		s.fail(w, brand, err)
		return
	}
	code, err := symbol.Encode(text)
	if err != nil {
		s.fail(w, brand, err)
		return
	}
	issued := now.Truncate(time.Second)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(Answer{
		Text: text, SVG: symbol.SVG(code, brand.Name+" QR"),
		Issued: issued.Unix(), Expires: issued.Add(pass.Lifetime).Unix(), Left: issued.Add(pass.Lifetime).Sub(now).Milliseconds(),
	})
}

func (s *Server) fail(w http.ResponseWriter, b *Brand, err error) {
	s.Log.Error("a pass is not made", "brand", b.ID, "error", err)
	problem(w, http.StatusInternalServerError, "the pass could not be made: try again")
}

// problem answers with an error as RFC 9457 asks for.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail})
}
