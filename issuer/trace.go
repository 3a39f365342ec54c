package issuer

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/munjigi/munjigi/issuer/store"
	"github.com/munjigi/munjigi/pass/trace"
)

// maxGroup is the largest size of a sealed group, in bytes.
const maxGroup = 64 << 10

// TracePath is where groups are brought (TRACE.md, section 5).
const TracePath = "/v1/trace"

// IssueLog finds who was behind a pass. Both methods return store.ErrNobody
// where nobody is known (any more).
type IssueLog interface {
	// Whose says for whom a pass was made on the day of at.
	Whose(ctx context.Context, pass [16]byte, at time.Time) (store.PersonID, error)
	// Named reads a person, also one who has withdrawn since.
	Named(ctx context.Context, id store.PersonID) (store.Person, error)
}

// TraceLog keeps what was answered. Note returns when it is durable.
type TraceLog interface {
	Note(TraceEntry) error
}

// TraceEntry is one answered group: nobody's name, no pass.
type TraceEntry struct {
	At       time.Time `json:"at"`
	Brand    string    `json:"brand"`
	Case     string    `json:"case"`
	Officer  string    `json:"officer"`  // who asked
	Approver string    `json:"approver"` // who approved
	Order    string    `json:"order"`    // digests, hexadecimal
	Group    string    `json:"group"`
	Asked    int       `json:"asked"` // passes
	Named    int       `json:"named"`
}

// Tracer answers groups: who was behind these passes, for the officer who asked
// alone. It is told no place, and answers nothing but what two officers signed.
type Tracer struct {
	Brands []*trace.Identity    // one for each brand: the id is the brand's
	Roster func() *trace.Roster // in force, nil while there is none
	Issued IssueLog
	Notes  TraceLog
	Now    func() time.Time
	Log    *slog.Logger
}

// errTraceFailed is for what is wrong on this side.
var errTraceFailed = errors.New("the issue log cannot be read or the answer not be noted")

//go:embed trace.yaml
var traceAPI []byte

// Handler serves what trace.yaml describes.
func (t *Tracer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+TracePath, t)
	mux.HandleFunc("GET /v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) { document(w, traceAPI) })
	return mux
}

func document(w http.ResponseWriter, openAPI []byte) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(openAPI)
}

// ServeHTTP answers POST TracePath.
func (t *Tracer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != trace.ContentType {
		problem(w, http.StatusUnsupportedMediaType, "a group is sent as "+trace.ContentType)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxGroup))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		problem(w, http.StatusRequestEntityTooLarge, "a group has at most 65536 bytes")
		return
	case err != nil:
		problem(w, http.StatusBadRequest, "the body could not be read: send it again")
		return
	}
	answer, err := t.answer(r.Context(), raw)
	switch {
	case errors.Is(err, errTraceFailed):
		t.Log.Error("a trace request is not answered", "error", err)
		w.Header().Set("Retry-After", "30")
		problem(w, http.StatusServiceUnavailable, "this could not be answered now: send the same again later")
	case err != nil:
		t.Log.Warn("a trace request is refused", "reason", err)
		problem(w, traceStatus(err), err.Error())
	default:
		w.Header().Set("Content-Type", trace.ContentType)
		w.Header().Set("Cache-Control", "no-store")
		w.Write(answer)
	}
}

// traceStatus is the status for a group that is not answered.
func traceStatus(err error) int {
	for _, c := range []struct {
		err    error
		status int
	}{
		{trace.ErrParty, http.StatusForbidden}, {trace.ErrTwoPersons, http.StatusForbidden}, {trace.ErrRecipient, http.StatusForbidden},
		{trace.ErrSubject, http.StatusForbidden}, {trace.ErrExpired, http.StatusGone}, {trace.ErrAuthority, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, c.err) {
			return c.status
		}
	}
	return http.StatusBadRequest
}

