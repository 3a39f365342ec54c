package owner

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	// The prefix makes browsers refuse the cookie from anybody but this host over
	// TLS, so that no neighbour can plant one (RFC 6265bis, section 4.1.3).
	sessionCookie = "__Host-munjigi-kiosk"

	// SessionIdle ends a session that nobody uses, SessionLife every one.
	SessionIdle = 30 * time.Minute
	SessionLife = 12 * time.Hour

	mostSessions = 16
)

// sessions are who is logged in, by the hash of the cookie. They end with the
// program.
type sessions struct {
	now func() time.Time

	mu     sync.Mutex
	all    map[[32]byte]session
	opened bool // somebody has logged in since the start
}

type session struct {
	began, seen time.Time
	password    string // the hash it was opened with: another one ends it
}

// start logs in with a fresh token, whatever the browser brought.
func (s *sessions) start(w http.ResponseWriter, password string) {
	token := base64.RawURLEncoding.EncodeToString(randomBytes(32))
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[32]byte]session{}
	}
	for len(s.all) >= mostSessions {
		s.dropOldest()
	}
	s.opened = true
	s.all[sha256.Sum256([]byte(token))] = session{began: now, seen: now, password: password}
	setCookie(w, token)
}

func (s *sessions) dropOldest() {
	var oldest [32]byte
	var seen time.Time
	for k, v := range s.all {
		if seen.IsZero() || v.seen.Before(seen) {
			oldest, seen = k, v.seen
		}
	}
	delete(s.all, oldest)
}

// find says whether a request comes from somebody who is logged in with the
// password that is in force. use keeps the session from ending for idleness: a
// picture that a page fetches by itself does not.
func (s *sessions) find(r *http.Request, password string, use bool) bool {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" || password == "" {
		return false
	}
	key, now := sha256.Sum256([]byte(cookie.Value)), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[key]
	if !ok {
		return false
	}
	if one.password != password || now.Sub(one.began) >= SessionLife || now.Sub(one.seen) >= SessionIdle {
		delete(s.all, key)
		return false
	}
	if use {
		one.seen = now
		s.all[key] = one
	}
	return true
}

func (s *sessions) end(r *http.Request) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(cookie.Value)))
}

func setCookie(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: sessionCookie, Value: token, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
