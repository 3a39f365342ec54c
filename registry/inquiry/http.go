package inquiry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/pass/wire"
)

// Scheme is the authentication scheme of a call (TRACE.md, section 6).
const Scheme = "Munjigi"

// caller verifies the call a request bears.
func (s *Server) caller(r *http.Request, roster *trace.Roster) (officer trace.Party, call []byte, err error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, Scheme) || len(text) > trace.MaxRequest {
		return trace.Party{}, nil, errNoCall
	}
	if call, err = base64.RawURLEncoding.Strict().DecodeString(text); err != nil {
		return trace.Party{}, nil, errNoCall
	}
	officer, err = roster.OpenCall(call, r.Method, r.URL.RequestURI(), s.Now())
	return officer, call, err
}

var (
	errNoCall   = errors.New("this is for officers: a call signed by one is missing")
	errTooBig   = errors.New("the message is too big")
	errMedia    = errors.New("a message is sent as " + trace.ContentType)
	errNotYours = errors.New("this inquiry is another officer's")
	errTaken    = errors.New("this inquiry has been approved already")
	errAsks     = errors.New("an officer may begin 50 inquiries in 24 hours: ask again later")
	errGone     = errors.New("nothing is known of this window any more: visits are destroyed after 28 days")
	errFacility = errors.New("there is no facility with this id: look for it with registry inquiry find")
	errGroup    = errors.New("no group of this inquiry waits for this answer")
)

// body reads a message of at most most bytes.
func body(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != trace.ContentType {
		return nil, errMedia
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return nil, errTooBig
	}
	return raw, err
}

// answers to errors: the first that fits. A type is urn:munjigi:problem:NAME.
var problems = []struct {
	err    error
	status int
	name   string
}{
	{errUnknown, http.StatusNotFound, "unknown-inquiry"},
	{errFacility, http.StatusNotFound, "unknown-facility"},
	{errGroup, http.StatusNotFound, "unknown-group"},
	{errNoCall, http.StatusUnauthorized, "no-call"},
	{trace.ErrStale, http.StatusUnauthorized, "stale-call"},
	{trace.ErrParty, http.StatusForbidden, "not-an-officer"},
	{errNotYours, http.StatusForbidden, "not-yours"},
	{trace.ErrTwoPersons, http.StatusForbidden, "one-person"},
	{trace.ErrRecipient, http.StatusForbidden, "wrong-recipient"},
	{trace.ErrPlace, http.StatusForbidden, "wrong-place"},
	{trace.ErrSubject, http.StatusConflict, "other-matter"},
	{errTaken, http.StatusConflict, "approved-already"},
	{trace.ErrExpired, http.StatusGone, "expired"},
	{errGone, http.StatusGone, "window-gone"},
	{trace.ErrFuture, http.StatusUnprocessableEntity, "from-the-future"},
	{trace.ErrWindow, http.StatusUnprocessableEntity, "window"},
	{errTooBig, http.StatusRequestEntityTooLarge, "too-big"},
	{errMedia, http.StatusUnsupportedMediaType, "media-type"},
	{errAsks, http.StatusTooManyRequests, "too-many"},
	{trace.ErrAuthority, http.StatusServiceUnavailable, "no-roster"},
	{errNoRoster, http.StatusServiceUnavailable, "no-roster"},
	{errNotListed, http.StatusServiceUnavailable, "not-listed"},
	{trace.ErrSealed, http.StatusBadRequest, "unreadable"},
	{trace.ErrContent, http.StatusBadRequest, "unreadable"},
	{cose.ErrHeader, http.StatusBadRequest, "unreadable"},
	{cose.ErrMalformed, http.StatusBadRequest, "unreadable"},
	{cose.ErrNonCanonical, http.StatusBadRequest, "unreadable"},
	{cose.ErrTruncated, http.StatusBadRequest, "unreadable"},
}

// fail answers with an error and logs it: what was refused at Warn, what went
// wrong here at Error. Neither holds what the message said.
func (s *Server) fail(w http.ResponseWriter, doing string, err error) {
	for _, p := range problems {
		if !errors.Is(err, p.err) {
			continue
		}
		s.Log.Warn("refused in an investigation", "step", doing, "reason", p.name)
		switch p.status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", Scheme)
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "3600")
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "60")
		}
		problem(w, p.status, p.name, p.err.Error())
		return
	}
	s.Log.Error("a step of an investigation failed", "step", doing, "error", err)
	w.Header().Set("Retry-After", "5")
	problem(w, http.StatusServiceUnavailable, "try-again", "this could not be done now: send the same again later")
}

func tooMany(w http.ResponseWriter, wait time.Duration, detail string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	problem(w, http.StatusTooManyRequests, "too-many", detail)
}

// problem answers as RFC 9457 asks for.
func problem(w http.ResponseWriter, status int, name, detail string) {
	w.Header().Set("Content-Type", wire.ProblemMedia)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(wire.Problem{Type: "urn:munjigi:problem:" + name, Title: http.StatusText(status), Status: status, Detail: detail})
}

func send(w http.ResponseWriter, raw []byte) {
	w.Header().Set("Content-Type", trace.ContentType)
	w.Write(raw)
}
