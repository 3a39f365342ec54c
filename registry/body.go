package registry

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/munjigi/munjigi/pass/wire"
)

// readBody reads a body of the given media type and at most limit bytes, plain
// or gzip; the limit holds for what gzip unpacks to as well. Where ok is false
// the refusal is why.
func readBody(w http.ResponseWriter, r *http.Request, media string, limit int64) (body []byte, why refusal, ok bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != media {
		return nil, refusal{status: http.StatusUnsupportedMediaType, kind: wire.ProblemMediaType, detail: "this address takes " + media}, false
	}
	sent := &source{Reader: http.MaxBytesReader(w, r.Body, limit)}
	var in io.Reader = sent
	var err error
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		in, err = gzip.NewReader(sent)
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, refusal{status: http.StatusUnsupportedMediaType, kind: wire.ProblemMediaType, detail: "a body is sent plain or with Content-Encoding gzip"}, false
	}
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(in, limit+1))
	}
	var big *http.MaxBytesError
	switch {
	case int64(len(body)) > limit, errors.As(sent.err, &big):
		return nil, refusal{status: http.StatusRequestEntityTooLarge, kind: wire.ProblemTooLarge, detail: fmt.Sprintf("a body has at most %d bytes here, unpacked: send less at once", limit)}, false
	case sent.err != nil:
		// It stopped half-way, or came too slowly: that says nothing against what is in it.
		return nil, refusal{status: http.StatusRequestTimeout, kind: wire.ProblemTimeout, detail: "the body did not arrive in full: send it again"}, false
	case err != nil:
		return nil, malformed("the body is no gzip"), false
	}
	return body, refusal{}, true
}

// source remembers why reading from the sender ended early.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
