package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	sessionName = "munjigi"
	// sessionLife is how long a browser may make codes without asking again.
	sessionLife = 30 * 24 * time.Hour
	// maxSessions bounds the memory; beyond it the one longest unused goes.
	maxSessions = 50_000

	// A session makes at most burst codes at once and one every refill then:
	// renewals take one in 15 s.
	burst  = 10
	refill = 3 * time.Second
)

// session is what is known of a browser: what it agreed to. No person.
type session struct {
	consents map[string]consent // by brand
	begun    time.Time
	used     time.Time
	tokens   float64 // of the rate limit, as of used
}

type consent struct {
	health bool // show the vaccination too
}

// sessions live in memory only: after a restart people agree again.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

// consented notes an agreement and returns the cookie's value, a new one for a
// new session. 32 random bytes; the map holds their hash only.
func (s *sessions) consented(r *http.Request, brand string, c consent, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.find(r, now); ok {
		v.consents[brand] = c
		cookie, _ := r.Cookie(sessionName)
		return cookie.Value
	}
	if len(s.all) >= maxSessions {
		s.evict(now)
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	value := base64.RawURLEncoding.EncodeToString(raw)
	if s.all == nil {
		s.all = map[[sha256.Size]byte]*session{}
	}
	s.all[sha256.Sum256([]byte(value))] = &session{consents: map[string]consent{brand: c}, begun: now, used: now, tokens: burst}
	return value
}

// consent says what a request's session agreed to for a brand.
func (s *sessions) consent(r *http.Request, brand string, now time.Time) (consent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.find(r, now)
	if !ok {
		return consent{}, false
	}
	c, ok := v.consents[brand]
	return c, ok
}

// allow takes one code from the session's rate. wait is how long to wait
// where there is none.
func (s *sessions) allow(r *http.Request, now time.Time) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, found := s.find(r, now)
	if !found {
		return 0, false
	}
	v.tokens = min(burst, v.tokens+max(0, now.Sub(v.used).Seconds())/refill.Seconds())
	v.used = now
	if v.tokens < 1 {
		return time.Duration((1 - v.tokens) * float64(refill)), false
	}
	v.tokens--
	return 0, true
}

func (s *sessions) find(r *http.Request, now time.Time) (*session, bool) {
	cookie, err := r.Cookie(sessionName)
	if err != nil {
		return nil, false
	}
	key := sha256.Sum256([]byte(cookie.Value))
	v, ok := s.all[key]
	if ok && now.Sub(v.begun) >= sessionLife {
		delete(s.all, key)
		return nil, false
	}
	return v, ok
}

// evict drops what has expired and, if that is nothing, the longest unused.
func (s *sessions) evict(now time.Time) {
	var oldest [sha256.Size]byte
	var used time.Time
	full := len(s.all)
	for key, v := range s.all {
		if now.Sub(v.begun) >= sessionLife {
			delete(s.all, key)
		} else if used.IsZero() || v.used.Before(used) {
			oldest, used = key, v.used
		}
	}
	if len(s.all) == full {
		delete(s.all, oldest)
	}
}
