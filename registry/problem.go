package registry

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// refusal is an answer that is no success.
type refusal struct {
	status int
	kind   string // wire.Problem…
	detail string // says what to do; never quotes a pass, a code or a header
	after  time.Duration
}

// problem answers as RFC 9457 asks for.
func problem(w http.ResponseWriter, r refusal) {
	h := w.Header()
	h.Set("Content-Type", wire.ProblemMedia)
	h.Set("Cache-Control", "no-store")
	if r.status == http.StatusServiceUnavailable && r.after == 0 {
		r.after = 5 * time.Second
	}
	if r.after > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((r.after+time.Second-1)/time.Second), 10))
	}
	w.WriteHeader(r.status)
	json.NewEncoder(w).Encode(wire.Problem{Type: r.kind, Title: http.StatusText(r.status), Status: r.status, Detail: r.detail})
}

func busy(detail string) refusal {
	return refusal{status: http.StatusServiceUnavailable, kind: wire.ProblemBusy, detail: detail}
}

func malformed(detail string) refusal {
	return refusal{status: http.StatusBadRequest, kind: wire.ProblemMalformed, detail: detail}
}

var (
	notFound = refusal{status: http.StatusNotFound, kind: wire.ProblemNotFound, detail: "there is nothing at this address: see /v1/openapi.yaml"}
	noBundle = refusal{status: http.StatusServiceUnavailable, kind: wire.ProblemNoBundle, detail: "the registry has no trust bundle in force: send the same again later"}
)