func (t *Tracer) answer(ctx context.Context, raw []byte) ([]byte, error) {
	now, roster := t.Now(), t.Roster()
	if roster == nil {
		return nil, trace.ErrAuthority
	}
	brand, g, err := t.open(roster, raw, now)
	if err != nil {
		return nil, err
	}
	people := make([]*trace.Person, len(g.Passes))
	named := 0
	for n, id := range g.Passes {
		if people[n], err = t.person(ctx, brand.ID(), id, g.Order); err != nil {
			return nil, fmt.Errorf("%w: %w", errTraceFailed, err)
		}
		if people[n] != nil {
			named++
		}
	}
	answer, err := roster.SealAnswer(brand, g, people, now)
	if err != nil {
		return nil, err
	}
	// The note comes first: nothing leaves this house unseen.
	if err := t.Notes.Note(TraceEntry{
		At: now.UTC(), Brand: brand.ID(), Case: g.Case, Officer: g.Officer, Approver: g.Approver,
		Order: g.Order.Digest().String(), Group: g.Digest.String(), Asked: len(people), Named: named,
	}); err != nil {
		return nil, fmt.Errorf("%w: %w", errTraceFailed, err)
	}
	t.Log.Info("a trace request is answered", "brand", brand.ID(), "asked", len(people), "named", named)
	return answer, nil
}

// open opens a group by the brand it is addressed to.
func (t *Tracer) open(roster *trace.Roster, raw []byte, now time.Time) (*trace.Identity, *trace.Group, error) {
	for _, brand := range t.Brands {
		g, err := roster.OpenGroup(brand, raw, now)
		if errors.Is(err, trace.ErrRecipient) {
			continue
		}
		return brand, g, err
	}
	return nil, nil, trace.ErrRecipient
}

// person finds who a pass was made for on one of the days that the order's
// window touches; nil where nobody is known, or somebody of another brand.
func (t *Tracer) person(ctx context.Context, brand string, id [16]byte, o *trace.Order) (*trace.Person, error) {
	first, last := o.From.Add(-trace.Slack), o.To.Add(trace.Slack)
	for at := first; store.Day(at) <= store.Day(last); at = at.Add(24 * time.Hour) {
		who, err := t.Issued.Whose(ctx, id, at)
		if errors.Is(err, store.ErrNobody) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p, err := t.Issued.Named(ctx, who)
		if errors.Is(err, store.ErrNobody) || err == nil && p.Brand != brand {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		found := &trace.Person{Name: p.Name, Phone: p.Phone}
		if p.Guardian != nil {
			found.Guardian, found.GuardianPhone = p.Guardian.Name, p.Guardian.Phone
		}
		return found, nil
	}
	return nil, nil
}

// TraceFile is a TraceLog in a file: one line of JSON for each answer, with the
// SHA-256 of the line before, so that one taken out is missed.
type TraceFile struct {
	mu   sync.Mutex
	file *os.File
	prev [sha256.Size]byte
	bad  error // a line may be torn: nothing is noted behind it
}

// OpenTraceFile opens or makes the file at path, readable by its owner only,
// and checks the lines that are there. A last line that a crash has torn was
// never answered, and is taken off.
func OpenTraceFile(path string) (*TraceFile, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the trace log: %w", err)
	}
	t := &TraceFile{}
	whole := old[:bytes.LastIndexByte(old, '\n')+1]
	n := 0
	for line := range bytes.Lines(whole) {
		n++
		var l traceLine
		if err := json.Unmarshal(line, &l); err != nil || l.Prev != hex.EncodeToString(t.prev[:]) {
			return nil, fmt.Errorf("%s:%d: the trace log breaks here: keep it, and begin another file", path, n)
		}
		t.prev = sha256.Sum256(line)
	}
	if t.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("open the trace log: %w", err)
	}
	if len(whole) < len(old) {
		if err := t.file.Truncate(int64(len(whole))); err != nil {
			return nil, errors.Join(fmt.Errorf("open the trace log: %w", err), t.file.Close())
		}
	}
	return t, nil
}

type traceLine struct {
	TraceEntry
	Prev string `json:"prev"`
}

// Note implements TraceLog.
func (t *TraceFile) Note(e TraceEntry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, err := json.Marshal(traceLine{e, hex.EncodeToString(t.prev[:])})
	if err != nil {
		return fmt.Errorf("write the trace log: %w", err)
	}
	if t.bad != nil {
		return fmt.Errorf("the trace log failed before, restart the issuer: %w", t.bad)
	}
	line = append(line, '\n')
	_, err = t.file.Write(line)
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		t.bad = err
		return fmt.Errorf("write the trace log: %w", err)
	}
	t.prev = sha256.Sum256(line)
	return nil
}

// Close closes the file.
func (t *TraceFile) Close() error { return t.file.Close() }
