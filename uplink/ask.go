package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// Known asks whether the registry knows this kiosk, by a batch that is none and
// is never stored: who may send one is asked first. Errors: *Refusal, those of
// the way there.
func (l *Link) Known(ctx context.Context) error {
	_, err := l.ask(ctx, request{method: http.MethodPost, path: wire.VisitsPath, kind: wire.ContentType, body: []byte("check")})
	var r *Refusal
	if errors.As(err, &r) && r.unreadable() {
		return nil
	}
	if err == nil {
		err = errors.New("whoever answers at the registry's address is not a registry (a captive portal?)")
	}
	return err
}

// request is one question to the registry.
type request struct {
	method, path string
	kind         string // media type of body
	packed       bool   // body is gzip
	body         []byte
	header       http.Header
	timeless     bool // with certificates whose time is not looked at
	limit        int64
}

// answer is one of its answers, with a status of 2xx or 304.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// Refusal is an answer with any other status.
type Refusal struct {
	Status  int
	Problem wire.Problem // zero where whoever answered said nothing readable
	After   time.Duration
}

func (e *Refusal) Error() string {
	if e.Problem.Type != "" {
		return fmt.Sprintf("the registry answered with status %d: %v", e.Status, e.Problem)
	}
	return fmt.Sprintf("the registry answered with status %d", e.Status)
}

func (e *Refusal) Unwrap() error { return e.Problem }

// unreadable says that the body itself is what the registry objects to.
func (e *Refusal) unreadable() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// ask sends one request. Errors: *Refusal, those of the way there.
func (l *Link) ask(ctx context.Context, r request) (*answer, error) {
	p := l.peer.Load()
	if p == nil {
		return nil, errFresh
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, p.Address+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	if r.packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	client := p.client
	if r.timeless {
		client = p.timeless
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if r.limit == 0 {
		r.limit = wire.MaxBody
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.limit+1))
	if resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusNotModified {
		e := &Refusal{Status: resp.StatusCode, After: retryAfter(resp.Header, l.now())}
		e.Problem, _ = wire.ParseProblem(body)
		l.refused(e.Problem.Type)
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// refused notes what the registry thinks of this kiosk. Visitors notice
// nothing: offline is the normal state.
func (l *Link) refused(problem string) {
	switch problem {
	case wire.ProblemExpiredCertificate:
		select {
		case l.renew <- struct{}{}:
		default:
		}
	case wire.ProblemRevoked, wire.ProblemUnknownKiosk, wire.ProblemNoCertificate, wire.ProblemOtherKiosk:
	default:
		return
	}
	l.mu.Lock()
	changed := l.state.Refused != problem
	l.state.Refused = problem
	l.mu.Unlock()
	if changed {
		l.log.Error("the registry refuses this kiosk: visits wait on disk and are destroyed after 28 days; ask the registry's operator", "problem", problem)
	}
}

// welcome notes that the registry knows this kiosk: an answer to it that verified.
func (l *Link) welcome() {
	l.mu.Lock()
	changed := l.state.Refused != ""
	l.state.Refused = ""
	l.mu.Unlock()
	if changed {
		l.log.Info("the registry takes what this kiosk sends again")
	}
}
