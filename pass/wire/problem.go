package wire

import "encoding/json"

const (
	// ProblemMedia is the media type of a refusal (RFC 9457).
	ProblemMedia = "application/problem+json"

	problemSpace = "urn:munjigi:problem:"
	maxProblem   = 4 << 10
)

// Types of problem a kiosk tells apart. Any other is to be sent again later.
const (
	ProblemNoCertificate      = problemSpace + "no-certificate"      // 401: none was shown, or not one of this registry's CA
	ProblemUnknownKiosk       = problemSpace + "unknown-kiosk"       // 403: the certificate's key belongs to no kiosk
	ProblemRevoked            = problemSpace + "revoked"             // 403: the kiosk was revoked: it must be enrolled anew
	ProblemExpiredCertificate = problemSpace + "expired-certificate" // 403: renew first
	ProblemOtherKiosk         = problemSpace + "other-kiosk"         // 403: the batch names another kiosk
	ProblemCodeUnknown        = problemSpace + "code-unknown"        // 403: no such code, or its secret is not known
	ProblemCodeUsed           = problemSpace + "code-used"           // 409: by another key
	ProblemCodeExpired        = problemSpace + "code-expired"        // 410
	ProblemKeyTaken           = problemSpace + "key-taken"           // 409: the key belongs to another kiosk: make a new one
	ProblemMalformed          = problemSpace + "malformed"           // 400: the body is not what this address takes
	ProblemTooLarge           = problemSpace + "too-large"           // 413
	ProblemMediaType          = problemSpace + "media-type"          // 415
	ProblemTimeout            = problemSpace + "timeout"             // 408: the body stopped half-way
	ProblemRate               = problemSpace + "rate"                // 429: Retry-After says when
	ProblemBusy               = problemSpace + "busy"                // 503: Retry-After says when
	ProblemNoBundle           = problemSpace + "no-bundle"           // 503: the registry has no trust bundle in force
	ProblemNotFound           = problemSpace + "not-found"           // 404
	ProblemMethod             = problemSpace + "method"              // 405
)

// Problem is a refusal (RFC 9457). Whoever sits in the middle can make one up:
// it clears nothing.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // says what to do
}

func (p Problem) Error() string { return p.Title + ": " + p.Detail }

// ParseProblem reads the body of a refusal; ok is false for a body that is none.
func ParseProblem(body []byte) (p Problem, ok bool) {
	if len(body) > maxProblem || json.Unmarshal(body, &p) != nil || p.Type == "" {
		return Problem{}, false
	}
	return p, true
}
